#!/usr/bin/env bash
# The interop matrix: every client signs against a fresh instance of ours, and every
# client's verifier, ours included, judges every bundle.
#
#   usage: compose/interop/run.sh
#
# PARAPH_BIN names the folder of our binaries (default: the release build of this tree),
# PARAPH_CLIENTS the folder of the others (see fetch-clients.sh). Ends with 0 when no cell
# failed; the last line counts the cells.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../instance.sh
. "$here/../instance.sh"
# shellcheck source-path=SCRIPTDIR source=clients.sh
. "$here/clients.sh"

main() {
    prepare
    echo "instance at $origin, identity $IDENTITY"

    local producer
    for producer in "${PRODUCERS[@]}"; do
        run_row "$producer"
    done
    print_matrix
    [ "$failed" -eq 0 ]
}

# The clients, a scratch folder, and a running instance with a token for it.
prepare() {
    find_programs ca signer verifier
    find_clients

    scratch=$(mktemp -d "${TMPDIR:-/tmp}/paraph-interop.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # Clients keep caches and look for settings in the home folder and the environment.
    mkdir "$scratch/home" "$scratch/bundles"
    export HOME="$scratch/home" NO_PROXY=localhost,127.0.0.1,::1 no_proxy=localhost,127.0.0.1,::1
    unset "${!SIGSTORE_@}" "${!COSIGN_@}" "${!XDG_@}" "${!TUF_@}"

    start_instance "$scratch/instance" "$scratch/instance.log"
    public="$scratch/instance/public"
    issuer="$origin/oidc"
    "$programs/ca" token "$scratch/instance" --email "$IDENTITY" >"$scratch/token"
    write_files
}

# What is signed, a changed copy of it, and statements about it.
write_files() {
    local sum
    file="$scratch/artifact.txt"
    changed="$scratch/changed.txt"
    predicate="$scratch/predicate.json"
    statement="$scratch/statement.json"
    echo 'The quick brown fox signs for the lazy dog.' >"$file"
    echo 'The quick brown fox signs for the lazy dog!' >"$changed"
    sum=$(sha256sum "$file" | cut -d' ' -f1)
    cat >"$predicate" <<EOF
{"buildDefinition":{"buildType":"$origin/build","externalParameters":{},"resolvedDependencies":[]},"runDetails":{"builder":{"id":"$origin/builder"}}}
EOF
    cat >"$statement" <<EOF
{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"artifact.txt","digest":{"sha256":"$sum"}}],"predicateType":"$PREDICATE_TYPE","predicate":$(cat "$predicate")}
EOF
}

# One producer's bundle, then every verifier's judgement of it.
run_row() {
    local producer=$1 verifier bundle reason
    bundle="$scratch/bundles/$producer.json"
    cells["$producer signs"]=$(sign "$producer" "$bundle")
    for verifier in "${VERIFIERS[@]}"; do
        if [ "${cells["$producer signs"]}" != ok ]; then
            cells["$producer $verifier"]=skip
        elif reason=$(not_by_design "$producer" "$verifier"); then
            cells["$producer $verifier"]=n/a
            note "$producer, $verifier: $reason"
        else
            cells["$producer $verifier"]=$(judge "$producer" "$verifier" "$bundle")
        fi
    done
}

# sign PRODUCER BUNDLE: prints ok, skip or FAIL.
sign() {
    local producer=$1 bundle=$2 log="$scratch/log"
    if reason=$(missing "$producer"); then
        note "$producer: $reason"
        echo skip
    elif "sign_${producer//-/_}" "$bundle" >"$log" 2>&1 </dev/null && [ -s "$bundle" ]; then
        echo ok
    else
        note_failure "$producer could not sign" "$log"
        echo FAIL
    fi
}

# judge PRODUCER VERIFIER BUNDLE: the right file, identity and issuer are accepted, and each
# of the three, wrong by itself, is refused.
judge() {
    local producer=$1 verifier=$2 bundle=$3 log="$scratch/log" verdict=ok what
    # Our verifier must also say why.
    local -A code=(
        [changed file]='artifact-digest-differs|artifact-not-a-subject'
        [wrong identity]=subject-differs
        [wrong issuer]=issuer-differs
    )
    local -A with=(
        [changed file]="$changed|$IDENTITY|$issuer"
        [wrong identity]="$file|$STRANGER|$issuer"
        [wrong issuer]="$file|$IDENTITY|$issuer/other"
    )
    if reason=$(missing "$verifier"); then
        note "$verifier: $reason"
        echo skip
        return
    fi
    if ! check "$producer" "$verifier" "$bundle" "$file" "$IDENTITY" "$issuer" >"$log" 2>&1; then
        note_failure "$verifier refused a good bundle of $producer" "$log"
        verdict=FAIL
    fi
    for what in "${!with[@]}"; do
        local artifact identity from
        IFS='|' read -r artifact identity from <<<"${with[$what]}"
        if check "$producer" "$verifier" "$bundle" "$artifact" "$identity" "$from" >"$log" 2>&1; then
            note_failure "$verifier accepted a $what on the bundle of $producer" "$log"
            verdict=FAIL
        elif [ "$verifier" = verifier ] && [ "$status" -ne 12 ]; then
            note_failure "verifier refused a $what on the bundle of $producer with exit code $status, not 12" "$log"
            verdict=FAIL
        elif [ "$verifier" = verifier ] && ! grep -qE "\[(${code[$what]})\]" "$log"; then
            note_failure "verifier refused a $what on the bundle of $producer for another reason" "$log"
            verdict=FAIL
        elif [ "$status" -ge 124 ]; then
            note_failure "$verifier gave no judgement on a $what, bundle of $producer (exit code $status)" "$log"
            verdict=FAIL
        fi
    done
    echo "$verdict"
}

# check PRODUCER VERIFIER BUNDLE FILE IDENTITY ISSUER: $status is the verifier's exit code.
check() {
    local producer=$1 verifier=$2
    shift 2
    status=0
    "verify_with_${verifier//-/_}" "$@" </dev/null || status=$?
    return "$status"
}

# --- producers -------------------------------------------------------------------------

sign_signer() {
    bounded "$programs/signer" sign-blob "$file" --instance "$scratch/instance" \
        --identity-token "$scratch/token" --bundle "$1"
}

sign_cosign() {
    bounded "$clients/bin/cosign" sign-blob --yes --signing-config "$public/signing_config.v0.2.json" \
        --trusted-root "$public/trusted_root.json" --identity-token "$(cat "$scratch/token")" \
        --bundle "$1" "$file"
}

sign_sigstore_python() {
    bounded "$clients/python/bin/sigstore" --trust-config "$public/client_trust_config.json" sign \
        --identity-token "$(cat "$scratch/token")" --bundle "$1" "$file"
}

sign_sigstore_js() {
    bounded "$node" "$here/js/sign.mjs" "$clients/js" "$public/signing_config.v0.2.json" \
        "$scratch/token" "$1" message "$file"
}

sign_sigstore_go() {
    sigstore_go_signing "$1" "$file"
}

sign_cosign_attest() {
    bounded "$clients/bin/cosign" attest-blob --yes --signing-config "$public/signing_config.v0.2.json" \
        --trusted-root "$public/trusted_root.json" --identity-token "$(cat "$scratch/token")" \
        --predicate "$predicate" --type "$PREDICATE_TYPE" --bundle "$1" "$file"
}

sign_sigstore_python_attest() {
    bounded "$clients/python/bin/sigstore" --trust-config "$public/client_trust_config.json" attest \
        --identity-token "$(cat "$scratch/token")" --predicate "$predicate" \
        --predicate-type "$PREDICATE_TYPE" --bundle "$1" "$file"
}

sign_sigstore_js_attest() {
    bounded "$node" "$here/js/sign.mjs" "$clients/js" "$public/signing_config.v0.2.json" \
        "$scratch/token" "$1" statement "$statement"
}

sign_sigstore_go_attest() {
    sigstore_go_signing "$1" -in-toto "$statement"
}

# It prints its one-use key before the bundle, which is one line of JSON.
sigstore_go_signing() {
    local bundle=$1
    shift
    bounded "$clients/bin/sigstore-go-signing" -id-token "$(cat "$scratch/token")" \
        -signing-config "$public/signing_config.v0.2.json" -trusted-root "$public/trusted_root.json" \
        -rekor -tsa "$@" >"$bundle.out" || return
    sed -n '/^{/p' "$bundle.out" >"$bundle"
}

# --- what can't be, and why ------------------------------------------------------------

# Succeeds, and prints why, where a client refuses another's bundles whoever the server is.
not_by_design() {
    case "$1 $2" in
        'cosign-attest sigstore-python')
            echo "cosign writes in-toto Statement v0.1, sigstore-python reads v1 alone" ;;
        *) return 1 ;;
    esac
}

# --- the report ------------------------------------------------------------------------

print_matrix() {
    local producer column
    passed=0 failed=0 skipped=0
    echo
    echo "Down: who signed. Across: signing, then who verified; a cell is ok when the bundle is"
    echo "accepted, and refused for a changed file, a wrong identity and a wrong issuer. Where"
    echo "nothing was signed there is nothing to verify."
    echo
    printf '%-24s' ''
    printf '%-17s' signs "${VERIFIERS[@]}"
    echo
    for producer in "${PRODUCERS[@]}"; do
        printf '%-24s' "$producer"
        for column in signs "${VERIFIERS[@]}"; do
            printf '%-17s' "${cells["$producer $column"]}"
            case "${cells["$producer $column"]}" in
                ok) passed=$((passed + 1)) ;;
                skip) skipped=$((skipped + 1)) ;;
                n/a) ;;
                *) failed=$((failed + 1)) ;;
            esac
        done
        echo
    done
    echo
    print_notes
    echo "$passed passed, $failed failed, $skipped skipped"
}

clean_up() {
    local status=$?
    stop_instance
    rm -rf "$scratch"
    exit "$status"
}

declare -A cells
failed=0

PRODUCERS=(
    signer cosign sigstore-python sigstore-js sigstore-go
    cosign-attest sigstore-python-attest sigstore-js-attest sigstore-go-attest
)
VERIFIERS=(verifier cosign sigstore-python sigstore-js sigstore-go)

IDENTITY=alice@example.com
STRANGER=mallory@example.com

# rotate.sh uses the same clients.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
fi
