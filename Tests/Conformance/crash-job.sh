#!/usr/bin/env bash
# Goal: the binary may be killed at any time. Method: kill -9 at random moments while 20 servers are made and while they are
# deleted; afterwards every server is ACTIVE, or ERROR with a reason, or gone as asked, and nothing leaks.
. "$(dirname "$0")/lib.sh"
count=${COUNT:-20}
# Twenty guests at once on a small machine.
export HANEUL_COMPUTE_CPU_ALLOCATION_RATIO=32

check "a cloud comes up" cloud_up
export OS_CLOUD=haneul-admin
check "flavor" openstack flavor create --ram 64 --disk 1 --vcpus 1 nano.test
check "room for all" openstack quota set --instances 100 --cores 100 --ram 100000 --ports 500 admin
check "network" openstack network create net1
check "subnet" openstack subnet create --network net1 --subnet-range 10.41.0.0/24 sub1
token=$(openstack token issue -f value -c id)
flavor=$(openstack flavor show nano.test -f value -c id)
image=$(openstack image show guest -f value -c id)
network=$(openstack network show net1 -f value -c id)

api() { # METHOD PATH [BODY]
    curl -s -m 20 -X "$1" -H "X-Auth-Token: $token" -H 'Content-Type: application/json' \
        -H 'OpenStack-API-Version: compute 2.90' "http://127.0.0.1:$port$2" ${3:+-d "$3"}
}
# The API process, as the host's own /proc names it.
serve_process() { in_host bash -c 'for p in /proc/[0-9]*; do tr "\0" " " <$p/cmdline 2>/dev/null | grep -q "^/proc/self/exe serve " && echo ${p#/proc/}; done' | head -n 1; }
kill_serve() {
    local process
    process=$(serve_process)
    [ -n "$process" ] && in_host kill -9 "$process"
}
answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/healthz")" = 200 ]; }
guests() { in_host virsh -q list --name | grep -c .; }

create() {
    local n
    for n in $(seq 1 "$count"); do
        within 30 answers
        api POST /compute/v2.1/servers "{\"server\":{\"name\":\"crash$n\",\"flavorRef\":\"$flavor\",\"imageRef\":\"$image\",\"networks\":[{\"uuid\":\"$network\"}]}}" |
            jq -r '.server.id // empty' >>"$work/accepted"
    done
}
: >"$work/accepted"
create &
creator=$!
for _ in 1 2 3 4 5 6; do
    sleep "$((RANDOM % 3)).$((RANDOM % 10))"
    kill_serve
done
wait $creator
within 30 answers
echo "      accepted: $(wc -l <"$work/accepted")"
settled() { ! api GET /compute/v2.1/servers/detail | jq -r '.servers[].status' | grep -q BUILD; }
check "no server stays in BUILD" within 240 settled
every_acknowledged() { local id; while read -r id; do api GET "/compute/v2.1/servers/$id" | jq -e .server.id >/dev/null || return 1; done <"$work/accepted"; }
check "every acknowledged server is there" every_acknowledged
explained() { api GET /compute/v2.1/servers/detail | jq -e '[.servers[] | select(.status != "ACTIVE")] | all(.status == "ERROR" and (.fault.message | length > 0))' >/dev/null; }
check "each is ACTIVE, or ERROR with a reason" explained
echo "      statuses: $(api GET /compute/v2.1/servers/detail | jq -r '.servers[].status' | sort | uniq -c | tr '\n' ' ')"
active=$(api GET /compute/v2.1/servers/detail | jq '[.servers[] | select(.status == "ACTIVE")] | length')
same_guests() { [ "$(guests)" = "$active" ]; }
check "as many guests run as servers are active" within 60 same_guests
before=$(guests)
kill_serve
within 30 answers
check "guests that ran still run" test "$(guests)" = "$before"

remove() {
    local id
    for id in $(api GET /compute/v2.1/servers | jq -r '.servers[].id'); do
        within 30 answers
        until [ "$(curl -s -m 20 -o /dev/null -w '%{http_code}' -X DELETE -H "X-Auth-Token: $token" "http://127.0.0.1:$port/compute/v2.1/servers/$id")" != 000 ]; do within 30 answers; done
    done
}
remove &
remover=$!
for _ in 1 2 3 4; do
    sleep "$((RANDOM % 2)).$((RANDOM % 10))"
    kill_serve
done
wait $remover
within 30 answers
gone() { [ "$(api GET /compute/v2.1/servers | jq '.servers | length')" = 0 ]; }
check "every deleted server is gone" within 240 gone
no_guests() { [ "$(guests)" = 0 ]; }
check "nothing left: guests" within 30 no_guests
no_disks() { [ -z "$(find "$HANEUL_STATE/instances" -mindepth 1 -maxdepth 1 ! -name _base 2>/dev/null)" ]; }
check "nothing left: disks" within 30 no_disks
no_taps() { ! in_host ip -br link | grep -q '^tap'; }
check "nothing left: taps" within 30 no_taps
no_ports() { [ "$(api GET "/network/v2.0/ports?network_id=$network&device_owner=compute:nova" | jq '.ports | length')" = 0 ]; }
check "nothing left: ports" within 30 no_ports
no_usage() {
    local provider
    for provider in $(api GET /placement/resource_providers | jq -r '.resource_providers[].uuid'); do
        api GET "/placement/resource_providers/$provider/usages" | jq -e '.usages | all(. == 0)' >/dev/null || return 1
    done
}
check "nothing left: placement" within 30 no_usage
summary
