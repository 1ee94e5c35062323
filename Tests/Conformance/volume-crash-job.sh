#!/usr/bin/env bash
# Goal: no byte is lost and nothing sticks, whatever dies. Method: kill -9 of the binary, of tgtd and of QEMU at random moments
# while volumes are attached, detached, snapshotted, cloned and backed up, then of the whole host; afterwards every volume is
# at rest, is attached where a guest has it open and nowhere else, holds the bytes that it held, and goes without a trace.
. "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-6}
two_backends

check "a cloud comes up" cloud_up
export OS_CLOUD=haneul-admin
volume_types
check "room" openstack quota set --volumes 100 --snapshots 100 --backups 100 demo
check "flavor" openstack flavor create --ram 128 --disk 1 --vcpus 1 tiny.test
export OS_CLOUD=haneul
open_to_ssh
check "a server" openstack server create --flavor tiny.test --image guest --network private --key-name testkey --wait one
address=$(openstack floating ip create public -f value -c floating_ip_address)
openstack server add floating ip one "$address"
check "it answers" within 90 ssh_guest "$address" true
server=$(openstack server show one -f value -c id)
token=$(openstack token issue -f value -c id)
project=$(openstack token issue -f value -c project_id)

api() { # METHOD PATH [BODY]
    curl -s -m 20 -X "$1" -H "X-Auth-Token: $token" -H 'Content-Type: application/json' \
        -H 'OpenStack-API-Version: volume 3.71, compute 2.90' "http://127.0.0.1:$port$2" ${3:+-d "$3"}
}
volume() { api "$1" "/volume/v3/$project$2" "${3:-}"; }
answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/healthz")" = 200 ]; }
process() { # PATTERN: the first process of the host whose command line matches
    in_host bash -c 'for p in /proc/[0-9]*; do tr "\0" " " <$p/cmdline 2>/dev/null | grep -q "$1" && echo ${p#/proc/}; done' process "$1" | head -n 1
}
kill_one() { # PATTERN
    local found
    found=$(process "$1")
    [ -n "$found" ] && in_host kill -9 "$found" && echo "$1" >>"$work/killed"
}
root() { ssh_guest "$address" sudo sh -c "'$1'"; }
disk() { root "grep -l ${1:0:20} /sys/block/*/serial | cut -d/ -f4"; }
status() { volume GET "/volumes/$1" | jq -r '.volume.status // "gone"'; }
is() { [ "$(status "$1")" = "$2" ]; }
attach() { api POST "/compute/v2.1/servers/$server/os-volume_attachments" "{\"volumeAttachment\":{\"volumeId\":\"$1\"}}"; }
detach() { api DELETE "/compute/v2.1/servers/$server/os-volume_attachments/$1"; }
has_disk() { [ -n "$(disk "$1")" ]; }
sum() { root "sha256sum /dev/$(disk "$1")" | cut -d' ' -f1; }

declare -A written data
for backend in files iscsi; do
    openstack volume create --size 1 --type $backend $backend-data -f value -c id >"$work/id"
    data[$backend]=$(cat "$work/id")
    check "$backend: a volume" within 60 is "${data[$backend]}" available
    attach "${data[$backend]}" >/dev/null
    check "$backend: attached" within 60 has_disk "${data[$backend]}"
    check "$backend: bytes" root "dd if=/dev/urandom of=/dev/$(disk "${data[$backend]}") bs=1M count=8 2>/dev/null && sync"
    written[$backend]=$(sum "${data[$backend]}")
done

storm() { # FIRST LAST: the numbers of the rounds
    local n backend id
    for n in $(seq "$1" "$2"); do
        for backend in files iscsi; do
            id=${data[$backend]}
            within 40 answers
            detach "$id" >/dev/null
            volume POST /snapshots "{\"snapshot\":{\"volume_id\":\"$id\",\"name\":\"s$n\",\"force\":true}}" >/dev/null
            volume POST /volumes "{\"volume\":{\"source_volid\":\"$id\",\"size\":1,\"name\":\"c$n\"}}" >/dev/null
            volume POST /backups "{\"backup\":{\"volume_id\":\"$id\",\"name\":\"b$n\",\"force\":true}}" >/dev/null
            volume POST /volumes "{\"volume\":{\"size\":1,\"name\":\"v$n\",\"volume_type\":\"$backend\"}}" >/dev/null
            sleep "0.$((RANDOM % 10))"
            within 40 answers
            attach "$id" >/dev/null
        done
        sleep 1
    done
}
storm 1 "$rounds" &
stormer=$!
# A pattern matches nothing but its victim: not the shell that looks for it.
binary="^/proc/self/exe serve " target="^/[a-z/]*sbin/tgtd " guest="^/usr/bin/qemu-system"
victims=("$binary" "$binary" "$binary" "$target" "$guest")
while kill -0 $stormer 2>/dev/null; do
    sleep "$((RANDOM % 4)).$((RANDOM % 10))"
    kill_one "${victims[RANDOM % ${#victims[@]}]}"
done
wait $stormer
within 40 answers
for victim in "$binary" "$target" "$guest"; do within 60 kill_one "$victim"; done
echo "      killed: $(sort "$work/killed" | uniq -c | tr -s '\n ' ' ')"

for n in 1 2; do
    within 40 answers
    storm $((rounds + n)) $((rounds + n)) >/dev/null 2>&1 &
    stormer=$!
    sleep "$((RANDOM % 3)).$((RANDOM % 10))"
    kill -9 "$(cut -d' ' -f1 "$HANEUL_STATE/host.pid")"
    check "the whole host died, and the cloud comes up again" cloud_up
    wait $stormer
done
check "all parts are healthy again" within 90 "$haneul" status

moving='creating|attaching|detaching|deleting|reserved|downloading|uploading|extending|backing-up|restoring|retyping|maintenance'
at_rest() {
    ! { volume GET /volumes/detail | jq -r '.volumes[].status'; volume GET /snapshots | jq -r '.snapshots[].status'
        volume GET /backups/detail | jq -r '.backups[].status'; } | grep -qE "$moving"
}
check "nothing stays in a status between two" within 240 at_rest
echo "      volumes: $(volume GET /volumes/detail | jq -r '.volumes[].status' | sort | uniq -c | tr '\n' ' ')"
server_rests() { api GET "/compute/v2.1/servers/$server" | jq -e '.server["OS-EXT-STS:task_state"] == null' >/dev/null; }
check "the server is at rest" within 120 server_rests
api POST "/compute/v2.1/servers/$server/action" '{"reboot":{"type":"HARD"}}' >/dev/null
check "the server runs again" within 120 ssh_guest "$address" true
for backend in files iscsi; do
    id=${data[$backend]}
    agrees() {
        local api_says guest_has
        api_says=$(volume GET "/volumes/$id" | jq '.volume.attachments | length')
        guest_has=$([ -n "$(disk "$id")" ] && echo 1 || echo 0)
        [ "$api_says" = "$guest_has" ]
    }
    check "$backend: attached where the guest has it, and nowhere else" within 60 agrees
    is "$id" available && { attach "$id" >/dev/null; within 60 has_disk "$id"; }
    check "$backend: no byte is lost" test "$(sum "$id")" = "${written[$backend]}"
    detach "$id" >/dev/null
    check "$backend: detached" within 90 is "$id" available
done

check "server deleted" openstack server delete --wait one
delete_all() { # COLLECTION
    local id
    for id in $(volume GET "/$1" | jq -r ".$1[].id"); do volume DELETE "/$1/$id" >/dev/null; done
    [ "$(volume GET "/$1" | jq ".$1 | length")" = 0 ]
}
check "every backup goes" within 120 delete_all backups
check "every snapshot goes" within 120 delete_all snapshots
check "every volume goes" within 120 delete_all volumes
no_targets() { ! in_host tgtadm --lld iscsi --op show --mode target | grep -q '^Target'; }
check "nothing left: targets" within 90 no_targets
no_bytes() { [ -z "$(find "$HANEUL_STATE/volumes" "$HANEUL_STATE/volumes-iscsi" "$HANEUL_STATE/backups" "$HANEUL_STATE/scratch" -type f -size +1M ! -path '*/images/*' 2>/dev/null)" ]; }
check "nothing left: bytes" within 240 no_bytes
summary
