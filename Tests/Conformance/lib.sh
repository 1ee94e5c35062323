# lib.sh - a cloud of its own for a conformance script: its state, its port, its clouds.yaml; gone at the end. Source it.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
haneul=${HANEUL:-$repository/.build/release/haneul}
work=$(mktemp -d /tmp/haneul-conformance.XXXXXX)
export HANEUL_STATE=$work/state HOME=$work/home
port=${PORT:-18088}
passed=0 failed=0
out=$work/out
mkdir -p "$HOME"

# The newest openstackclient; kept between runs of one machine.
client=${OSC_VENV:-/var/tmp/haneul-openstackclient}
[ -x "$client/bin/openstack" ] || { python3 -m venv "$client" && "$client/bin/pip" install -q python-openstackclient; }
export PATH=$client/bin:$PATH

# check "claim" COMMAND… : runs it, counts it, shows its last words when it fails.
check() {
    local claim=$1
    shift
    if "$@" >"$out" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $claim"
    else
        failed=$((failed + 1))
        echo "FAIL  $claim"
        tail -n 5 "$out" | sed 's/^/        /'
    fi
}
# refute: the command, or function, must fail.
refute() {
    local claim=$1
    shift
    check "$claim" fails "$@"
}
fails() { ! "$@"; }
# `openstack` of a script is the stock client, loaded once: a command takes 0.2 s instead of one.
load_client() {
    mkdir -p "$work/bin"
    printf '#!/bin/sh\nuntil [ -S %s ]; do sleep 0.1; done\nexec %s -S -E %s %s "$@"\n' "$work/stock" "$client/bin/python" "$here/stock.py" "$work/stock" >"$work/bin/openstack"
    chmod +x "$work/bin/openstack"
    "$client/bin/python" "$here/stock.py" serve "$work/stock" </dev/null >"$work/stock.log" 2>&1 &
    stock=$!
    PATH=$work/bin:$PATH # The socket comes after a second; the wrapper waits for it.
}
# beside NAME FUNCTION: the part runs beside the others; `together` shows them when all have ended, and counts.
beside() {
    (
        trap - EXIT
        out=$work/$1.out
        passed=0 failed=0 SECONDS=0
        "$2"
        echo "      ($SECONDS s)"
        echo "$passed $failed" >"$work/$1.counts"
    ) >"$work/$1.part" 2>&1 &
    parts+=("$1")
    running+=($!)
}
together() {
    local part more less
    wait "${running[@]}"
    for part in "${parts[@]}"; do
        echo "      -- $part"
        cat "$work/$part.part"
        read -r more less <"$work/$part.counts" || { more=0; less=1; }
        passed=$((passed + more)) failed=$((failed + less))
    done
    parts=() running=()
}
# within SECONDS COMMAND… : tries until it works.
within() {
    local end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.5
    done
}
in_host() { "$haneul" exec -- "$@"; }
outside() { "$haneul" exec --provider -- "$@"; }
ssh_guest() { # ADDRESS COMMAND…
    local address=$1
    shift
    outside ssh -i "$work/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
        -o ConnectTimeout=5 -o BatchMode=yes "cirros@$address" "$@"
}
# serve_fake [OPTION…]: every API over a fake host, in the background: enough for what needs no guest. `server` is its process.
serve_fake() {
    mkdir -p "$HANEUL_STATE"
    # As `up` leaves it: the other commands find the port there.
    [ -e "$HANEUL_STATE/sandbox.json" ] ||
        echo "{\"port\": $port, \"host_uuid\": \"$(cat /proc/sys/kernel/random/uuid)\"}" >"$HANEUL_STATE/sandbox.json"
    "$haneul" serve --state "$HANEUL_STATE" --port "$port" --fake "$@" >>"$work/serve.log" 2>&1 &
    server=$!
    within 60 serves || { tail -n 3 "$work/serve.log"; return 1; }
    mkdir -p "$HOME/.config/openstack"
    { echo clouds: && cloud_of haneul demo && cloud_of haneul-admin admin; } >"$HOME/.config/openstack/clouds.yaml"
}
serves() { kill -0 "$server" && curl -sf -o /dev/null -m 5 "http://127.0.0.1:$port/healthz"; }
stop_server() { # [SIGNAL]
    [ -n "${server:-}" ] || return 0
    kill "-${1:-TERM}" "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    server=
}
cloud_of() { # NAME USER: an entry of clouds.yaml
    echo "  $1: {auth: {auth_url: 'http://127.0.0.1:$port/identity/v3', username: $2, password: '$(password_of "$2")'," \
        "project_name: $2, user_domain_id: default, project_domain_id: default}, region_name: RegionOne, identity_api_version: 3}"
}
password_of() { jq -r ".$1" "$HANEUL_STATE/credentials.json"; }
# swift_as USER WORD…: the stock object storage client, as a user in the project of the same name.
swift_as() {
    local user=$1 password
    shift
    password=${PASSWORD:-$(password_of "$user")}
    OS_AUTH_URL=http://127.0.0.1:$port/identity/v3 OS_IDENTITY_API_VERSION=3 OS_USERNAME=$user OS_PASSWORD=$password \
        OS_PROJECT_NAME=$user OS_USER_DOMAIN_ID=default OS_PROJECT_DOMAIN_ID=default OS_REGION_NAME=RegionOne swift "$@"
}
# The clients of object storage, beside openstackclient.
need_object_clients() {
    [ -x "$client/bin/swift" ] && "$client/bin/python" -c 'import boto3, keystoneclient' 2>/dev/null ||
        "$client/bin/pip" install -q python-swiftclient python-keystoneclient boto3
}
cloud_up() { "$haneul" up --port "$port" --guest-image "$repository/.build/guest.qcow2" "$@"; }
# two_backends: before the cloud comes up; its volumes are in files and on iSCSI, and what is left of them is swept soon.
two_backends() {
    export OS_VOLUME_API_VERSION=3.71 OS_COMPUTE_API_VERSION=2.90 HANEUL_BLOCK_STORAGE_SWEEP_AGE=60s
    mkdir -p "$HANEUL_STATE"
    cat >"$HANEUL_STATE/haneul.yaml" <<'YAML'
volume-backends:
  enabled: [files, iscsi]
volume-iscsi:
  store: files      # this machine may have no device mapper
  target: tgt
YAML
}
# volume_types: one for each of the two backends; as an administrator.
volume_types() {
    local backend
    for backend in files iscsi; do
        check "volume type $backend" openstack volume type create --property volume_backend_name=$backend $backend
    done
}
# open_to_ssh: guests of the project with the key pair testkey can be reached by ssh_guest.
open_to_ssh() {
    ssh-keygen -q -t ecdsa -N '' -f "$work/key"
    openstack keypair create --public-key "$work/key.pub" testkey >/dev/null
    openstack security group rule create --protocol tcp --dst-port 22 default >/dev/null
}
finish() {
    stop_server
    "$haneul" purge >/dev/null 2>&1
    rm -rf "$work"
}
stop_client() { [ -z "${stock:-}" ] || kill "$stock"; }
trap 'finish; stop_client' EXIT
summary() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
load_client
