#!/usr/bin/env bash
# crds.sh BENCH [FILE...]: what CustomResourceDefinitions cost a real API server in memory, each FILE on a control plane of its own
# (default: deploy/crds.yaml). Live heap after a collection, and resident memory, in MB: without them, with them, the difference.
#   PEERS, ASSAY_PEERS   as run.sh has them
set -euo pipefail
own=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
bench=$(readlink -f "${1:?the folder of the bench}") && shift
[ $# -gt 0 ] || set -- "$own/../../../../deploy/crds.yaml"
files=()
for file; do files+=("$(readlink -f "$file")"); done
copy=$(mktemp -d)
cp -r "$bench" "$copy/bench" && chmod -R u+w "$copy/bench"
if [ -z "${PEERS:-}" ]; then
  PEERS=$copy/peers && mkdir "$PEERS"
  find "${ASSAY_PEERS:-$HOME/.cache/assay/peers}" -type f -perm -u+x -exec ln -sf -t "$PEERS" {} +
fi
export PEERS DIR=$copy/plane
trap '[ -e "$DIR/env" ] && "$copy/bench/down.sh" "$DIR"; rm -rf "$copy"' EXIT
cd "$copy/bench" && . ./lib.sh

# Live heap and resident bytes. What the API server does with its kinds is done some seconds later.
memory() {
  sleep 20
  kc get --raw '/debug/pprof/heap?gc=1' >/dev/null
  kc get --raw /metrics | awk '/^go_memstats_heap_alloc_bytes / { heap = $2 } /^process_resident_memory_bytes / { all = $2 } END { printf "%.1f %.1f\n", heap / 1e6, all / 1e6 }'
}

for file in "${files[@]}"; do
  ./up.sh "$DIR" >/dev/null
  before=$(memory)
  kc apply --server-side -f "$file" >/dev/null
  kc wait --for condition=established --timeout 60s crd --all >/dev/null
  after=$(memory)
  echo "$before $after $(wc -c <"$file")" |
    awk -v name="$(basename "$file")" '{ printf "%s (%d kB): live heap %s -> %s (%+.1f), resident %s -> %s (%+.1f) MB\n", name, $5 / 1000, $1, $3, $3 - $1, $2, $4, $4 - $2 }'
  ./down.sh --rm "$DIR"
done
