#!/usr/bin/env bash
# Gets the unmodified Sigstore clients, and Dex and the driver of the browser that sign-in.sh
# works with, into a cache folder; nothing is installed on the machine.
#
#   usage: compose/interop/fetch-clients.sh
#
# The folder is PARAPH_CLIENTS, or target/clients. Addresses come from the machine's own
# configuration of apt, go, pip and npm. What is there already is left alone. A client that
# can't be had is named in a line `SKIPPED <client>: <reason>`, which run.sh and sign-in.sh repeat.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(cd "$here/../.." && pwd)
cache=${PARAPH_CLIENTS:-$tree/target/clients}

main() {
    mkdir -p "$cache/bin" "$cache/skipped"
    cache=$(cd "$cache" && pwd)
    # Two runs may share the folder.
    if command -v flock >/dev/null; then
        exec 9>"$cache/.lock"
        flock 9
    fi
    echo "clients in $cache"
    get cosign "$COSIGN_DEB $COSIGN_SUM" get_cosign
    get cosign-2 "$COSIGN_2_DEB $COSIGN_2_SUM" get_cosign_2
    get gitsign "$GITSIGN_DEB $GITSIGN_SUM" get_gitsign
    get sigstore-go "$SIGSTORE_GO_DEB $SIGSTORE_GO_SUM" get_sigstore_go
    get sigstore-python "$PYTHON_VERSION" get_sigstore_python
    get node "$NODE_VERSION" get_node
    get sigstore-js "$NODE_VERSION $(cksum <"$here/js/package-lock.json")" get_sigstore_js
    get browser-driver "$NODE_VERSION $(cksum <"$here/browser/package-lock.json")" get_browser_driver
    get dex "$DEX_VERSION $DEX_API_VERSION" get_dex
}

# get CLIENT VERSION COMMAND: runs COMMAND unless VERSION is there.
# A command that fails leaves its reason in the file $reason.
get() {
    local client=$1 version=$2 command=$3
    local mark="$cache/.have-$client" log="$cache/$client.log"
    reason="$cache/skipped/$client"
    if [ -f "$mark" ] && [ "$(cat "$mark")" = "$version" ]; then
        echo "  $client: have it"
        return
    fi
    rm -f "$mark" "$reason"
    # In the background, since `set -e` is off in a command that `if` looks at.
    "$command" >"$log" 2>&1 9>&- </dev/null &
    if wait "$!"; then
        rm -f "$reason"
        printf '%s' "$version" >"$mark"
        echo "  $client: fetched"
    else
        [ -s "$reason" ] || echo "failed, see $log" >"$reason"
        echo "SKIPPED $client: $(cat "$reason")"
    fi
}

get_cosign() {
    from_pool "$COSIGN_DEB" "$COSIGN_SUM" cosign ||
        from_module "$COSIGN_MODULE" ||
        give_up "neither the Debian pool nor the Go module could be had"
    "$cache/bin/cosign" version
}

# Both majors in one folder: the older one is called cosign-2. The module would have the name
# of the newer one.
get_cosign_2() {
    from_pool "$COSIGN_2_DEB" "$COSIGN_2_SUM" cosign=cosign-2 ||
        give_up "the Debian pool's package could not be had"
    "$cache/bin/cosign-2" version
}

get_gitsign() {
    from_pool "$GITSIGN_DEB" "$GITSIGN_SUM" gitsign ||
        from_module "$GITSIGN_MODULE" ||
        give_up "neither the Debian pool nor the Go module could be had"
    "$cache/bin/gitsign" --version
}

get_sigstore_go() {
    local module
    if ! from_pool "$SIGSTORE_GO_DEB" "$SIGSTORE_GO_SUM" sigstore-go-signing sigstore-go-verification; then
        for module in "${SIGSTORE_GO_MODULES[@]}"; do
            from_module "$module" || give_up "neither the Debian pool nor the Go module could be had"
        done
    fi
    # They have no --version; without a file they print their flags and fail.
    local flags
    flags=$("$cache/bin/sigstore-go-signing" 2>&1 || true)
    [[ $flags == *-signing-config* ]]
    flags=$("$cache/bin/sigstore-go-verification" -h 2>&1 || true)
    [[ $flags == *-trustedrootJSONpath* ]]
}

get_sigstore_python() {
    command -v python3 >/dev/null || give_up "there is no python3"
    rm -rf "$cache/python"
    python3 -m venv "$cache/python" || give_up "python3 can't make a virtual environment"
    retry "$cache/python/bin/pip" install --quiet --disable-pip-version-check \
        "sigstore==$PYTHON_VERSION" || give_up "pip could not install sigstore $PYTHON_VERSION"
    "$cache/python/bin/sigstore" --version
}

# Node 24 is a package like any other; sigstore-js 5 refuses what older systems have.
get_node() {
    command -v npm >/dev/null || give_up "there is no npm"
    rm -rf "$cache/node"
    mkdir -p "$cache/node"
    local folder="$cache/node/node_modules"
    retry npm_quietly install --prefix "$cache/node" --no-save "node@$NODE_VERSION" || true
    if [ ! -x "$folder/node/bin/node" ]; then
        # Where install scripts are off: the package that the script would have fetched.
        local package
        package="node-$(uname -s | tr '[:upper:]' '[:lower:]')-$(machine_for_node)"
        retry npm_quietly install --prefix "$cache/node" --no-save "$package@$NODE_VERSION" ||
            give_up "npm could not install node $NODE_VERSION"
        mkdir -p "$folder/node"
        rm -rf "$folder/node/bin"
        ln -s "../$package/bin" "$folder/node/bin"
    fi
    [[ $("$folder/node/bin/node" --version) == v24.* ]]
}

get_sigstore_js() {
    [ ! -s "$cache/skipped/node" ] || give_up "there is no node 24"
    rm -rf "$cache/js"
    mkdir -p "$cache/js"
    cp "$here/js/package.json" "$here/js/package-lock.json" "$cache/js/"
    cd "$cache/js"
    PATH="$cache/node/node_modules/node/bin:$PATH"
    retry npm_quietly ci || give_up "npm could not install the sigstore libraries"
}

get_browser_driver() {
    [ ! -s "$cache/skipped/node" ] || give_up "there is no node 24"
    rm -rf "$cache/browser"
    mkdir -p "$cache/browser"
    cp "$here/browser/package.json" "$here/browser/package-lock.json" "$cache/browser/"
    cd "$cache/browser"
    PATH="$cache/node/node_modules/node/bin:$PATH"
    retry npm_quietly ci || give_up "npm could not install playwright-core and axe-core"
}

# `go install` refuses Dex: its module replaces its own API's module by a folder that is not in
# the module. So it is built in a copy that takes the API's module instead. It needs a C compiler,
# since its command names the SQLite store; unoptimised, for nothing here is kept in SQLite.
get_dex() {
    command -v go >/dev/null || give_up "there is no go"
    command -v cc >/dev/null || give_up "there is no C compiler"
    local source="$cache/dex.source" module
    rm -rf "$source"
    mkdir "$source"
    cd "$source"
    retry go mod download -json "$DEX_MODULE@$DEX_VERSION" >"$source.json" ||
        give_up "the Go module could not be had"
    module=$(sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p' "$source.json")
    cp -R "$module/." .
    chmod -R u+w .
    go mod edit -replace "$DEX_MODULE/api/v2=$DEX_MODULE/api/v2@$DEX_API_VERSION"
    CGO_ENABLED=1 CGO_CFLAGS='-O0 -w' retry go build -mod=mod -trimpath -o "$cache/bin/dex" ./cmd/dex ||
        give_up "Dex could not be built"
    cd "$cache"
    chmod -R u+w "$source"
    rm -rf "$source" "$source.json"
    "$cache/bin/dex" version
}

# from_pool DEB SUM PROGRAM[=NAME]...: out of a Debian package, unpacked and never installed. The
# programs need only libc, so a package of a newer Debian than this machine's will do.
from_pool() {
    local deb=$1 sum=$2 base file
    shift 2
    [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || return 1
    file="$cache/$(basename "$deb")"
    for base in $(pool_addresses); do
        if [ ! -f "$file" ] || ! echo "$sum  $file" | sha256sum --check --status; then
            retry "$APT_HELPER" download-file "${base%/}/$deb" "$file" "SHA256:$sum" || continue
        fi
        echo "$sum  $file" | sha256sum --check --status || continue
        rm -rf "$file.d"
        dpkg-deb -x "$file" "$file.d" || continue
        local program
        for program in "$@"; do
            install -m 755 "$file.d/usr/bin/${program%%=*}" "$cache/bin/${program#*=}"
        done
        rm -rf "$file.d" "$file"
        return 0
    done
    rm -f "$file"
    return 1
}

# Where this machine's apt gets Debian's own packages, else any packages.
pool_addresses() {
    local found
    # The dollar signs are apt's.
    # shellcheck disable=SC2016
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | sort -u)
    if [ -z "$found" ]; then
        # shellcheck disable=SC2016
        found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sort -u)
    fi
    echo "$found"
}

from_module() {
    command -v go >/dev/null || return 1
    GOBIN="$cache/bin" retry go install "$1"
}

retry() {
    local pause
    for pause in 2 5 ''; do
        if "$@"; then
            return 0
        fi
        [ -z "$pause" ] || sleep "$pause"
    done
    return 1
}

npm_quietly() {
    npm "$@" --no-audit --no-fund --no-update-notifier --loglevel error
}

machine_for_node() {
    case "$(uname -m)" in
        x86_64) echo x64 ;;
        aarch64) echo arm64 ;;
        *) uname -m ;;
    esac
}

give_up() {
    echo "$1" >"$reason"
    exit 1
}

APT_HELPER=/usr/lib/apt/apt-helper

COSIGN_DEB=pool/main/c/cosign/cosign_3.1.1-2_amd64.deb
COSIGN_SUM=d8622ebffce1d69197288fc030ff06a4c247af5507107f85c5a878870b686b23
COSIGN_MODULE=github.com/sigstore/cosign/v3/cmd/cosign@v3.1.1

COSIGN_2_DEB=pool/main/c/cosign/cosign_2.5.0-2+b4_amd64.deb
COSIGN_2_SUM=aef4fb6635710fd369ef73c07dde35540f45c877984e20f37aa11e181bb597c3

GITSIGN_DEB=pool/main/g/gitsign/gitsign_0.16.1-3_amd64.deb
GITSIGN_SUM=f7d3b09cc6a5a51d1380a3688c5b06686eb0f33e7785b587b6db9f65192e5a29
GITSIGN_MODULE=github.com/sigstore/gitsign@v0.16.1

SIGSTORE_GO_DEB=pool/main/s/sigstore-go/sigstore-go_1.3.0-1_amd64.deb
SIGSTORE_GO_SUM=9a316dbb069b370ffd47c1a0cd0b07b42d45575f1f623c0301ebdad4bb19d83d
SIGSTORE_GO_MODULES=(
    github.com/sigstore/sigstore-go/examples/sigstore-go-signing@v1.3.0
    github.com/sigstore/sigstore-go/examples/sigstore-go-verification@v1.3.0
)

# 2.41.1: the newest whose module can be had. Its own pin of the API module is older than its code.
DEX_MODULE=github.com/dexidp/dex
DEX_VERSION=v0.0.0-20240807174518-43956db7fd75
DEX_API_VERSION=v2.2.0

PYTHON_VERSION=4.5.1
NODE_VERSION=24.21.0

main "$@"
