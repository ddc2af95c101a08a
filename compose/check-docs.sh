#!/usr/bin/env bash
# Runs the commands of README.md and docs/*.md, each document in a folder of its own.
#
# Which blocks are run, and how, is said after the language of the block:
#   ```sh              must succeed
#   ```sh fails        must fail
#   ```sh background   runs until the document ends; must print `ready …` on standard output
# Blocks without a language, and of other languages, are not run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=instance.sh
. "$here/instance.sh"

main() {
    find_programs ca signer verifier
    export PATH="$programs:$PATH"
    unset SIGSTORE_ID_TOKEN
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/paraph-docs.XXXXXX")
    trap clean_up EXIT
    local document passed=0
    for document in "$here"/../README.md "$here"/../docs/*.md; do
        run_document "$document"
    done
    printf '%s passed, 0 failed\n' "$passed"
}

# Counts into $passed; ends the script at the first block that does not do what it says.
run_document() {
    local document=$1 name line kind='' block='' number=0 start=0 indent=''
    name=$(basename "$document")
    mkdir "$scratch/$name"
    cp "$here/../compose/compose.yaml" "$scratch/$name/" 2>/dev/null || true
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        if [ -z "$kind" ]; then
            # A block of a list is indented, and its lines are as far.
            indent=${line%%[![:space:]]*}
        fi
        line=${line#"$indent"}
        case $kind:$line in
            ':```sh' | ':```sh '*) kind=${line#'```'} block='' start=$number ;;
            ':'*) ;;
            *':```')
                run_block "$name" "$start" "$kind" "$block" "$scratch/$name"
                kind=''
                passed=$((passed + 1))
                ;;
            *) block+=$line$'\n' ;;
        esac
    done <"$document"
    stop_background
}

run_block() {
    local name=$1 number=$2 kind=$3 block=$4 folder=$5 status=0
    case $kind in
        'sh background')
            # What the document before said must not pass for this one's.
            : >"$scratch/out"
            (cd "$folder" && exec bash -c "exec ${block%$'\n'}") >"$scratch/out" 2>"$scratch/log" &
            instance_pid=$!
            wait_until_ready "$scratch/out" || broken "$name" "$number" 'it never said ready'
            ;;
        'sh fails')
            (cd "$folder" && bash -euo pipefail -c "$block") >"$scratch/log" 2>&1 || status=$?
            [ "$status" -ne 0 ] || broken "$name" "$number" 'it succeeded'
            ;;
        sh)
            (cd "$folder" && bash -euo pipefail -c "$block") >"$scratch/log" 2>&1 || status=$?
            [ "$status" -eq 0 ] || broken "$name" "$number" "it ended with $status"
            ;;
        *) broken "$name" "$number" "there is no kind of block called '$kind'" ;;
    esac
    printf 'ok  %s:%s (%s)\n' "$name" "$number" "$kind"
}

broken() {
    printf 'FAIL %s: the block at line %s: %s\n' "$1" "$2" "$3" >&2
    tail -n 20 "$scratch/log" >&2
    exit 1
}

stop_background() { stop_instance; }

clean_up() {
    stop_background
    rm -rf "$scratch"
}

main "$@"
