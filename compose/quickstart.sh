#!/usr/bin/env bash
# The whole of Paraph in one run: a private instance, a signed file, a verdict.
#
#   usage: compose/quickstart.sh [FILE]
#
# Builds our programs (unless PARAPH_BIN names a folder that has them), starts an instance
# in a temporary folder, signs FILE, or one made for the purpose, as a development identity,
# verifies it, and shows what is refused. FILE is only read. When the script ends, nothing
# runs and nothing is left behind.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=instance.sh
. "$here/instance.sh"

IDENTITY=alice@example.com
STRANGER=mallory@example.com
# Part of the identity: a verifier that searched in it, as several do, would be content.
PATTERN='alice@example'
REFUSED=12

main() {
    choose_file "$@"
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/paraph-quickstart.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if [ -z "$file" ]; then
        file="$scratch/hello.txt"
        echo 'Hello from Paraph.' >"$file"
    fi

    build
    say 'Start a private instance: certificate authority, transparency logs, timestamps.'
    start_instance "$scratch/instance" "$scratch/instance.log" || fail 'The instance did not start.'
    "$programs/ca" token "$scratch/instance" --email "$IDENTITY" >"$scratch/token" ||
        fail 'The instance gave no token.'
    told "ready at $origin"

    sign
    verify
    refuse
    say 'Stop the instance and remove its folder.'
}

choose_file() {
    case $# in
        0) file='' ;;
        1) file=$1 ;;
        *) fail 'One file at a time: compose/quickstart.sh [FILE]' ;;
    esac
    case $file in
        -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
        -*) file=./$file ;;
    esac
    if [ -n "$file" ] && ! { [ -f "$file" ] && [ -r "$file" ]; }; then
        fail "'$file' is not a file that can be read."
    elif [ $# -eq 1 ] && [ -z "$file" ]; then
        fail 'The name of the file is empty.'
    fi
}

build() {
    if [ -z "${PARAPH_BIN:-}" ]; then
        say 'Build ca, signer and verifier (some minutes when it is the first time).'
        command -v cargo >/dev/null || fail 'There is no cargo: install Rust, and a C compiler beside it.'
        local quiet=--quiet
        if [ -t 2 ]; then
            # Cargo's progress, for who watches.
            quiet=
        fi
        # From the folder of the workspace, where rust-toolchain.toml is found.
        (cd "$here/.." && cargo build --release --locked ${quiet:+"$quiet"} -p ca -p signer -p verifier) ||
            fail 'The build failed, for the reason above.'
    fi
    find_programs ca signer verifier || fail 'The programs are not there.'
}

sign() {
    bundle="$scratch/bundle.sigstore.json"
    say "Sign '$file' as $IDENTITY, with a key that lives for this one signature."
    show signer sign-blob "$file" --instance INSTANCE --identity-token TOKEN --bundle BUNDLE
    "$programs/signer" sign-blob "$file" --instance "$scratch/instance" \
        --identity-token "$scratch/token" --bundle "$bundle" >"$scratch/out" 2>&1 ||
        fail 'The file was not signed:' "$scratch/out"
    [ -s "$bundle" ] || fail 'signer ended well but wrote no bundle.'
    told 'signed'
}

verify() {
    local issuer=$origin/oidc
    say 'Verify it: who signed, and where they signed in, are both pinned.'
    show verifier verify-blob "$file" --bundle BUNDLE --instance INSTANCE \
        --certificate-identity "$IDENTITY" --certificate-oidc-issuer "$issuer"
    judge "$file" --certificate-identity "$IDENTITY" || fail 'It was not accepted:' "$scratch/out"
    told "accepted: signed by $IDENTITY, who signed in at $issuer"
}

refuse() {
    local changed="$scratch/changed/${file##*/}"
    say 'The same bundle is refused for'
    mkdir "$scratch/changed"
    { cat "$file" && printf x; } >"$changed"
    refused 'a file changed by one byte' artifact-digest-differs '' \
        "$changed" --certificate-identity "$IDENTITY"
    refused "another identity ($STRANGER)" subject-differs "$IDENTITY" \
        "$file" --certificate-identity "$STRANGER"
    refused "a pattern that fits only a part ($PATTERN)" subject-matches-in-part "$IDENTITY" \
        "$file" --certificate-identity-regexp "$PATTERN"
}

# refused WHAT CODE NAMED ARGUMENT...: the verdict must be a refusal for the reason of that
# CODE, and what is said must contain NAMED.
refused() {
    local what=$1 code=$2 named=$3 status=0
    shift 3
    judge "$@" || status=$?
    [ "$status" -ne 0 ] || fail "BUT $what WAS ACCEPTED:" "$scratch/out"
    [ "$status" -eq "$REFUSED" ] || fail "For $what verifier ended with $status instead of $REFUSED:" "$scratch/out"
    grep -qF "[$code]" "$scratch/out" || fail "For $what the reason is not $code:" "$scratch/out"
    grep -qF -- "$named" "$scratch/out" || fail "For $what it is not said that $named was found:" "$scratch/out"
    told "$what:"
    sed '/^[[:space:]]*$/d; s/^/      | /' "$scratch/out"
}

# judge FILE ARGUMENT...: what verifier says goes to $scratch/out, its exit code is returned.
judge() {
    "$programs/verifier" verify-blob "$@" --bundle "$bundle" --instance "$scratch/instance" \
        --certificate-oidc-issuer "$origin/oidc" >"$scratch/out" 2>&1 </dev/null
}

say() {
    step=$((step + 1))
    printf '\n%d. %s\n' "$step" "$1"
}

show() {
    printf '   $'
    printf ' %q' "$@"
    printf '\n'
}

told() {
    printf '   %s\n' "$1"
}

# fail MESSAGE [FILE]: the file holds what a program said.
fail() {
    printf '\nquickstart: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then
        tail -n 20 "$2" >&2
    fi
    exit 1
}

clean_up() {
    local status=$?
    stop_instance
    rm -rf "$scratch"
    if [ "$status" -eq 0 ]; then
        printf '\nAll of it went as it should.\n'
    fi
    exit "$status"
}

step=0
main "$@"
