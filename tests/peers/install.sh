#!/usr/bin/env bash
# Builds the programs of others that Assay is tried with, from their Go modules, each at the version that tests/peers/versions pins.
#   tests/peers/install.sh NAME...     prints the path of each program, in that order
# Into ${ASSAY_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/assay/peers}/NAME-VERSION/NAME; what is there is not built again.
# Needs Go 1.26 and the module proxy, and Python's pip for wheels. The module and build caches (1 to 4 GB) are folders of this
# call's own and are deleted at its end. Checksums are those of Go's checksum database: with that switched off nothing is built.
# postgresql is Debian's package instead, installed where there is none.
# KUBEBUILDER_ASSETS: programs in this folder (kube-apiserver, kubectl, etcd...) are taken as they are.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

fail() {
  printf 'tests/peers/install.sh: %s\n' "$1" >&2
  exit 1
}

# Sets name, way, module, version and package.
look_up() {
  IFS='|' read -r name way module version package < <(grep "^$1|" "$here/versions") || fail "no peer is called $1"
  if [ "$package" = . ]; then package=$module; else package=$module/$package; fi
}

# A step of a build, whose output is only shown when it fails.
step() {
  "$@" >>"$log" 2>&1 && return
  tail -n 20 "$log" >&2
  fail "$name $version could not be built: $*"
}

# The folder that all builds of this call share, made when the first one needs it.
prepare() {
  [ -z "$work" ] || return 0
  command -v go >/dev/null || fail "go is not installed, and $name is built from its Go module: https://go.dev/dl"
  [ "$(go env GOSUMDB)" != off ] || fail "GOSUMDB is off: peers are built from checked modules only"
  work=$(mktemp -d "${TMPDIR:-/tmp}/assay-peers.XXXXXX")
  # Whoever waits for us need not wait until all of it is deleted.
  trap 'exec 9>&-; rm -rf "$work" "$peers"/.arriving.$$' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  # Folders of modules are read-only otherwise, and could not be deleted.
  export GOFLAGS="-trimpath -buildvcs=false -modcacherw" CGO_ENABLED=0 GOWORK=off
  export GOMODCACHE=$work/modules GOCACHE=$work/build GOPATH=$work/path
  unset GONOSUMDB GONOSUMCHECK GOPRIVATE GOINSECURE GOBIN
}

# go.mod in the current folder, with the target's own language version, and a file that imports the package.
own_module() {
  step go mod download "$module@$version"
  target=$(go mod download -json "$module@$version" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
  printf 'module peers.local/%s\n\n%s\n\nrequire %s %s\n' "$name" "$(grep '^go ' "$target")" "$module" "$version" >go.mod
  printf '%s\n\npackage peer\n\nimport _ "%s"\n' "$2" "$package" >"$1"
}

build_direct() {
  step env GOBIN="$1" go install -ldflags "$flags" "$package@$version"
  # The program is named after its folder, which is the one above a major version.
  local built=${package%/v[0-9]}
  [ "${built##*/}" = "$name" ] || step mv "$1/${built##*/}" "$1/$name"
}

build_own() {
  own_module tools.go "//go:build tools"
  step go mod tidy
  step go build -ldflags "$flags" -o "$1/$name" "$package"
}

build_ours() {
  grep -q "^require $module $version\$" "$here/$name/go.mod" || fail "tests/peers/$name/go.mod does not require $module $version"
  step cp -r "$here/$name/." .
  step go mod tidy
  step go build -ldflags "$flags" -o "$1/$name" .
}

build_wheel() {
  command -v python3 >/dev/null || fail "python3 is not installed, and $name comes as a Python package"
  step python3 -m pip download --quiet --no-deps --only-binary :all: -d . "$module==$version"
  local wheel
  wheel=$(ls ./*.whl)
  printf '%s  %s\n' "${package#"$module"/}" "$wheel" >sums
  step sha256sum --check sums
  step python3 -m zipfile -e "$wheel" unpacked
  step mv unpacked/*.data/scripts/"$name" "$1/$name"
  step chmod 755 "$1/$name"
}

build_python() {
  command -v python3 >/dev/null || fail "python3 is not installed, and $name is a Python package"
  local list run
  IFS=: read -r list run <<<"${package#"$module"/}"
  step python3 -m pip install --quiet --require-hashes --only-binary :all: --target "$1/packages" -r "$here/$list"
  # Its own way of starting names the Python that installed it.
  printf '#!/bin/sh\nPYTHONPATH=$(dirname "$0")/packages exec python3 -m %s "$@"\n' "$run" >"$1/$name"
  step chmod 755 "$1/$name"
}

build_replaced() {
  own_module tools.go "//go:build tools"
  {
    printf 'replace (\n'
    # Each is one line, alone or in a block; those of folders beside the target mean nothing here.
    sed -nE 's,^(replace)?\s+(\S+( v\S+)? => \S+ v\S+).*$,\t\2,p' "$target"
    printf ')\n'
  } >>go.mod
  step go mod tidy
  step go build -ldflags "$flags" -o "$1/$name" "$package"
}

build_test() {
  own_module peer_test.go ""
  # Modules of older versions of the language list too little for a tidy graph.
  step go mod edit -go=1.21
  step go mod tidy
  step go test -c -ldflags "$flags" -o "$1/$name" "$package"
}

build_kubernetes() {
  own_module tools.go "//go:build tools"
  local minor=${version#v1.} stamp=k8s.io/component-base/version
  {
    grep '^godebug' "$target" || true
    printf 'replace (\n'
    sed -nE "s,^\s+(k8s.io/[a-z0-9-]+) v0\.0\.0\$,\t\1 => \1 v0.$minor,p" "$target"
    printf ')\n'
  } >>go.mod
  step go mod tidy
  flags+=" -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}"
  flags+=" -X $stamp.gitCommit=unknown -X $stamp.buildDate=1970-01-01T00:00:00Z"
  step go build -ldflags "$flags" -o "$1/$name" "$package"
}

# What Debian packs: the newest that is installed, or its package. Sets program.
debian() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sort -V | tail -n 1)
  if [ -z "$found" ]; then
    command -v apt-get >/dev/null || fail "$name is not installed, and there is no apt-get to install it with"
    printf 'installing %s\n' "$module-$version" >&2
    apt-get install -y -q --no-install-recommends "$module-$version" >&2 || fail "$module-$version could not be installed"
    found=$(ls -d /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
  fi
  program=$found
}

install() {
  look_up "$1"
  local program
  if [ "$way" = debian ]; then
    debian
    printf '%s\n' "$program"
    return
  fi
  local folder=$peers/$name-$version started=$SECONDS flags="-s -w"
  program=$folder/$name
  if [ -x "${KUBEBUILDER_ASSETS:-/nowhere}/$name" ]; then
    program=$KUBEBUILDER_ASSETS/$name
  elif [ ! -x "$program" ]; then
    # One builds; whoever comes meanwhile waits, and finds it there.
    exec 9>"$peers/.$name-$version.lock"
    flock 9
    if [ ! -x "$program" ]; then
      prepare
      printf 'building %s %s\n' "$name" "$version" >&2
      log=$work/$name.log
      mkdir -p "$work/$name/source" "$work/$name/bin"
      cd "$work/$name/source"
      "build_$way" "$work/$name/bin"
      # A folder appears by one rename: it is whole or not there.
      local arriving=$peers/.arriving.$$
      step mkdir -p "$arriving"
      step cp -r "$work/$name/bin/." "$arriving"
      step rm -rf "$folder"
      step mv -T "$arriving" "$folder"
      printf 'built %s %s in %s s\n' "$name" "$version" "$((SECONDS - started))" >&2
    fi
    exec 9>&-
  fi
  printf '%s\n' "$program"
}

[ $# -gt 0 ] || fail "name the peers to install: $(grep -o '^[a-z-]*' "$here/versions" | tr '\n' ' ')"
for peer in "$@"; do look_up "$peer"; done
peers=${ASSAY_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/assay/peers}
mkdir -p "$peers"
peers=$(cd "$peers" && pwd)
work=
for peer in "$@"; do install "$peer"; done
