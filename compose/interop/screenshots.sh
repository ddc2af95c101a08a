#!/usr/bin/env bash
# Pictures of every page of a sign-in, light and dark, on a desktop and on a phone: to be looked
# at, and not to be kept in git.
#
#   usage: compose/interop/screenshots.sh FOLDER
#
# PARAPH_BIN, PARAPH_CLIENTS, PARAPH_CHROMIUM: as in sign-in.sh.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../instance.sh
. "$here/../instance.sh"
# shellcheck source-path=SCRIPTDIR source=clients.sh
. "$here/clients.sh"
# shellcheck source-path=SCRIPTDIR source=providers.sh
. "$here/providers.sh"

main() {
    local folder=${1:?usage: screenshots.sh FOLDER} reason
    find_programs ca
    find_clients
    find_browser
    if reason=$(missing_for verifier development); then
        echo "$reason" >&2
        exit 1
    fi
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/paraph-pictures.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    start_instance "$scratch/development" "$scratch/instance.log"
    pictures "$folder" "$(named development development)"
    stop_instance

    serve_with_sign_in "$scratch/served" "$scratch/served.log"
    pictures "$folder" \
        "$(named github github)" \
        "$(named google google)" \
        "$(named device github '"device":true')" \
        "$(named wrong-code github '"device":true,"mistype":true')" \
        "$(named denied github '"answer":"deny"')" \
        "$(named cancelled github '"answer":"cancel"')" \
        "$(account=victor named unverified github)" \
        "$(account=mallory named not-allowed google)" \
        "$(named bad-redirect github '"query":{"redirect_uri":"https://example.org/callback"}')" \
        "$(named no-pkce github '"query":{"code_challenge":""}')"
    [ "$failed" -eq 0 ]
}

named() {
    plan "$2" "\"name\":\"$1\"${3:+,$3}"
}

pictures() {
    local folder=$1 plans
    shift
    plans=$(IFS=,; echo "[$*]")
    "$node" "$here/browser/screenshots.mjs" "$clients/browser" "$chromium" "$folder" "$origin" \
        "$plans" || failed=1
}

clean_up() {
    local status=$?
    stop_providers
    stop_instance
    rm -rf "$scratch"
    exit "$status"
}

failed=0

main "$@"
