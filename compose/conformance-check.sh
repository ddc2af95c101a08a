#!/usr/bin/env bash
# Tries compose/conformance, the client protocol of the conformance suite, on an instance of
# our own: each call that must succeed, and each that must fail for one reason.
#
#   usage: compose/conformance-check.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=instance.sh
. "$here/instance.sh"

main() {
    find_programs ca signer verifier
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/paraph-conformance.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    start_instance "$scratch/instance" "$scratch/instance.log"
    token=$("$programs/ca" token "$scratch/instance" --email alice@example.com)
    root="$scratch/instance/public/trusted_root.json"
    config="$scratch/instance/public/signing_config.v0.2.json"
    unset PARAPH_TRUSTED_ROOT PARAPH_SIGNING_CONFIG
    cd "$scratch"
    echo 'to be signed' >a.txt
    echo 'not what was signed' >b.txt
    digest=sha256:$(sha256sum a.txt | cut -d' ' -f1)

    signing
    verifying
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

signing() {
    works 'sign with the instance in flags' sign-bundle --identity-token "$token" \
        --bundle flags.json --trusted-root "$root" --signing-config "$config" a.txt
    fails 'sign without an instance' 'no instance' sign-bundle --identity-token "$token" \
        --bundle none.json a.txt
    export PARAPH_TRUSTED_ROOT="$root" PARAPH_SIGNING_CONFIG="$config"
    works 'sign with the instance in the environment' sign-bundle --identity-token "$token" \
        --bundle environment.json a.txt
    unset PARAPH_TRUSTED_ROOT PARAPH_SIGNING_CONFIG
    fails 'sign with a token that is none' '' sign-bundle --identity-token not.a.token \
        --bundle none.json --trusted-root "$root" --signing-config "$config" a.txt
    fails 'sign an in-toto statement' in-toto sign-bundle --in-toto --identity-token "$token" \
        --bundle none.json --trusted-root "$root" --signing-config "$config" a.txt
    fails 'sign with an unknown argument' 'unknown argument' sign-bundle --sorcery a.txt
    if [ -e none.json ]; then
        count FAIL 'a failed signing leaves no bundle'
    else
        count ok 'a failed signing leaves no bundle'
    fi
}

verifying() {
    local who=(--certificate-identity alice@example.com --certificate-oidc-issuer "$origin/oidc")
    local with=(verify-bundle --bundle flags.json)
    local other
    other=sha256:$(sha256sum b.txt | cut -d' ' -f1)
    works 'verify a file' "${with[@]}" "${who[@]}" --trusted-root "$root" a.txt
    works 'verify a digest' "${with[@]}" "${who[@]}" --trusted-root "$root" "$digest"
    works 'verify a file with a space in its name' "${with[@]}" "${who[@]}" --trusted-root "$root" \
        "$(cp a.txt 'a file.txt' && echo 'a file.txt')"
    fails 'verify another file' '' "${with[@]}" "${who[@]}" --trusted-root "$root" b.txt
    fails 'verify another digest' '' "${with[@]}" "${who[@]}" --trusted-root "$root" \
        "$other"
    # From here on there is a file of that name, and only its content can make it verify.
    cp a.txt "$other"
    works 'take a file whose name is a digest for a file' "${with[@]}" "${who[@]}" \
        --trusted-root "$root" "$other"
    fails 'verify as another identity' alice@example.com "${with[@]}" --certificate-identity \
        mallory@example.com --certificate-oidc-issuer "$origin/oidc" --trusted-root "$root" a.txt
    fails 'verify with another issuer' "$origin/oidc" "${with[@]}" --certificate-identity \
        alice@example.com --certificate-oidc-issuer "$origin" --trusted-root "$root" a.txt
    fails 'verify with the built-in root, which is not ours' '' "${with[@]}" "${who[@]}" a.txt
    fails 'verify for staging without its root' staging verify-bundle --staging --bundle flags.json \
        "${who[@]}" a.txt
    fails 'verify without an identity' 'missing' "${with[@]}" --trusted-root "$root" a.txt
    fails 'verify with an unknown argument' 'unknown argument' "${with[@]}" --sorcery a.txt
}

works() {
    local what=$1
    shift
    if "$here/conformance" "$@" >out 2>&1 </dev/null; then
        count ok "$what"
    else
        count FAIL "$what"
        sed 's/^/    /' out
    fi
}

# fails WHAT REASON ARGUMENT...: REASON must be in what is said.
fails() {
    local what=$1 reason=$2
    shift 2
    if "$here/conformance" "$@" >out 2>&1 </dev/null; then
        count FAIL "$what: succeeded"
    elif [ ! -s out ] || ! grep -qF -- "$reason" out; then
        count FAIL "$what: the reason does not say '$reason'"
        sed 's/^/    /' out
    else
        count ok "refused: $what"
    fi
}

count() {
    printf '%-5s %s\n' "$1" "$2"
    if [ "$1" = ok ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

clean_up() {
    local status=$?
    stop_instance
    cd /
    rm -rf "$scratch"
    exit "$status"
}

passed=0 failed=0
main "$@"
