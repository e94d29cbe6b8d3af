#!/usr/bin/env bash
# run.sh [--signed] BENCH [OUT]: Assay beside other admission controllers on a real API server, as BENCH/run.sh measures them, or
# BENCH/images-signed.sh with --signed (a folder with those, up.sh, load/ and policies/; it is copied, nothing is written to it).
# OUT gets results.jsonl and table.md.
#   ASSAY         the binary, default target/release/assay
#   PEERS         folder with etcd, kube-apiserver, kubectl and the peers (tests/peers/install.sh puts them into
#                 ~/.cache/assay/peers, from where they are taken by default)
#   ROUNDS        default 1
#   CONTESTANTS   default "none vap custom"; custom is Assay. LOADS, N, C, RATE, WARM as BENCH/run.sh has them
#   VARIANTS      with --signed, default "custom:bundle"
set -euo pipefail
own=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")") signed=
[ "${1:-}" = --signed ] && { signed=1; shift; }
bench=$(readlink -f "${1:?the folder of the bench}") out=$(readlink -f "${2:-$(mktemp -d)}") rounds=${ROUNDS:-1}
export ASSAY=${ASSAY:-$(readlink -f "$own/../../../../target/release/assay")}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$out"
rm -f "$out/results.jsonl"
if [ -z "${PEERS:-}" ]; then
  PEERS=$copy/peers && mkdir "$PEERS"
  find "${ASSAY_PEERS:-$HOME/.cache/assay/peers}" -type f -perm -u+x -exec ln -sf -t "$PEERS" {} +
fi
export PEERS CONTESTANT_NAME=assay CONTESTANT_START=$own/start.sh CONTESTANT_PID_FILE=assay.pid
export CONTESTANTS=${CONTESTANTS:-none vap custom} VARIANTS=${VARIANTS:-custom:bundle} ROUNDS=1
# The cases are those of the bench again in each round: Assay's have its own names of the rules.
for round in $(seq "$rounds"); do
  rm -rf "${out:?}/$round"
  cp -r "$bench" "$copy/bench-$round" && chmod -R u+w "$copy/bench-$round"
  if [ -n "$signed" ]; then script=images-signed.sh; else script=run.sh; fi
  "$copy/bench-$round/$script" "$out/$round"
  cat "$out/$round/results.jsonl" >>"$out/results.jsonl"
done
"$out/1/load" -table "$out/results.jsonl" | sed 's/custom:/assay:/' | tee "$out/table.md"
