#!/usr/bin/env bash
# run.sh IMAGES [OUT]: Assay beside the floor, Trivy and Syft on the same images, one after the other on one core, by turns.
#   IMAGES        folder of OCI layouts NAME.oci with NAME.truth.json (what is in each, from the package managers themselves)
#   OUT           gets results.tsv, table.md and the document of each program; default a new folder
#   ASSAY         the binary, default target/release/assay
#   FLOOR         the bench `floor`, default the newest target/release/deps/floor-*; without one there is no floor
#   PROGRAMS      default "floor-walk floor-hash assay trivy syft". ROUNDS default 3, CORE default 0, ONLY: names of images
# CPU seconds are user and system of the process, the least of the rounds; wall time and memory the median. Each run has an
# empty home, so that nothing is known of any layer; `warm` is a second run over what the first one left.
# Needs jq, strace, taskset and GNU time; tests/peers/install.sh trivy syft gives the peers.
set -euo pipefail
own=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
tree=$(readlink -f "$own/../../../..") target=${CARGO_TARGET_DIR:-$tree/target}
images=$(readlink -f "${1:?a folder of images}") out=$(mkdir -p "${2:-$(mktemp -d)}" && readlink -f "${2:-$_}")
assay=$(readlink -f "${ASSAY:-$target/release/assay}")
floor=${FLOOR:-$(ls -t "$target"/release/deps/floor-* 2>/dev/null | grep -v '\.d$' | head -n 1 || true)}
rounds=${ROUNDS:-3} core=${CORE:-0}
programs=${PROGRAMS:-${floor:+floor-walk floor-hash }assay trivy syft}
peers=${ASSAY_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/assay/peers}
peer() { local found; found=$(ls -d "$peers/$1"-*/"$1" 2>/dev/null | sort -V | tail -n 1) && readlink -f "$found"; }
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
results=$out/results.tsv
printf 'image\tprogram\tround\tcpu\twall\tpeak_kib\n' >"$results"

# Trivy stops at images with jars where it has no database of them: an empty one, SQLite in gzip (its tables `artifacts` and
# `indices` without a row).
java_database=H4sIAAAAAAACA+2ROwvCUAyFkyo4OTsImlGxCOLg6oNuLj52ua1RL2pbbqPY0X/gT7atrzo5i37DzckJ3BPIbDLWwrQKzF4JdcECROgTASQSoAAv0r6Y6xE+\
Y0Hbw3IqsAZ4SZ6vIrRKlWoVzz1R7o61v9QeR/dSGE2dwdyh+WA4duhuNpQRvVKeLPQy8YTXbGw6sol04JPwSWyKNqpD7i5wbVLG2+gjLyQOOZs2fSxV6nU8\
t7LEx2/RU1hvqU+78Yqj0Oi9MjFtObZpbYJDmC5zy86vl+WVH5f985P87//bXAGGsO+WAAYAAA==
empty_java_database() {
  mkdir -p "$1/java-db"
  base64 -d <<<"$java_database" | gunzip >"$1/java-db/trivy-java.db"
  echo '{"Version":1,"NextUpdate":"2099-01-01T00:00:00Z","UpdatedAt":"2024-01-01T00:00:00Z","DownloadedAt":"2024-01-01T00:00:00Z"}' \
    >"$1/java-db/metadata.json"
}

# The command that lists what is in an image as CycloneDX, in the array `command`.
command_of() {
  local layout=$2 document=$3
  case $1 in
    floor-walk) command=("$floor" --bench --floor walk "$layout") ;;
    floor-hash) command=("$floor" --bench --floor hash "$layout") ;;
    assay) command=("$assay" sbom "oci:$layout" -o "cyclonedx=$document") ;;
    trivy) command=("$(peer trivy)" image --quiet --input "$layout" --cache-dir "$home/trivy" --skip-db-update --skip-java-db-update
      --offline-scan --disable-telemetry --skip-version-check --format cyclonedx --output "$document") ;;
    syft) command=("$(peer syft)" scan --quiet "oci-dir:$layout" --output "cyclonedx-json=$document") ;;
    *) echo "no program is called $1" >&2; exit 2 ;;
  esac
}

fresh() {
  rm -rf "$home"
  mkdir -p "$home/tmp" "$home/.local/state/assay"
  empty_java_database "$home/trivy"
}

# Runs the command and prints CPU seconds, wall seconds and KiB.
measured() {
  local figures=$home/figures
  env -i HOME="$home" TMPDIR="$home/tmp" PATH=/usr/bin:/bin SYFT_CHECK_FOR_APP_UPDATE=false \
    /usr/bin/time -f '%U %S %e %M' -o "$figures" taskset -c "$core" "$@" >/dev/null 2>"$home/said" || { cat "$home/said" >&2; return 1; }
  awk 'END { printf "%.3f\t%.3f\t%d", $1 + $2, $3, $4 }' "$figures"
}

# type name version, one line each, of a CycloneDX document.
found() {
  jq -r '.components[]? | select(.purl != null) | (.purl | split("/")[0] | ltrimstr("pkg:")) as $type
    | (if .group then "\(.group)/\(.name)" else .name end) as $name
    | ($name | if $type == "maven" then gsub("[/:]"; ":") elif $type == "pypi" then ascii_downcase | gsub("[-_.]+"; "-") else . end) as $name
    | ((.version // "") | if $type == "rpm" then sub("^[0-9]+:"; "") elif $name == "stdlib" then sub("^(go|v)"; "") else . end) as $version
    | "\($type) \($name) \($version)"' "$1" | LC_ALL=C sort -u
}

# The same of the truth: what has to be there, and then what may be.
truth() {
  jq -r --arg list "$2" '
    def rows($type): "\($type) \(.name) \(.version)";
    if $list == "required" then
      (.deb // [] | .[] | rows("deb")), (.apk // [] | .[] | rows("apk")), (.npm // [] | .[] | rows("npm")),
      (.rpm // [] | .[] | "rpm \(.name) \(.version)-\(.release)"),
      (.python // [] | .[] | .name |= (ascii_downcase | gsub("[-_.]+"; "-")) | rows("pypi")),
      (.rust // [] | .[] | rows("cargo")), (.go // [] | .[] | select(.version != "(devel)") | if .name == "stdlib" then .version |= ltrimstr("go") else . end | rows("golang")),
      (.jars // [] | .[].poms[] | split(":") | "maven \(.[0]):\(.[1]) \(.[2])")
    else
      (.package_json_other // [] | .[] | rows("npm")),
      (.python_vendored // [] | .[] | .name |= (ascii_downcase | gsub("[-_.]+"; "-")) | rows("pypi"))
    end' "$1" | LC_ALL=C sort -u
}

# Leaves out what may be listed under some version: what is known by the name of a jar that has no coordinates in it, and main
# modules of Go that were built without one.
by_name() {
  awk 'NR == FNR { names[$0]; next }
    { artifact = $2; sub(/.*:/, "", artifact) }
    $1 == "maven" && ((artifact "-" $3) in names || artifact in names) || $1 == "golang" && $2 in names { next }
    { print }' \
    <(jq -r '(.jars // [] | .[] | select(.poms == []) | .path | sub(".*[/!]"; "") | sub("[.][jwe]ar$"; "")),
      (.go // [] | .[] | select(.version == "(devel)") | .name)' "$1"; echo) -
}

for layout in "$images"/*.oci; do
  name=$(basename "$layout" .oci)
  [ -z "${ONLY:-}" ] || [[ " $ONLY " == *" $name "* ]] || continue
  for round in $(seq "$rounds"); do
    for program in $programs; do
      fresh
      command_of "$program" "$layout" "$out/$name.$program.json"
      printf '%s\t%s\t%s\t%s\n' "$name" "$program" "$round" "$(measured "${command[@]}")" | tee -a "$results" >&2
      # Once more over what this run left: with a store for Assay, which keeps what it knows only where there is one.
      case $program in
        trivy) printf '%s\t%s\t%s\t%s\n' "$name" trivy-warm "$round" "$(measured "${command[@]}")" >>"$results" ;;
        assay)
          fresh
          : >"$home/assay.db"
          command+=(--store "sqlite:$home/assay.db")
          measured "${command[@]}" >/dev/null
          printf '%s\t%s\t%s\t%s\n' "$name" assay-warm "$round" "$(measured "${command[@]}")" >>"$results"
          ;;
      esac
    done
  done
done

# Files that a run makes anywhere but where its document goes.
temporary() {
  fresh
  command_of "$1" "$2" "$out/traced.json"
  env -i HOME="$home" TMPDIR="$home/tmp" PATH=/usr/bin:/bin SYFT_CHECK_FOR_APP_UPDATE=false \
    strace -f -qq -e trace=openat,open,creat -o "$home/trace" "${command[@]}" >/dev/null 2>&1 || true
  sed -n '/ENOENT/d; s/.*"\([^"]*\)".*O_CREAT.*/\1/p' "$home/trace" | sed "\\#^$out/#d; \\#^/dev/#d" | LC_ALL=C sort -u | wc -l
}

{
  printf '| image | program | CPU s | to the walk | wall s | peak MB | packages | missing | beyond | files written |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n'
  for layout in "$images"/*.oci; do
    name=$(basename "$layout" .oci)
    [ -z "${ONLY:-}" ] || [[ " $ONLY " == *" $name "* ]] || continue
    truth "$images/$name.truth.json" required >"$out/.required"
    truth "$images/$name.truth.json" allowed >"$out/.allowed"
    walk=$(awk -F'\t' -v i="$name" '$1 == i && $2 == "floor-walk" { if (!m || $4 < m) m = $4 } END { print m + 0 }' "$results")
    for program in $(awk -F'\t' -v i="$name" '$1 == i && !seen[$2]++ { print $2 }' "$results"); do
        column() { awk -F'\t' -v i="$name" -v p="$program" -v c="$1" '$1 == i && $2 == p { print $c }' "$results" | sort -n; }
      cpu=$(column 4 | head -n 1) wall=$(column 5 | sed -n "$(((rounds + 1) / 2))p") peak=$(column 6 | sed -n "$(((rounds + 1) / 2))p")
      figures=$(awk -v c="$cpu" -v k="$walk" -v w="$wall" -v m="$peak" \
        'BEGIN { printf "%.2f | %s | %.2f | %d", c, (k > 0 ? sprintf("%.2f", c / k) : ""), w, m / 1024 }')
      document=$out/$name.$program.json listed='' missing='' beyond='' written=''
      if [ -s "$document" ]; then
        found "$document" >"$out/.found"
        # Only kinds that the truth speaks of: a tool may list more kinds than others.
        kinds=$(cut -d' ' -f1 "$out/.required" | sort -u | paste -sd'|')
        grep -E "^($kinds) " "$out/.found" >"$out/.kinds" || true
        listed=$(wc -l <"$out/.kinds")
        missing=$(LC_ALL=C comm -23 "$out/.required" "$out/.kinds" | tee "$out/$name.$program.missing" | wc -l)
        LC_ALL=C sort -u "$out/.required" "$out/.allowed" >"$out/.known"
        beyond=$(LC_ALL=C comm -13 "$out/.known" "$out/.kinds" | by_name "$images/$name.truth.json" | tee "$out/$name.$program.beyond" | wc -l)
        written=$(temporary "$program" "$layout")
      fi
      printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$name" "$program" "$figures" "$listed" "$missing" "$beyond" "$written"
    done
  done
} | tee "$out/table.md"
