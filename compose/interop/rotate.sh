#!/usr/bin/env bash
# Rotated keys in unmodified clients: what each of them signed before a rotation and after it
# is judged by every one of them against the trust root as it is then.
#
#   usage: compose/interop/rotate.sh
#
# The issuing key and the artifact log's are rotated first, the CT log's and the timestamp
# authority's after them. Programs and clients as in run.sh. Ends with 0 when nothing failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=run.sh
. "$here/run.sh"

main() {
    prepare
    echo "instance at $origin, identity $IDENTITY"
    good=0 bad=0
    everyone_signs before
    rotate_key ca
    rotate_key log
    everyone_signs between
    everyone_judges
    rotate_key ct
    rotate_key tsa
    everyone_signs after
    everyone_judges
    if [ -s "$scratch/notes" ]; then
        sort -u "$scratch/notes"
    fi
    if [ -s "$scratch/failures" ]; then
        cat "$scratch/failures"
        tail -n 20 "$scratch/instance.log" | cut -c1-400
    fi
    echo "$good passed, $bad failed"
    [ "$bad" -eq 0 ] && [ "$good" -gt 0 ]
}

# Publishes a new key and, since nobody here keeps an old trust root, switches to it at once.
rotate_key() {
    echo "rotating $1"
    "$programs/ca" rotate "$1" "$scratch/instance" --wait 0
    stop_instance
    "$programs/ca" rotate "$1" "$scratch/instance"
    restart_instance "$scratch/instance" "$scratch/instance.log"
    "$programs/ca" token "$scratch/instance" --email "$IDENTITY" >"$scratch/token"
}

everyone_signs() {
    local when=$1 client bundle
    for client in "${CLIENTS[@]}"; do
        bundle="$scratch/bundles/$when $client.json"
        case $(sign "$client" "$bundle") in
            ok) good=$((good + 1)) ;;
            skip) rm -f "$bundle" ;;
            *)
                echo "FAIL: $client could not sign $when"
                rm -f "$bundle"
                bad=$((bad + 1))
                ;;
        esac
    done
}

everyone_judges() {
    local bundle verifier name
    for bundle in "$scratch/bundles/"*.json; do
        name=$(basename "$bundle" .json)
        for verifier in "${VERIFIERS[@]}"; do
            if missing "$verifier" >/dev/null; then
                note "$verifier: $(missing "$verifier")"
            elif check "${name#* }" "$verifier" "$bundle" "$file" "$IDENTITY" "$issuer" >"$scratch/log" 2>&1; then
                good=$((good + 1))
            else
                echo "FAIL: $verifier refused what was signed $name"
                note_failure "$verifier on $name" "$scratch/log"
                bad=$((bad + 1))
            fi
        done
    done
}

CLIENTS=(signer cosign sigstore-python sigstore-js sigstore-go)

main "$@"
