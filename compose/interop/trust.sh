#!/usr/bin/env bash
# Trust by our own tools: an instance is trusted once, by its fingerprint, and what
# `verifier trust export` prints for other clients is run by them, line by line.
#
#   usage: compose/interop/trust.sh
#
# Reads PARAPH_BIN and PARAPH_CLIENTS as run.sh does. In the printed lines nothing is changed but
# the placeholders FILE, WHO, URL and TOKEN. Ends with 0 when no check failed; the last line
# counts the checks.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../instance.sh
. "$here/../instance.sh"
# shellcheck source-path=SCRIPTDIR source=clients.sh
. "$here/clients.sh"

main() {
    find_programs ca signer verifier
    find_clients
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/paraph-trust.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # Clients look for settings in the environment.
    export NO_PROXY=localhost,127.0.0.1,::1 no_proxy=localhost,127.0.0.1,::1
    unset "${!SIGSTORE_@}" "${!COSIGN_@}" "${!XDG_@}" "${!TUF_@}" "${!GITSIGN_@}" "${!GIT_@}" \
        "${!PARAPH_HOME@}"

    start_instance "$scratch/other" "$scratch/other.log"
    other_pid=$instance_pid other_origin=$origin
    start_instance "$scratch/instance" "$scratch/instance.log"
    issuer="$origin/oidc"
    public="$scratch/instance/public"
    file="$scratch/artifact.txt"
    echo 'The quick brown fox signs for the lazy dog.' >"$file"
    fingerprint=$(fingerprint_of "$scratch/instance")
    other_fingerprint=$(fingerprint_of "$scratch/other")
    "$programs/ca" trust "$scratch/instance" --file root >"$scratch/root.json" 2>/dev/null
    "$programs/ca" token "$scratch/instance" --email "$IDENTITY" >"$scratch/token"
    "$programs/ca" token "$scratch/other" --email "$IDENTITY" >"$scratch/other-token"
    make_paths
    echo "instance at $origin, fingerprint $fingerprint"
    echo

    cell 'another fingerprint is refused, and nothing is kept' verifier another_fingerprint
    cell 'so is none, where nobody can compare' verifier no_fingerprint
    cell 'the right one is trusted: list and show say so' verifier right_fingerprint
    cell 'signed and verified with no flag' verifier sign_and_verify
    cell 'verified with --offline, and nothing is sent' tracer sends_nothing

    local client
    for client in cosign gitsign sigstore-python sigstore-js; do
        cell "$client, the lines to run once" "$client" "set_up_${client//-/_}"
    done
    for client in cosign sigstore-python sigstore-js; do
        cell "$client, the lines that verify" "$client" verifies_with "$client"
        cell "$client, the lines that sign" "$client" signs_with "$client"
    done
    for client in policy-controller kyverno; do
        cell "$client, every key in its files" yaml keys_are_right "$client"
    done

    cell 'a name is of one instance' verifier name_is_taken
    cell 'two instances do not mix' verifier do_not_mix
    cell 'update follows a new root, and export keeps the pinned one' verifier follows_a_root
    cell 'remove forgets' verifier forgets

    echo
    print_notes
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

# Succeeds, and says why, when this machine has not what a check needs.
lacking() {
    case $1 in
        tracer) ! can_trace && ! can_unshare && echo 'neither strace nor unshare works here' ;;
        yaml) [ -z "$(python_with_yaml)" ] && echo 'no python here has the module yaml' ;;
        gitsign) ! command -v git >/dev/null && echo 'there is no git here' ;;
        *) return 1 ;;
    esac
}

can_trace() {
    strace -f -e trace=network -o /dev/null true 2>/dev/null
}

can_unshare() {
    unshare --map-root-user --net true 2>/dev/null
}

python_with_yaml() {
    local python
    for python in python3 "$clients/python/bin/python"; do
        if "$python" -c 'import yaml' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
}

fingerprint_of() {
    "$programs/ca" trust "$1" --file root 2>&1 >/dev/null | sed -n 's/^fingerprint //p'
}

# The printed lines name programs, and two of them are called `sigstore`.
make_paths() {
    local path="$scratch/path"
    mkdir -p "$path/cosign" "$path/gitsign" "$path/sigstore-python" "$path/sigstore-js"
    ln -s "$clients/bin/cosign" "$path/cosign/cosign"
    ln -s "$clients/bin/gitsign" "$path/gitsign/gitsign"
    ln -s "$clients/python/bin/sigstore" "$path/sigstore-python/sigstore"
    ln -s "$node" "$path/sigstore-js/node"
    ln -s "$clients/js/node_modules/.bin/sigstore" "$path/sigstore-js/sigstore"
}

# --- ours ------------------------------------------------------------------------------

# Our tools, which share one home.
ours() {
    local program=$1
    shift
    HOME="$scratch/homes/verifier" bounded "$programs/$program" "$@"
}

# Nothing but a folder may be there: no file, and no name.
nothing_is_kept() {
    [ -z "$(find "$scratch/homes/verifier" -type f)" ]
    names_are ''
}

# Exactly these lines are listed, and by both tools.
names_are() {
    local listed
    listed=$(ours verifier trust list)
    [ "$listed" = "$1" ]
    listed=$(ours signer trust list)
    [ "$listed" = "$1" ]
}

another_fingerprint() {
    refuses ours verifier trust "$origin" --fingerprint "${fingerprint//[0-7]/8}" 2>said
    cat said
    grep -q '\[fingerprint\]' said
    rm said
    nothing_is_kept
    # That of another instance is no better, although there is a root with it.
    refuses ours verifier trust "$origin" --fingerprint "$other_fingerprint"
    nothing_is_kept
}

no_fingerprint() {
    refuses ours verifier trust "$origin" 2>said
    cat said
    grep -q '\[not-compared\]' said
    grep -q "$fingerprint" said
    rm said
    nothing_is_kept
}

right_fingerprint() {
    local name
    name=$(ours verifier trust "$origin" --fingerprint "$fingerprint")
    names_are "$name $origin/ (default)"
    ours verifier trust show >shown
    cat shown
    [ "$(head -n 1 shown)" = "$name" ]
    grep -q "url  *$origin/\$" shown
    grep -q "fingerprint  *$fingerprint\$" shown
    grep -q 'root  *version 1$' shown
}

sign_and_verify() {
    SIGSTORE_ID_TOKEN=$(cat "$scratch/token") ours signer sign-blob "$file"
    verified_by_us "$file" "$IDENTITY"
    refuses verified_by_us "$file" "$STRANGER"
    copy_changed "$file"
    refuses verified_by_us "$scratch/changed.txt" "$IDENTITY"
}

verified_by_us() {
    ours verifier verify-blob "$1" --certificate-identity "$2" --certificate-oidc-issuer "$issuer" \
        "${@:3}"
}

# Another file beside the bundle of this one, as changed.txt.
copy_changed() {
    echo 'The quick brown fox signs for the lazy cat.' >"$scratch/changed.txt"
    cp "$1.sigstore.json" "$scratch/changed.txt.sigstore.json"
}

# No socket but those of a process with itself; that the tracer sees one is shown by `update`.
sends_nothing() {
    if can_trace; then
        traced verified_by_us "$file" "$IDENTITY" --offline
        [ ! -s network ]
        traced ours verifier trust update
        grep -q AF_INET network
    else
        programs=$(in_no_network) verified_by_us "$file" "$IDENTITY" --offline
        programs=$(in_no_network) refuses ours verifier trust update
    fi
}

# Runs our tools under strace; what they do on a network is in the file `network`.
traced() {
    local real=$programs programs="$scratch/traced"
    mkdir -p "$programs"
    printf '#!/bin/sh\nexec strace -f -e trace=network -o "%s/all" "%s/verifier" "$@"\n' \
        "$PWD" "$real" >"$programs/verifier"
    chmod +x "$programs/verifier"
    "$@"
    # strace's own words are in it too.
    cat all
    grep -E '(AF_INET|AF_NETLINK|connect\(|send)' all >network || true
}

# A folder with a verifier that has no network.
in_no_network() {
    mkdir -p "$scratch/no-network"
    printf '#!/bin/sh\nexec unshare --map-root-user --net "%s/verifier" "$@"\n' "$programs" \
        >"$scratch/no-network/verifier"
    chmod +x "$scratch/no-network/verifier"
    echo "$scratch/no-network"
}

# `ca dev` calls each instance the same.
name_is_taken() {
    refuses ours verifier trust "$other_origin" --fingerprint "$other_fingerprint" 2>said
    cat said
    grep -q '\[name-taken\]' said
    ours verifier trust show | grep -q "fingerprint  *$fingerprint\$"
}

do_not_mix() {
    local first both=(--certificate-identity "$IDENTITY" --certificate-oidc-issuer-regexp 'http://localhost:[0-9]+/oidc')
    first=$(ours verifier trust list | cut -d' ' -f1)
    ours verifier trust "$other_origin" --fingerprint "$other_fingerprint" --name other --no-default
    names_are "other $other_origin/"$'\n'"$first $origin/ (default)"
    echo 'Signed elsewhere.' >theirs.txt
    SIGSTORE_ID_TOKEN=$(cat "$scratch/other-token") ours signer sign-blob theirs.txt --instance other
    ours verifier verify-blob theirs.txt "${both[@]}" --instance other
    ours verifier verify-blob "$file" "${both[@]}" --instance "$first"
    # Each under the other's root, by name and by default.
    refuses_bundle ours verifier verify-blob theirs.txt "${both[@]}" --instance "$first"
    refuses_bundle ours verifier verify-blob theirs.txt "${both[@]}"
    refuses_bundle ours verifier verify-blob "$file" "${both[@]}" --instance other
    ours verifier trust default other
    refuses_bundle ours verifier verify-blob "$file" "${both[@]}"
    ours verifier trust default "$first"
    ours verifier verify-blob "$file" "${both[@]}"
}

follows_a_root() {
    local turn
    "$programs/ca" tuf root "$scratch/instance"
    # The server takes over what a command beside it published.
    for turn in $(seq 60); do
        ours verifier trust update
        ours verifier trust show >shown
        if grep -q 'root  *version 2$' shown; then
            break
        fi
        sleep 0.5
    done
    echo "after $turn turns:"
    cat shown
    grep -q 'root  *version 2$' shown
    grep -q "fingerprint  *$fingerprint\$" shown
    ours verifier trust export --for cosign --out "$PWD/again"
    cmp again/root.json "$scratch/root.json"
    verified_by_us "$file" "$IDENTITY"
}

forgets() {
    local first
    first=$(ours verifier trust list | sed -n 's/ .*(default)$//p')
    ours verifier trust remove "$first"
    names_are "other $other_origin/"
    refuses ours verifier trust show "$first"
    refuses verified_by_us "$file" "$IDENTITY" --instance "$first"
    refuses verified_by_us "$file" "$IDENTITY"
    ours verifier trust remove other
    names_are ''
}

# --- what is printed for other clients ----------------------------------------------------

# Exports for a client, and keeps the lines. The folder is given as one that depends on where the
# command runs, and the lines are run elsewhere.
export_for() {
    mkdir -p "$scratch/exported"
    (
        cd "$scratch/exported"
        ours verifier trust export --for "$1" --out "$1" >"$1.lines"
    )
    cat "$scratch/exported/$1.lines"
}

# run_lines VERDICT CLIENT PATTERN FILE WHO: each printed line that fits the pattern, by itself.
run_lines() {
    local verdict=$1 client=$2 pattern=$3 line filled found=
    while IFS= read -r line <&3; do
        filled=$(fill_in "$client" "$4" "$5" <<<"$line")
        echo "+ $filled"
        "$verdict" run_line "$client" "$filled" || return
        found=yes
    done 3< <(grep -E -- "$pattern" "$scratch/exported/$client.lines")
    [ -n "$found" ]
}

run_line() {
    # The `y` answers cosign, which asks before it signs.
    PATH="$scratch/path/$1:$PATH" bounded bash -euc "$2" <<<y
}

fill_in() {
    local token
    token=$(cat "$scratch/token")
    sed -e "s|\\bFILE\\b|$2|g" -e "s|\\bWHO\\b|$3|g" -e "s|\\bURL\\b|$issuer|g" -e "s|\\bTOKEN\\b|$token|g"
}

accepts() {
    "$@"
}

set_up_cosign() {
    export_for cosign
    run_lines accepts cosign '^cosign initialize ' - -
}

set_up_sigstore_python() {
    export_for sigstore-python
    run_lines accepts sigstore-python ' trust-instance ' - -
}

set_up_sigstore_js() {
    export_for sigstore-js
    # As after `npm install` there.
    ln -s "$clients/js/node_modules" node_modules
    run_lines accepts sigstore-js '^sigstore initialize ' - -
}

# All its lines at once, in a repository: some of them set variables for others.
set_up_gitsign() {
    export_for gitsign
    git init --quiet repository
    cd repository
    {
        cat "$scratch/exported/gitsign.lines"
        # shellcheck disable=SC2016 # The shell that runs it has them.
        echo 'cat "$SIGSTORE_ROOT_FILE" "$SIGSTORE_REKOR_PUBLIC_KEY" "$SIGSTORE_CT_LOG_PUBLIC_KEY_FILE" >../keys'
    } >../lines
    PATH="$scratch/path/gitsign:$PATH" bounded bash -eu ../lines
    [ "$(git config gitsign.fulcio)" = "$origin" ]
    [ "$(git config gitsign.issuer)" = "$issuer" ]
    [ "$(git config gitsign.clientID)" = sigstore ]
    [ "$(git config gpg.x509.program)" = gitsign ]
    grep -q 'BEGIN CERTIFICATE' ../keys
    python3 "$here/exported.py" gitsign "$scratch/exported/gitsign" "$public/trusted_root.json"
}

# What `signer` signed with no flag is accepted by every printed line that verifies; a changed
# file and another identity by none.
verifies_with() {
    run_lines accepts "$1" "$VERIFY" "$file" "$IDENTITY"
    copy_changed "$file"
    run_lines refuses "$1" "$VERIFY" "$scratch/changed.txt" "$IDENTITY"
    run_lines refuses "$1" "$VERIFY" "$file" "$STRANGER"
}

# Every printed line that signs makes a bundle that we and the client verify.
signs_with() {
    signed="$PWD/signed.txt"
    echo "Signed with $1." >"$signed"
    client=$1
    SIGSTORE_ID_TOKEN=$(cat "$scratch/token")
    # The name that sigstore-python has for it.
    export SIGSTORE_ID_TOKEN SIGSTORE_IDENTITY_TOKEN=$SIGSTORE_ID_TOKEN
    run_lines makes_a_good_bundle "$1" "$SIGN" "$signed" -
}

makes_a_good_bundle() {
    rm -f "$signed.sigstore.json"
    "$@" || return
    verified_by_us "$signed" "$IDENTITY" || return
    run_lines accepts "$client" "$VERIFY" "$signed" "$IDENTITY"
}

keys_are_right() {
    export_for "$1"
    "$(python_with_yaml)" "$here/exported.py" "$1" "$scratch/exported/$1" "$public/trusted_root.json" \
        "$scratch/root.json" "$origin"
}

# ----------------------------------------------------------------------------------------

# Succeeds when the command judges, and says no.
refuses() {
    local status=0
    "$@" || status=$?
    [ "$status" -ne 0 ] && [ "$status" -lt 124 ]
}

# The same of our verifier, for a bundle that does not hold and for no other reason.
refuses_bundle() {
    local status=0
    "$@" || status=$?
    [ "$status" -eq 12 ]
}

clean_up() {
    local status=$?
    stop_instance
    instance_pid=${other_pid:-}
    stop_instance
    rm -rf "$scratch"
    exit "$status"
}

IDENTITY=alice@example.com
STRANGER=mallory@example.com
# Which of the printed lines verify, and which sign.
VERIFY='^(cosign verify-blob|sigstore( .*)? verify) '
SIGN='^(cosign sign-blob|sigstore( .*)? (sign|attest)|(SIGSTORE_ID_TOKEN=[^ ]* )?node) '
passed=0 failed=0 skipped=0 other_pid=

main "$@"
