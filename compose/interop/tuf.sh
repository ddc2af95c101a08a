#!/usr/bin/env bash
# Trust by TUF: every client is told the address of a fresh instance's repository and its first
# root, once, and then signs and verifies with no flag or file that says whom to trust.
#
#   usage: compose/interop/tuf.sh
#
# Reads PARAPH_BIN and PARAPH_CLIENTS as run.sh does. Ends with 0 when no check failed; the last
# line counts the checks.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../instance.sh
. "$here/../instance.sh"
# shellcheck source-path=SCRIPTDIR source=clients.sh
. "$here/clients.sh"

main() {
    find_programs ca signer verifier
    find_clients
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/paraph-tuf.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # Clients look for settings in the environment.
    export NO_PROXY=localhost,127.0.0.1,::1 no_proxy=localhost,127.0.0.1,::1
    unset "${!SIGSTORE_@}" "${!COSIGN_@}" "${!XDG_@}" "${!TUF_@}" "${!GITSIGN_@}"

    start_instance "$scratch/instance" "$scratch/instance.log"
    issuer="$origin/oidc"
    mirror="$origin/tuf"
    root="$scratch/root.json"
    file="$scratch/artifact.txt"
    echo 'The quick brown fox signs for the lazy dog.' >"$file"
    "$programs/ca" token "$scratch/instance" --email "$IDENTITY" >"$scratch/token"
    "$programs/ca" trust "$scratch/instance" --file root >"$root" 2>"$scratch/said"
    fingerprint=$(sed -n 's/^fingerprint //p' "$scratch/said")
    echo "instance at $origin, fingerprint $fingerprint"
    echo

    cell 'the fingerprint is that of 1.root.json' ca fingerprint_is_right
    local client
    for client in "${CLIENTS[@]}"; do
        cell "$client, told once" "$client" "use_${client//-/_}"
    done
    cell 'cosign refuses another fingerprint' cosign wrong_checksum
    cell 'cosign, told by the environment' cosign use_cosign_environment
    cell 'sigstore-python, told by a trust config' sigstore-python use_python_trust_config

    publish_second_root
    for client in "${CLIENTS[@]}"; do
        cell "$client, after a new root" "$client" "again_${client//-/_}"
    done

    echo
    print_notes
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

fingerprint_is_right() {
    [ "$(curl_quietly "$mirror/1.root.json" | sha256sum | cut -d' ' -f1)" = "$fingerprint" ]
    curl_quietly "$mirror/1.root.json" | cmp - "$root"
}

# The server takes over what a command beside it published.
publish_second_root() {
    local turn
    "$programs/ca" tuf root "$scratch/instance"
    for turn in $(seq 60); do
        curl_quietly "$mirror/2.root.json" >/dev/null && return
        sleep 0.5
    done
    echo "The server did not take over root 2 in $turn turns." >&2
    return 1
}

# --- ours ------------------------------------------------------------------------------

use_signer() {
    bounded "$programs/signer" trust "$origin" --fingerprint "$fingerprint"
    again_signer
}

again_signer() {
    SIGSTORE_ID_TOKEN=$(cat "$scratch/token") bounded "$programs/signer" sign-blob "$file" \
        --bundle signer.json
    signer_verify "$IDENTITY"
    refuses signer_verify "$STRANGER"
    rm signer.json
}

signer_verify() {
    bounded "$programs/verifier" verify-blob "$file" --bundle signer.json \
        --certificate-identity "$1" --certificate-oidc-issuer "$issuer"
}

# --- cosign 3 --------------------------------------------------------------------------

use_cosign() {
    cosign initialize --mirror "$mirror" --root "$mirror/1.root.json" --root-checksum "$fingerprint"
    again_cosign
}

again_cosign() {
    SIGSTORE_ID_TOKEN=$(cat "$scratch/token") cosign sign-blob --yes --bundle cosign.json "$file"
    cosign_verify "$IDENTITY"
    refuses cosign_verify "$STRANGER"
}

cosign_verify() {
    cosign verify-blob --bundle cosign.json --certificate-identity "$1" \
        --certificate-oidc-issuer "$issuer" "$file"
}

use_cosign_environment() {
    export TUF_MIRROR=$mirror TUF_ROOT_JSON=$root TUF_ROOT="$scratch/tuf-cache"
    at_home "$scratch/homes/environment" again_cosign
}

wrong_checksum() {
    at_home "$scratch/homes/nobody" refuses cosign initialize --mirror "$mirror" --root "$mirror/1.root.json" \
        --root-checksum "${fingerprint//[0-7]/8}"
}

cosign() {
    bounded "$clients/bin/cosign" "$@"
}

# --- cosign 2 and gitsign: they sign into a Rekor v1 log, which this instance has not ----

use_cosign_2() {
    cosign_2 initialize --mirror "$mirror" --root "$root" --root-checksum "$fingerprint"
    again_cosign_2
}

# All but the log: its keys come out of the repository one by one, and sign and verify without
# the variables that name key files.
again_cosign_2() {
    cosign_2 sign-blob --yes --tlog-upload=false --fulcio-url "$origin" \
        --timestamp-server-url "$origin/api/v1/timestamp" --identity-token "$(cat "$scratch/token")" \
        --output-certificate cosign-2.crt --output-signature cosign-2.sig \
        --rfc3161-timestamp cosign-2.tsr "$file"
    cosign_2_verify "$IDENTITY"
    refuses cosign_2_verify "$STRANGER"
}

cosign_2_verify() {
    cosign_2 verify-blob --insecure-ignore-tlog --use-signed-timestamps \
        --certificate cosign-2.crt --signature cosign-2.sig --rfc3161-timestamp cosign-2.tsr \
        --certificate-identity "$1" --certificate-oidc-issuer "$issuer" "$file"
}

cosign_2() {
    bounded "$clients/bin/cosign-2" "$@"
}

use_gitsign() {
    again_gitsign
}

again_gitsign() {
    bounded "$clients/bin/gitsign" initialize --mirror "$mirror" --root "$root"
}

# --- sigstore-python -------------------------------------------------------------------

use_sigstore_python() {
    sigstore --instance "$mirror" trust-instance "$root"
    again_sigstore_python
}

again_sigstore_python() {
    python_signs --instance "$mirror"
}

use_python_trust_config() {
    "$programs/ca" trust "$scratch/instance" >trust-config.json
    python_signs --trust-config trust-config.json
}

python_signs() {
    sigstore "$@" sign --overwrite --identity-token "$(cat "$scratch/token")" \
        --bundle python.json "$file"
    sigstore "$@" verify identity --bundle python.json --cert-identity "$IDENTITY" \
        --cert-oidc-issuer "$issuer" "$file"
    refuses sigstore "$@" verify identity --bundle python.json --cert-identity "$STRANGER" \
        --cert-oidc-issuer "$issuer" "$file"
}

sigstore() {
    bounded "$clients/python/bin/sigstore" "$@"
}

# --- sigstore-js: command line and library, on a bundle of its own -----------------------

use_sigstore_js() {
    sigstore_js initialize --mirror "$mirror" --root "$root" --cache-path cache
    again_sigstore_js
}

again_sigstore_js() {
    "$programs/ca" trust "$scratch/instance" --file signing-config >signing_config.json
    bounded "$node" "$here/js/sign.mjs" "$clients/js" signing_config.json "$scratch/token" js.json \
        message "$file"
    js_verify "$IDENTITY"
    refuses js_verify "$STRANGER"
    bounded "$node" "$here/js/tuf.mjs" "$clients/js" "$mirror" "$root" library >trusted_root.json
    bounded "$node" "$here/js/verify.mjs" "$clients/js" trusted_root.json js.json "$IDENTITY" \
        "$issuer" "$file"
}

js_verify() {
    sigstore_js verify js.json --blob-file "$file" --tuf-mirror-url "$mirror" \
        --tuf-root-path "$root" --tuf-cache-path cache --certificate-issuer "$issuer" \
        --certificate-identity-email "$1"
}

sigstore_js() {
    bounded "$node" "$clients/js/node_modules/.bin/sigstore" "$@"
}

# --- sigstore-go: its example program signs with files, and verifies by TUF --------------

use_sigstore_go() {
    again_sigstore_go
}

again_sigstore_go() {
    local public="$scratch/instance/public"
    bounded "$clients/bin/sigstore-go-signing" -id-token "$(cat "$scratch/token")" \
        -signing-config "$public/signing_config.v0.2.json" \
        -trusted-root "$public/trusted_root.json" -rekor -tsa "$file" >go.out
    sed -n '/^{/p' go.out >go.json
    go_verify "$IDENTITY"
    refuses go_verify "$STRANGER"
}

go_verify() {
    bounded "$clients/bin/sigstore-go-verification" -trustedrootJSONpath '' -tufRootURL "$mirror" \
        -tufTrustedRoot "$root" -artifact "$file" -expectedSAN "$1" -expectedIssuer "$issuer" go.json
}

# ----------------------------------------------------------------------------------------

# Succeeds when the command judges, and says no.
refuses() {
    local status=0
    "$@" || status=$?
    [ "$status" -ne 0 ] && [ "$status" -lt 124 ]
}

# There may be no curl; there is python3, for sigstore-python.
curl_quietly() {
    python3 -c 'import sys, urllib.request as r; sys.stdout.buffer.write(r.urlopen(sys.argv[1], timeout=10).read())' "$1" 2>/dev/null
}

clean_up() {
    local status=$?
    stop_instance
    rm -rf "$scratch"
    exit "$status"
}

IDENTITY=alice@example.com
STRANGER=mallory@example.com
CLIENTS=(signer cosign cosign-2 gitsign sigstore-python sigstore-js sigstore-go)
passed=0 failed=0 skipped=0

main "$@"
