# shellcheck shell=bash
# One private instance for the length of a script. Sourced by quickstart.sh,
# conformance-check.sh and interop/run.sh, never run by itself.
#
#   find_programs NAME...    sets $programs, the folder that holds our binaries
#   start_instance DIR LOG   `ca dev`; sets $instance_pid and $origin (http://localhost:PORT)
#   restart_instance DIR LOG the same on a folder that start_instance made
#   run_instance LOG ARGUMENT...  `ca` with other arguments, in the same way
#   stop_instance            ends the instance that this script started, no other

# The folder of the binaries: PARAPH_BIN, else the release build of this tree.
find_programs() {
    local tree name
    tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    programs=${PARAPH_BIN:-${CARGO_TARGET_DIR:-$tree/target}/release}
    for name in "$@"; do
        if [ ! -x "$programs/$name" ]; then
            echo "There is no program '$name' in $programs." >&2
            echo "Build it with 'cargo build --release', or name another folder in PARAPH_BIN." >&2
            return 1
        fi
    done
    programs=$(cd "$programs" && pwd)
}

# DIR must not exist yet. Standard output and error of the instance go to LOG.out and LOG.
# Port 0: the system picks a free one, and the instance keeps it.
start_instance() {
    run_instance "$2" dev "$1" --listen 127.0.0.1:0
}

restart_instance() {
    run_instance "$2" dev "$1"
}

# What it said before is kept in LOG.
run_instance() {
    local log=$1
    shift
    # There for the first look, which may come before the instance's own start.
    : >"$log.out"
    "$programs/ca" "$@" >"$log.out" 2>>"$log" </dev/null &
    instance_pid=$!
    if ! wait_until_ready "$log.out"; then
        stop_instance
        echo 'The instance did not start. Its last words:' >&2
        tail -n 20 "$log" >&2
        return 1
    fi
}

stop_instance() {
    local pid=${instance_pid:-} tenths=0
    instance_pid=
    [ -n "$pid" ] || return 0
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        if [ "$tenths" -ge 100 ]; then
            kill -KILL "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
        tenths=$((tenths + 1))
    done
    wait "$pid" 2>/dev/null || true
}

# The line `ready http://localhost:PORT` is the promise that every face answers.
wait_until_ready() {
    local out=$1 turn=0
    while [ "$turn" -lt 600 ]; do
        origin=$(sed -n 's/^ready \(http:[^ ]*\)$/\1/p' "$out")
        if [ -n "$origin" ]; then
            return 0
        fi
        kill -0 "$instance_pid" 2>/dev/null || return 1
        sleep 0.05
        turn=$((turn + 1))
    done
    return 1
}
