#!/usr/bin/env bash
# Signing in as people do: each client's own sign-in, driven in a real browser through the pages
# of our instance and of a provider, to a signature that verifies with its email and issuer.
#
#   usage: compose/interop/sign-in.sh
#
# PARAPH_BIN, PARAPH_CLIENTS: as in run.sh; the stand-ins of GitHub and Google (`providers`) are
# built when they are not there. PARAPH_CHROMIUM names the browser when it is not `chromium`.
# Ends with 0 when no cell failed; the last line counts the cells.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../instance.sh
. "$here/../instance.sh"
# shellcheck source-path=SCRIPTDIR source=clients.sh
. "$here/clients.sh"
# shellcheck source-path=SCRIPTDIR source=providers.sh
. "$here/providers.sh"

main() {
    find_programs ca signer verifier
    find_clients
    find_browser

    scratch=$(mktemp -d "${TMPDIR:-/tmp}/paraph-sign-in.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir "$scratch/home" "$scratch/bin" "$scratch/bundles"
    export HOME="$scratch/home" NO_PROXY=localhost,127.0.0.1,::1 no_proxy=localhost,127.0.0.1,::1
    unset "${!SIGSTORE_@}" "${!COSIGN_@}" "${!XDG_@}" "${!TUF_@}"
    file="$scratch/artifact.txt"
    echo 'The quick brown fox signs for the lazy dog.' >"$file"
    write_fake_browser

    start_instance "$scratch/development" "$scratch/instance.log"
    public="$scratch/development/public"
    issuer_of[development]="$origin/oidc"
    run_column development
    device_column development
    stop_instance

    serve_with_sign_in "$scratch/served" "$scratch/instance.log"
    public="$scratch/served/public"
    issuer_of[dex]=${dex:-}
    issuer_of[github]="$github/login/oauth"
    issuer_of[google]="$google"
    for provider in dex github google; do
        run_column "$provider"
    done
    device_column github
    run_refusals
    stop_instance

    print_matrix
    [ "$failed" -eq 0 ]
}

# What clients open instead of a browser: it leaves the address for the real one.
write_fake_browser() {
    cat >"$scratch/bin/xdg-open" <<'EOF'
#!/bin/sh
printf '%s\n' "$1" >"$PARAPH_URL_FILE.new" && mv "$PARAPH_URL_FILE.new" "$PARAPH_URL_FILE"
EOF
    chmod 755 "$scratch/bin/xdg-open"
    ln -s xdg-open "$scratch/bin/browser"
}

run_column() {
    local client
    for client in "${CLIENTS[@]}"; do
        cells["$client $1"]=$(browser_cell "$client" "$1")
    done
}

# browser_cell CLIENT PROVIDER: prints ok, skip or FAIL.
browser_cell() {
    local client=$1 provider=$2 log="$scratch/log" name="$1 by browser, $2" reason
    local bundle="$scratch/bundles/$client-$provider.json"
    if reason=$(missing_for "$client" "$provider"); then
        note "$name: $reason"
        echo skip
        return
    fi
    export PARAPH_URL_FILE="$scratch/url"
    rm -f "$PARAPH_URL_FILE"
    # No XDG_DATA_DIRS, since what an installed browser says of itself there goes before BROWSER.
    PATH="$scratch/bin:$PATH" BROWSER="$scratch/bin/browser" DISPLAY=:0 XDG_DATA_DIRS="$scratch/home" \
        "sign_in_with_${client//-/_}" "$bundle" >"$log" 2>&1 </dev/null &
    local pid=$!
    if ! drive "$(plan "$provider" "\"url_file\":\"$PARAPH_URL_FILE\",\"pid\":$pid,\"end\":\"client\"")" \
        >"$log.browser" 2>&1; then
        give_up_on "$pid"
        cat "$log" >>"$log.browser"
        note_failure "$name: the pages did not lead back to the client" "$log.browser"
        echo FAIL
    elif ! wait "$pid" || [ ! -s "$bundle" ]; then
        note_failure "$name: signed in, and did not sign" "$log"
        echo FAIL
    else
        judge "$client" "$provider" "$bundle" "$name"
    fi
}

device_column() {
    local client
    for client in "${DEVICE_CLIENTS[@]}"; do
        cells["$client, by code $1"]=$(device_cell "$client" "$1")
    done
}

# The client prints a code, which a person types into a browser somewhere else.
device_cell() {
    local client=$1 provider=$2 log="$scratch/log" name="$1 by code, $2" reason turn=0 said=
    local bundle="$scratch/bundles/$client-code-$provider.json"
    if reason=$(missing_for "$client" "$provider"); then
        note "$name: $reason"
        echo skip
        return
    fi
    "code_with_${client//-/_}" "$bundle" >"$log" 2>&1 </dev/null &
    local pid=$!
    until said=$(grep -oE '\b[A-Z0-9]{4}-[A-Z0-9]{4}\b' "$log" | head -n 1) && [ -n "$said" ]; do
        turn=$((turn + 1))
        if [ "$turn" -ge 200 ] || ! kill -0 "$pid" 2>/dev/null; then
            give_up_on "$pid"
            note_failure "$name: the client shows no code" "$log"
            echo FAIL
            return
        fi
        sleep 0.1
    done
    if ! drive "$(plan "$provider" "\"url\":\"$origin/oidc/device\",\"code\":\"$said\",\"end\":\"device\",$CAREFULLY")" \
        >"$log.browser" 2>&1; then
        give_up_on "$pid"
        note_failure "$name: the pages did not end well" "$log.browser"
        echo FAIL
    elif ! wait "$pid" || [ ! -s "$bundle" ]; then
        note_failure "$name: signed in, and did not sign" "$log"
        echo FAIL
    else
        judge "$client" "$provider" "$bundle" "$name"
    fi
}

# Each is a sign-in that ends on a page that says what was wrong, and without a bundle.
run_refusals() {
    refusal 'denied at GitHub' github alice deny problem 'did not sign you in'
    refusal 'cancelled on our page' github alice cancel client ''
    refusal 'an address that is not verified, GitHub' github victor yes problem 'verified'
    refusal 'an address that is not verified, Google' google victor yes problem 'verified'
    refusal 'another domain than the rules allow, GitHub' github mallory yes problem 'mallory@example.org'
    refusal 'an address of the domain, an account outside it, Google' google oscar yes problem ''
}

# refusal NAME PROVIDER ACCOUNT ANSWER END TEXT
refusal() {
    local name=$1 provider=$2 account=$3 log="$scratch/log" bundle="$scratch/bundles/refused.json" reason
    refusals+=("$name")
    if reason=$(missing_for cosign "$provider"); then
        note "$name: $reason"
        outcomes["$name"]=skip
        return
    fi
    export PARAPH_URL_FILE="$scratch/url"
    rm -f "$PARAPH_URL_FILE" "$bundle"
    PATH="$scratch/bin:$PATH" sign_in_with_cosign "$bundle" >"$log" 2>&1 </dev/null &
    local pid=$!
    outcomes["$name"]=ok
    if ! drive "$(plan "$provider" "\"url_file\":\"$PARAPH_URL_FILE\",\"pid\":$pid,\"answer\":\"$4\",\"end\":\"$5\",\"text\":\"$6\",$CAREFULLY")" \
        >"$log.browser" 2>&1; then
        note_failure "$name: not told on a page as it should be" "$log.browser"
        outcomes["$name"]=FAIL
    fi
    give_up_on "$pid"
    if [ -e "$bundle" ]; then
        note_failure "$name: signed all the same" "$log"
        outcomes["$name"]=FAIL
    fi
}

# Email and issuer are pinned, by our verifier and by the client's own; another issuer is refused.
judge() {
    local client=$1 bundle=$3 name=$4 log="$scratch/log" status=0 verifier
    local issuer=${issuer_of[$2]}
    for verifier in verifier "$client"; do
        [ "$verifier" != signer ] || continue
        if ! "verify_with_${verifier//-/_}" "$bundle" "$file" "$IDENTITY" "$issuer" >"$log" 2>&1 </dev/null; then
            note_failure "$name: $verifier refused the bundle" "$log"
            echo FAIL
            return
        fi
    done
    verify_with_verifier "$bundle" "$file" "$IDENTITY" "$issuer/other" >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 12 ] || ! grep -q '\[issuer-differs\]' "$log"; then
        note_failure "$name: another issuer was not refused for that (exit code $status)" "$log"
        echo FAIL
        return
    fi
    echo ok
}

# --- the clients, each with its own sign-in: BUNDLE ------------------------------------

sign_in_with_signer() {
    at_a_terminal "$programs/signer" sign-blob "$file" --instance "${public%/public}" --bundle "$1"
}

sign_in_with_cosign() {
    bounded "$clients/bin/cosign" sign-blob --yes --fulcio-auth-flow normal \
        --signing-config "$public/signing_config.v0.2.json" \
        --trusted-root "$public/trusted_root.json" --bundle "$1" "$file"
}

sign_in_with_sigstore_python() {
    bounded "$clients/python/bin/sigstore" --trust-config "$public/client_trust_config.json" sign \
        --bundle "$1" "$file"
}

# Without a display, which is all that it takes.
code_with_signer() {
    (
        unset DISPLAY WAYLAND_DISPLAY BROWSER
        sign_in_with_signer "$1"
    )
}

# It asks nobody without a terminal, and in a pipeline.
at_a_terminal() {
    env -u CI timeout 60 script --quiet --flush --return --command "$(printf '%q ' "$@")" /dev/null
}

code_with_cosign() {
    bounded "$clients/bin/cosign" sign-blob --yes --fulcio-auth-flow device \
        --signing-config "$public/signing_config.v0.2.json" \
        --trusted-root "$public/trusted_root.json" --bundle "$1" "$file"
}

# Its own command line takes no signing config: it signs in, and its libraries sign.
sign_in_with_sigstore_js() {
    local token="$scratch/token"
    PATH="${node%/*}:$PATH" CI=false bounded "$clients/js/node_modules/.bin/sigstore" token \
        --issuer "$origin/oidc" >"$token" || return
    bounded "$node" "$here/js/sign.mjs" "$clients/js" "$public/signing_config.v0.2.json" "$token" \
        "$1" message "$file"
}

# --- the report ------------------------------------------------------------------------

print_matrix() {
    local client column name
    passed=0 failed=0 skipped=0
    echo
    echo "Down: whose sign-in. Across: who said who it is. A cell is ok when the pages led to a"
    echo "bundle that verifies with email and issuer pinned, here and by the client's own verifier."
    echo
    printf '%-24s' ''
    printf '%-17s' "${COLUMNS_SHOWN[@]}"
    echo
    for client in "${CLIENTS[@]}" "${DEVICE_CLIENTS[@]/%/, by code}"; do
        printf '%-24s' "$client"
        for column in "${COLUMNS_SHOWN[@]}"; do
            printf '%-17s' "${cells["$client $column"]:-}"
            count "${cells["$client $column"]:-}"
        done
        echo
    done
    echo
    for name in "${refusals[@]}"; do
        printf 'refused: %-56s %s\n' "$name" "${outcomes["$name"]}"
        count "${outcomes["$name"]}"
    done
    echo
    print_notes
    echo "$passed passed, $failed failed, $skipped skipped"
}

count() {
    case $1 in
        ok) passed=$((passed + 1)) ;;
        skip) skipped=$((skipped + 1)) ;;
        '') ;;
        *) failed=$((failed + 1)) ;;
    esac
}

clean_up() {
    local status=$?
    stop_providers
    stop_instance
    rm -rf "$scratch"
    exit "$status"
}

declare -A cells issuer_of outcomes
refusals=()
failed=0

CLIENTS=(signer cosign sigstore-python sigstore-js)
DEVICE_CLIENTS=(signer cosign)
COLUMNS_SHOWN=(development dex github google)

IDENTITY=alice@example.com
# By keys alone, and with a look at what each of our pages is for those who do not see it.
CAREFULLY='"keyboard":true,"accessible":true'

main "$@"
