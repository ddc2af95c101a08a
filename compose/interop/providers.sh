# shellcheck shell=bash disable=SC2034,SC2154
# Who says who somebody is, and the browser that they are asked in. Sourced by sign-in.sh and
# screenshots.sh, never run by itself.
#
#   find_browser             sets $chromium; empty, with the reason in $no_browser, without one
#   start_dex CALLBACK       real Dex with the user alice@example.com; sets $dex, its issuer
#   start_stand_ins URL...   stand-ins of GitHub and Google; sets $github and $google
#   serve_with_sign_in DIR LOG    `ca serve` with a connector for each of the three; sets $origin
#   stop_providers           ends what these started, but for the instance (stop_instance)
#   plan PROVIDER MEMBERS    the JSON that browser/walk.mjs takes, with members of your own
#   drive PLAN               runs browser/sign-in.mjs

find_browser() {
    local name
    no_browser=
    for name in "${PARAPH_CHROMIUM:-chromium}" chromium-browser google-chrome; do
        if chromium=$(command -v "$name"); then
            return
        fi
    done
    chromium=
    no_browser='there is no chromium'
    echo "SKIPPED chromium: $no_browser"
}

# Succeeds, and prints why, when a cell can't be tried.
missing_for() {
    local client=$1 provider=$2
    if [ -n "$no_browser" ]; then
        echo "$no_browser"
    elif [ -s "$clients/skipped/browser-driver" ]; then
        cat "$clients/skipped/browser-driver"
    elif [ "$provider" = dex ] && [ -s "$clients/skipped/dex" ]; then
        cat "$clients/skipped/dex"
    else
        missing "$client"
    fi
}

start_dex() {
    local port turn=0
    port=$(free_port)
    dex="http://127.0.0.1:$port/dex"
    # The hash is of the word below, by bcrypt with the least cost that Dex takes.
    cat >"$scratch/dex.yaml" <<EOF
issuer: $dex
storage: {type: memory}
web: {http: "127.0.0.1:$port"}
logger: {level: error}
enablePasswordDB: true
staticPasswords:
  - email: alice@example.com
    hash: '$DEX_HASH'
    username: alice
    userID: 08a8684b-db88-4b73-90a9-3cd1661f5466
  - email: mallory@example.org
    hash: '$DEX_HASH'
    username: mallory
    userID: 18a8684b-db88-4b73-90a9-3cd1661f5466
staticClients:
  - id: paraph
    name: Paraph
    secret: correct-horse-battery-staple
    redirectURIs: ["$1"]
EOF
    "$clients/bin/dex" serve "$scratch/dex.yaml" >"$scratch/dex.log" 2>&1 </dev/null &
    provider_pids+=("$!")
    while ! answers "$dex/.well-known/openid-configuration"; do
        turn=$((turn + 1))
        [ "$turn" -lt 200 ] || return 1
        sleep 0.05
    done
}

start_stand_ins() {
    local url turn=0 arguments=()
    for url in "$@"; do
        arguments+=(--redirect-uri "$url")
    done
    : >"$scratch/providers.out"
    "$(stand_ins)" --client-id paraph --client-secret correct-horse-battery-staple \
        "${arguments[@]}" >"$scratch/providers.out" 2>"$scratch/providers.log" </dev/null &
    provider_pids+=("$!")
    while [ "$(grep -c '^g' "$scratch/providers.out")" -ne 2 ]; do
        turn=$((turn + 1))
        [ "$turn" -lt 200 ] || return 1
        sleep 0.05
    done
    github=$(sed -n 's/^github //p' "$scratch/providers.out")
    google=$(sed -n 's/^google //p' "$scratch/providers.out")
}

# The addresses are known before the providers are: they must register where people come back to.
serve_with_sign_in() {
    local folder=$1 log=$2 port
    port=$(free_port)
    origin="http://localhost:$port"
    start_stand_ins "$origin/oidc/callback/github" "$origin/oidc/callback/google" || return
    "$programs/ca" init "$folder" --listen "127.0.0.1:$port" >"$log.init" 2>&1 || return
    sed -i "s/^metrics = .*/metrics = \"127.0.0.1:$(free_port)\"/" "$folder/ca.toml"
    (umask 077 && echo correct-horse-battery-staple >"$folder/keys/sign-in.secret")
    cat >>"$folder/ca.toml" <<EOF

[sign_in]
EOF
    if [ ! -s "$clients/skipped/dex" ]; then
        start_dex "$origin/oidc/callback/dex" || return
        connector dex oidc "name = \"Dex\"
issuer = \"$dex\"" >>"$folder/ca.toml"
    fi
    connector github github "url = \"$github\"" >>"$folder/ca.toml"
    connector google google "issuer = \"$google\"
hosted_domains = [\"example.com\"]" >>"$folder/ca.toml"
    run_instance "$log" serve "$folder"
}

connector() {
    cat <<EOF

[[sign_in.connector]]
id = "$1"
type = "$2"
client_id = "paraph"
client_secret_file = "keys/sign-in.secret"
$3

[[sign_in.connector.allow]]
email_domain = "example.com"
EOF
}

# The program, of our own build: it is not among what is released.
stand_ins() {
    local tree
    tree=$(cd "$here/../.." && pwd)
    if [ ! -x "$programs/providers" ]; then
        (cd "$tree" && cargo build --quiet --locked -p providers) >&2
        echo "${CARGO_TARGET_DIR:-$tree/target}/debug/providers"
    else
        echo "$programs/providers"
    fi
}

stop_providers() {
    local pid
    for pid in "${provider_pids[@]}"; do
        give_up_on "$pid"
    done
    provider_pids=()
}

# A function that runs in the background is a shell, whose one child is the program.
give_up_on() {
    pkill -TERM -P "$1" 2>/dev/null || true
    kill -TERM "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# The account and the name of the way on our page.
plan() {
    local provider=$1 account=${account:-alice} address
    case $account in
        mallory) address=mallory@example.org ;;
        *) address=$account@example.com ;;
    esac
    printf '{"origin":"%s",' "$origin"
    case $provider in
        development) printf '"provider":"Development","account":"%s"' "$address" ;;
        dex) printf '"provider":"Dex","account":"%s","password":"%s"' "$address" "$DEX_WORD" ;;
        github) printf '"provider":"GitHub","account":"Authorize as %s"' "$account" ;;
        google) printf '"provider":"Google","account":"Continue as %s"' "$address" ;;
    esac
    printf ',%s}' "$2"
}

drive() {
    bounded "$node" "$here/browser/sign-in.mjs" "$clients/browser" "$chromium" "$1"
}

answers() {
    python3 - "$1" <<'EOF'
import sys, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=1)
except OSError:
    sys.exit(1)
EOF
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

provider_pids=()
DEX_WORD='correct horse'
# shellcheck disable=SC2016
DEX_HASH='$2b$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu'
