#!/usr/bin/env bash
# Goal: nothing that was acknowledged is lost, whatever dies, and the store heals by itself. Method: three devices, one on a
# storage host of its own, two replicas, clients that write all the time and keep a journal. Under them: kill -9 of each
# process, a device wiped, a host gone for a while, bytes turned on a disk, a full disk. After each the store says that it is
# whole (`haneul ring`), every object is read back, the listings agree, and two intact replicas lie on the devices.
# In mounts of its own: one device is a small file system in memory.
if [ -z "${OWN_MOUNTS:-}" ]; then
    [ "$(id -u)" = 0 ] && private=(unshare -m) || private=(unshare -rm)
    OWN_MOUNTS=1 exec "${private[@]}" --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
export HANEUL_OBJECT_STORAGE_REPLICAS=2 HANEUL_OBJECT_STORAGE_PARTITION_POWER=6
export HANEUL_OBJECT_STORAGE_REPLICATION_INTERVAL=1s HANEUL_OBJECT_STORAGE_REPLICATION_PAUSE=0ms
export HANEUL_OBJECT_STORAGE_STAND_IN_AFTER=4s HANEUL_OBJECT_STORAGE_AWAY_TIME=1s
export HANEUL_OBJECT_STORAGE_AUDIT_BYTES_PER_SECOND=200000000
one=$work/one two=$work/two three=$work/three
mkdir -p "$one" "$two" "$three" "$work/storage" "$HANEUL_STATE"
# What both hosts know: without it neither talks to the other.
key=$HANEUL_STATE/object-storage.key
(umask 077 && openssl rand -hex 32 >"$key")
mount -t tmpfs -o size=96m tmpfs "$two" || exit 1
export HANEUL_OBJECT_STORAGE_DIRECTORIES=$one,$two
storage_port=$((port + 1))
journal=$work/journal.json
load() { python3 "$here/object_load.py" "$@"; }

storage_up() {
    "$haneul" storage --state "$work/storage" --listen "127.0.0.1:$storage_port" --directory "$three" \
        --key-file "$key" >>"$work/storage.log" 2>&1 &
    storage=$!
    within 20 bash -c "(exec 3<>/dev/tcp/127.0.0.1/$storage_port)"
}
storage_down() { # [SIGNAL]
    [ -n "${storage:-}" ] || return 0
    kill "-${1:-TERM}" "$storage" 2>/dev/null
    wait "$storage" 2>/dev/null
    storage=
}
finish() {
    storage_down
    stop_server
    umount "$two" 2>/dev/null
    rm -rf "$work"
}
ring() { "$haneul" ring "$@"; }
whole() { ring; }
still_up() { kill -0 "$server"; }
metric() { # NAME [LABELS]: the sum of its series
    curl -sf "http://127.0.0.1:$port/metrics" | awk -v name="$1" -v labels="${2:-}" \
        'index($1, name) == 1 && index($0, labels) { sum += $NF } END { if (NR) print sum + 0 }'
}
more() { [ "$(metric "${@:2}")" -gt "$1" ]; }
none() { [ "$(metric "$@")" = 0 ]; }

# under COMMAND…: does it while clients write; fails when they saw anything wrong.
under() {
    load run --journal "$journal" --port "$port" --password "$password" --seconds "${seconds:-5}" >"$work/load" 2>&1 &
    local loader=$! status=0
    sleep 1
    "$@" || status=$?
    wait $loader || status=1
    [ $status = 0 ] && cp "$work/load" "$work/told" || cat "$work/load"
    return $status
}
intact() { load check --journal "$journal" --port "$port" --password "$password" "$@"; }
two_replicas() { load replicas --journal "$journal" --replicas 2 "$one" "$two" "$three"; }
heals() { # What must be so again after each blow.
    still_up 2>/dev/null || { grep -A 3 'Fatal error' "$work/serve.log"; summary; exit 1; }
    check "   every acknowledged object is read back" intact --within "${patience:-5}"
    local begin=$SECONDS
    check "   the store is whole again, and says so" within 60 whole
    echo "         after $((SECONDS - begin)) s; the load: $(cat "$work/told" 2>/dev/null)"
    check "   every object is read back, every list is right" intact --settle --within 10
    check "   two intact replicas of each are on the devices" within 30 two_replicas
    check "   metrics: no replica is missing, every device is up" bash -c "$(declare -f metric none within); port=$port
        within 40 none haneul_object_storage_partitions_missing_replicas && [ \$(metric haneul_object_storage_device_up) = 3 ]"
}

check "the APIs answer" serve_fake
check "a storage host answers" storage_up
check "its device is added" ring add "127.0.0.1:$storage_port$three"
check "the store is whole" within 90 whole
password=$(password_of demo)
[ "$failed" = 0 ] || { summary; exit 1; }
check "clients write" under true
heals

echo "      -- kill -9 of the binary"
killed() {
    for _ in 1 2 3 4; do
        sleep "1.$((RANDOM % 10))"
        stop_server KILL
        serve_fake || return 1
    done
}
seconds=9 check "four times under load" under killed
heals

echo "      -- a device is wiped while it is in use"
# More than once: clients write into it meanwhile.
wipe() { for _ in 1 2 3; do find "$1" -mindepth 1 -delete && return; done 2>/dev/null; [ ! -e "$1/device.json" ]; }
check "wiped under load" under wipe "$one"
heals
check "   metrics: replicas were made" more 0 haneul_object_storage_repairs_total

echo "      -- a storage host is away, and comes back"
away() { storage_down && sleep 4; }
check "stopped under load" under away
refute "it says that it is not whole" whole
check "every acknowledged object is read back without it" intact --within 5
check "metrics: another device took the writes" more 0 haneul_object_storage_handoffs_total
check "it comes back" storage_up
heals

echo "      -- its device comes back empty"
check "stopped and wiped under load" under bash -c "kill $storage; sleep 1; find '$three' -mindepth 1 -delete"
wait "$storage" 2>/dev/null
check "it comes back" storage_up
heals

echo "      -- kill -9 of the storage host"
host_killed() {
    for _ in 1 2; do
        sleep 1
        storage_down KILL
        sleep "0.$((RANDOM % 10))"
        storage_up || return 1
    done
}
check "twice under load" under host_killed
heals

echo "      -- bytes are turned on a disk"
before=$(metric haneul_object_storage_damaged_total)
check "in every file of a device" load corrupt "$one"
# A download streams from one replica: until the auditor comes by, only its ETag tells the client.
echo "         before the auditor came by: $(intact | sed -n 1p)"
patience=40 heals
check "   metrics: they were found" more "$before" haneul_object_storage_damaged_total
check "   they were put aside" test -n "$(find "$one/quarantined" -type f 2>/dev/null | head -n 1)"
rm -rf "$one/quarantined"

echo "      -- a disk is full"
full() { head -c 1G /dev/zero >"$two/ballast" 2>/dev/null; sleep 4; [ "$(df --output=avail "$two" | tail -n 1)" -lt 4000 ]; }
check "filled under load" under full
check "clients went on: $(cat "$work/told")" grep -qE '[0-9]{2,} put' "$work/told"
check "every acknowledged object is read back meanwhile" intact --within 5
rm -f "$two/ballast"
heals

echo "      -- kill -9 of everything at once"
all_killed() {
    sleep 2
    kill -9 "$server" "$storage"
    wait "$server" "$storage" 2>/dev/null
    storage_up && serve_fake
}
check "under load" under all_killed
heals
check "nothing is left in the devices' scratch" test -z "$(find "$one/tmp" "$two/tmp" "$three/tmp" -type f)"
summary
