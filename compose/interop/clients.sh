# shellcheck shell=bash disable=SC2154
# The clients that were fetched, and how each of them verifies. Sourced by run.sh, sign-in.sh,
# tuf.sh and trust.sh, never run by itself.
#
#   find_clients             fetches them; sets $clients, their folder, and $node
#   missing CLIENT           succeeds, and prints why, when it can't take part
#   note, note_failure       keep a line, or a failure with the end of its log, in $scratch
#   print_notes              tells them
#   cell NAME NEEDS ACTION…  runs a check in a home folder of NEEDS, and counts it
#   verify_with_CLIENT BUNDLE FILE IDENTITY ISSUER
#
# The last needs $programs (instance.sh) and $public, the folder of the instance's trust root.

find_clients() {
    local here
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    "$here/fetch-clients.sh"
    clients=${PARAPH_CLIENTS:-$here/../../target/clients}
    clients=$(cd "$clients" && pwd)
    node="$clients/node/node_modules/node/bin/node"
}

missing() {
    local client=${1%-attest}
    case $client in
        signer | verifier) return 1 ;;
    esac
    [ -s "$clients/skipped/$client" ] && cat "$clients/skipped/$client"
}

verify_with_verifier() {
    bounded "$programs/verifier" verify-blob "$2" --bundle "$1" --certificate-identity "$3" \
        --certificate-oidc-issuer "$4" --trusted-root "$public/trusted_root.json" --offline
}

verify_with_cosign() {
    local command=(verify-blob)
    if grep -q '"dsseEnvelope"' "$1"; then
        command=(verify-blob-attestation --type "$PREDICATE_TYPE")
    fi
    bounded "$clients/bin/cosign" "${command[@]}" --bundle "$1" --certificate-identity "$3" \
        --certificate-oidc-issuer "$4" --trusted-root "$public/trusted_root.json" "$2"
}

verify_with_sigstore_python() {
    bounded "$clients/python/bin/sigstore" --trust-config "$public/client_trust_config.json" \
        verify identity --bundle "$1" --cert-identity "$3" --cert-oidc-issuer "$4" "$2"
}

verify_with_sigstore_js() {
    bounded "$node" "$here/js/verify.mjs" "$clients/js" "$public/trusted_root.json" "$1" "$3" "$4" "$2"
}

verify_with_sigstore_go() {
    bounded "$clients/bin/sigstore-go-verification" -trustedrootJSONpath "$public/trusted_root.json" \
        -artifact "$2" -expectedSAN "$3" -expectedIssuer "$4" "$1"
}

note() {
    echo "$1" >>"$scratch/notes"
}

note_failure() {
    {
        echo "$1:"
        tail -n 12 "$2" | cut -c1-400 | sed 's/^/    /'
    } >>"$scratch/failures"
}

# cell NAME NEEDS ACTION...: one line for what came out, counted in $passed, $failed or $skipped.
cell() {
    local name=$1 needs=$2 log="$scratch/log"
    shift 2
    if reason=$(missing "$needs" || lacking "$needs"); then
        note "SKIPPED $needs: $reason"
        skipped=$((skipped + 1))
        printf 'skip  %s\n' "$name"
        return
    fi
    # In the background, since `set -e` is off in a command that `if` looks at. Whatever a client
    # keeps between its checks is in a home folder of its own.
    at_home "$scratch/homes/$needs" "$@" >"$log" 2>&1 </dev/null &
    if wait "$!"; then
        passed=$((passed + 1))
        printf 'ok    %s\n' "$name"
    else
        failed=$((failed + 1))
        note_failure "$name" "$log"
        printf 'FAIL  %s\n' "$name"
    fi
}

# Runs a command in a home folder, for the rest of this process.
at_home() {
    mkdir -p "$1"
    export HOME=$1
    cd "$1" || exit
    shift
    "$@"
}

# What a cell needs besides clients; a script that needs more says it in a function of this name.
lacking() { return 1; }

# The notes and failures of the run, and what the instance said last when there are any.
print_notes() {
    if [ -s "$scratch/notes" ]; then
        sort -u "$scratch/notes"
        echo
    fi
    if [ -s "$scratch/failures" ]; then
        cat "$scratch/failures"
        echo "The instance's last words, if any:"
        tail -n 20 "$scratch/instance.log" | cut -c1-400 | sed 's/^/    /'
        echo
    fi
}

bounded() {
    timeout 60 "$@"
}

# What statements here say.
PREDICATE_TYPE=https://slsa.dev/provenance/v1
