#!/usr/bin/env bash
# Goal: what can be done to a server, a network, an image and an account has its effect where it counts: in the guest, in
# the host's domains, in OVN. Method: by the stock client, with parts that run beside each other; raw HTTP where it has no command.
. "$(dirname "$0")/lib.sh"
export OS_COMPUTE_API_VERSION=2.90
web=$((port + 1)) directory=$((port + 2))
mkdir -p "$HANEUL_STATE" "$work/web" "$work/second"
"$client/bin/python" -c 'import oauthlib' 2>/dev/null || "$client/bin/pip" install -q oauthlib
# The web server may be imported from by one of its addresses; by the others it may not.
cat >"$HANEUL_STATE/haneul.yaml" <<YAML
identity:
  lockout-failures: 3
image:
  import-ports: "80,$web"
  import-networks: "127.0.0.2/32"
  stores: "second=$work/second"
YAML

# --- what the parts share
as_admin() { OS_CLOUD=haneul-admin "$@"; }
token_of() { OS_CLOUD=$1 openstack token issue -f value -c id; }
# call CLOUD METHOD PATH [JSON]: the answer's body, then its status.
call() {
    curl -s -m 20 -X "$2" -H "X-Auth-Token: $(cat "$work/token.$1")" -H 'Content-Type: application/json' -w '\n%{http_code}\n' \
        -H "OpenStack-API-Version: compute 2.90" ${4:+-d "$4"} "http://127.0.0.1:$port$3"
}
# answers STATUS CLOUD METHOD PATH [JSON]
answers() {
    local status=$1 got
    shift
    got=$(call "$@") && echo "$got"
    [ "$(tail -n 1 <<<"$got")" = "$status" ]
}
server_is() { # SERVER STATUS…: settled in one of them
    local got
    got=$(call haneul-admin GET "/compute/v2.1/servers/$(cat "$work/id.$1")" | head -n 1 |
        jq -r '.server | "\(.status) \(.["OS-EXT-STS:task_state"])"')
    shift
    [[ " ${*/%/ null} " == *" $got "* ]]
}
image_is() { [ "$(openstack image show "$1" -f value -c status)" = "$2" ]; }
# boot NAME OPTION…: a server with a floating address, in $work/address.NAME; it builds on.
boot() {
    local name=$1 port_id
    shift
    openstack server create --flavor tiny.test --key-name testkey -f value -c id "$@" "$name" >"$work/id.$name" || return 1
    within 30 server_port "$name" || return 1
    openstack floating ip create --port "$(cat "$work/port.$name")" public -f value -c floating_ip_address >"$work/address.$name"
}
server_port() {
    openstack port list --network private --device-id "$(cat "$work/id.$1")" -f value -c ID >"$work/port.$1" && [ -s "$work/port.$1" ]
}
guest() { # NAME COMMAND, as root
    ssh_guest "$(cat "$work/address.$1")" sudo sh -c "'$2'"
}
answers_ssh() { within 300 guest "$1" true; }
fixed() { openstack port show "$(cat "$work/port.$1")" -f json | jq -r '.fixed_ips[0].ip_address'; }
domain() { in_host virsh -q list --all --uuid | grep -q "$(cat "$work/id.$1")"; }
xml() { in_host virsh dumpxml "$(cat "$work/id.$1")"; }
ovn() { in_host ovn-nbctl --no-leader-only "$@"; }
reaches() { outside timeout 3 bash -c "exec 3<>/dev/tcp/$1/$2"; }
sees() { # NAME COMMAND WANTED
    [ "$(guest "$1" "$2")" = "$3" ]
}
# edition NAME: the guest image with that name in /etc/edition.
edition() {
    local raw=$work/$1.raw
    echo "$1" >"$work/edition"
    qemu-img convert -O raw "$repository/.build/guest.qcow2" "$raw" && tail -c +1048577 "$raw" >"$raw.root" &&
        debugfs -w -R "write $work/edition /etc/edition" "$raw.root" &&
        dd if="$raw.root" of="$raw" bs=1M seek=1 conv=notrunc,sparse status=none && qemu-img convert -O qcow2 "$raw" "$work/$1.qcow2" &&
        rm "$raw" "$raw.root"
}

# --- a server's root disk, size and volume
rebuilt() {
    check "alpha boots" answers_ssh alpha
    check "alpha is active" within 20 server_is alpha ACTIVE
    check "volume" openstack volume create --size 1 keep
    within 30 bash -c '[ "$(openstack volume show keep -f value -c status)" = available ]'
    check "volume attached" openstack server add volume alpha keep
    check "the guest sees it" within 20 guest alpha "test -b /dev/vdb"
    check "bytes on the volume" guest alpha "mke2fs -q /dev/vdb && mount /dev/vdb /mnt && echo kept > /mnt/data && umount /mnt && echo mark > /mark && sync"
    local before after
    before=$(fixed alpha) after=$(cat "$work/port.alpha")
    check "rebuild with another image" openstack server rebuild --image other --property rebuilt=yes alpha
    check "the guest runs the other image" within 120 sees alpha "cat /etc/edition" other
    check "rebuilt and active" within 30 server_is alpha ACTIVE
    check "its old root disk is gone" guest alpha "test ! -e /mark"
    check "rebuild keeps the port" server_port alpha
    check "rebuild keeps the same port and address" test "$(fixed alpha) $(cat "$work/port.alpha")" = "$before $after"
    check "rebuild keeps the volume and its bytes" guest alpha "mount /dev/vdb /mnt && grep -q kept /mnt/data && umount /mnt"
    check "the guest sees the new property" within 10 guest alpha \
        "wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json | grep -q rebuilt"
    guest alpha "echo again > /mark && sync"
    check "resize" openstack server resize --flavor tiny.more alpha
    check "waits for its confirmation" within 90 server_is alpha VERIFY_RESIZE
    check "resized: the guest has two processors" within 120 sees alpha nproc 2
    check "resized: the domain has the memory" bash -c "grep -q '<memory[^>]*>196608<' <<<\"$(xml alpha | grep '<memory')\""
    check "resized: the root disk is the same" guest alpha "grep -q again /mark"
    check "revert" openstack server resize revert alpha
    check "reverted" within 90 server_is alpha ACTIVE
    check "reverted: the guest has one processor" within 120 sees alpha nproc 1
    check "resize again" openstack server resize --flavor tiny.more alpha
    check "waits again" within 90 server_is alpha VERIFY_RESIZE
    check "confirm" openstack server resize confirm alpha
    check "confirmed" within 60 server_is alpha ACTIVE
    check "confirmed: two processors, the volume, the same disk" within 120 guest alpha "test \$(nproc) = 2 && test -b /dev/vdb && grep -q again /mark"
    check "confirmed: no second copy of the disk is left" test -z "$(find "$HANEUL_STATE/instances" -name '*_resize*')"
    check "the timeline has each action" has_actions alpha create attach_volume rebuild resize revertResize confirmResize
    check "an action has its events" bash -c "openstack server event show alpha \$(openstack server event list alpha -f json |
        jq -r '.[] | select(.Action == \"rebuild\") | .[\"Request ID\"]') -f json | jq -e '.events | length > 0'"
}
has_actions() {
    local name=$1 action list
    shift
    list=$(openstack server event list "$name" -f value -c Action) || return 1
    for action in "$@"; do grep -qx "$action" <<<"$list" || { echo "no $action in: $list"; return 1; }; done
}

# --- a server that goes away and comes back
shelved() {
    check "beta boots" answers_ssh beta
    check "beta is active" within 20 server_is beta ACTIVE
    check "a file in beta" guest beta "echo mine > /mark && sync"
    local before
    before=$(fixed beta)
    check "locked by the administrator" as_admin openstack server lock --reason "do not touch" "$(cat "$work/id.beta")"
    refute "its owner's reboot is refused" openstack server reboot beta
    check "its owner reads the reason" test "$(openstack server show beta -f value -c locked_reason)" = "do not touch"
    check "unlocked" as_admin openstack server unlock "$(cat "$work/id.beta")"
    check "backup" openstack server backup create --name b1 --type daily --rotate 1 beta
    check "the backup is active" within 90 image_is b1 active
    within 30 server_is beta ACTIVE
    check "a second backup" openstack server backup create --name b2 --type daily --rotate 1 beta
    check "the second backup is active" within 90 image_is b2 active
    check "rotation removed the first" within 20 gone image b1
    within 30 server_is beta ACTIVE
    check "shelve" openstack server shelve beta
    check "shelved and offloaded" within 120 server_is beta SHELVED_OFFLOADED
    refute "its domain is gone" domain beta
    check "unshelve" openstack server unshelve beta
    check "it is back" within 90 server_is beta ACTIVE
    check "with its file" within 120 sees beta "cat /mark" mine
    check "and its address" test "$(fixed beta)" = "$before"
    check "rescue" openstack server rescue --image other beta
    check "rescued" within 90 server_is beta RESCUE
    check "the guest runs the rescue image" within 120 sees beta "cat /etc/edition" other
    check "it sees the old root as a second disk" guest beta "mount /dev/vdb1 /mnt && grep -q mine /mnt/mark && umount /mnt"
    check "unrescue" openstack server unrescue beta
    check "unrescued" within 60 server_is beta ACTIVE
    check "its own disk again" within 120 sees beta "cat /mark; test ! -e /etc/edition" mine
    check "the timeline has each action" has_actions beta create lock createBackup shelve unshelve rescue unrescue
}
gone() { ! openstack "$1" show "$2"; }

# --- a server's network
connected() {
    check "gamma boots" answers_ssh gamma
    check "gamma is active" within 20 server_is gamma ACTIVE
    guest gamma "echo frozen > /mark && sync; modprobe 8021q"
    check "image of the running server" openstack server image create --name frozen gamma
    within 60 server_is gamma ACTIVE # With no image being taken: cards cannot be changed meanwhile.
    check "port to attach" openstack port create --network side -f value -c id side-port
    check "interface attached" openstack server add port gamma side-port
    local address mac group policy forwarded port_id
    address=$(openstack port show side-port -f json | jq -r '.fixed_ips[0].ip_address')
    check "the guest has the second interface's address" within 40 guest gamma "ip -o -4 a | grep -q $address/"
    port_id=$(openstack port show side-port -f value -c id)
    check "OVN has its port up" test "$(ovn get logical_switch_port "$port_id" up)" = true
    check "interface detached" openstack server remove port gamma side-port
    check "the guest has one interface" within 30 guest gamma "test ! -e /sys/class/net/eth1"

    guest gamma "mkdir -p /www; echo hello > /www/index.html; httpd -p 8080 -h /www"
    address=$(cat "$work/address.gamma")
    refute "no rule: its web server is cut off" reaches "$address" 8080
    check "group" openstack security group create web
    check "rule" openstack security group rule create --protocol tcp --dst-port 8080 web
    check "group added to the running server" openstack server add security group gamma web
    check "its web server is reached" within 5 reaches "$address" 8080
    check "group removed" openstack server remove security group gamma web
    check "cut off again" within 5 cut_off "$address" 8080
    check "address group" openstack address group create --address 198.51.100.0/24 outsiders
    check "group of the address group" openstack security group create by-address
    check "rule by the address group" openstack security group rule create --protocol tcp --dst-port 8080 \
        --remote-address-group outsiders by-address
    check "group with it added" openstack server add security group gamma by-address
    sleep 1
    refute "others are cut off" reaches "$address" 8080
    check "address added to the group" openstack address group set --address 172.24.4.1/32 outsiders
    check "it takes effect" within 5 reaches "$address" 8080
    check "address taken out" openstack address group unset --address 172.24.4.1/32 outsiders
    check "that, too" within 5 cut_off "$address" 8080

    check "QoS policy" as_admin openstack network qos policy create --share slow
    check "QoS rule" as_admin openstack network qos rule create --type bandwidth-limit --max-kbps 1000 --max-burst-kbits 800 --egress slow
    check "policy on the port" as_admin openstack port set --qos-policy slow "$(cat "$work/port.gamma")"
    check "OVN limits the port" within 10 limited "$(cat "$work/port.gamma")"
    check "policy off" as_admin openstack port unset --qos-policy "$(cat "$work/port.gamma")"
    check "OVN limits it no more" within 10 not_limited "$(cat "$work/port.gamma")"

    check "the guest resolves another server's name" within 10 guest gamma "nslookup beta.openstacklocal 172.24.4.1 | grep -q $(fixed beta)"
    check "a password needs an agent in the guest" answers 409 haneul POST "/compute/v2.1/servers/$(cat "$work/id.gamma")/action" \
        '{"changePassword": {"adminPass": "secret"}}'
    check "metadata" openstack server set --property colour=green --tag blue gamma
    check "the guest sees it" within 30 guest gamma \
        "wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json | grep -q green"
    check "servers by tag" test "$(openstack server list --tags blue -f value -c Name)" = gamma
    check "diagnostics: memory" bash -c "openstack --os-compute-api-version 2.48 --os-cloud haneul-admin server show --diagnostics $(cat "$work/id.gamma") -f json | jq -e .uptime"
    check "crash dump" openstack server dump create gamma
    check "the guest got the interrupt" within 10 guest gamma "dmesg | grep -qi nmi"
    check "the image is active" within 90 image_is frozen active
    check "a server of the image" boot epsilon --image frozen --network private --network six
    check "epsilon boots" answers_ssh epsilon
    check "it has the file" sees epsilon "cat /mark" frozen
    check "SLAAC: the guest has the port's address" within 30 has_port_address epsilon six-slaac
    check "DHCPv6: the guest has the port's address" within 30 has_port_address epsilon six-dhcp

    check "floating address taken off" openstack floating ip unset --port "$(cat "$work/address.gamma")"
    check "it reaches nothing" within 5 cut_off "$(cat "$work/address.gamma")" 22
    forwarded=$(openstack floating ip create public -f value -c floating_ip_address)
    check "port forwarding" openstack floating ip port forwarding create --internal-ip-address "$(fixed gamma)" \
        --port "$(cat "$work/port.gamma")" --internal-protocol-port 22 --external-protocol-port 2222 --protocol tcp "$forwarded"
    check "ssh through the forwarded port" within 20 forwarded_ssh "$forwarded"
}
cut_off() { ! reaches "$@"; }
limited() { ovn --bare --columns=match,bandwidth find qos | grep -A1 "$1" | grep -q rate=1000; }
not_limited() { ! ovn --bare --columns=match find qos | grep -q "$1"; }
forwarded_ssh() {
    outside ssh -p 2222 -i "$work/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 \
        -o BatchMode=yes "cirros@$1" hostname | grep -qx gamma
}
has_port_address() { # SERVER SUBNET
    local subnet address
    subnet=$(openstack subnet show "$2" -f value -c id)
    address=$(openstack port list --device-id "$(cat "$work/id.$1")" -f json | jq -r \
        --arg subnet "$subnet" '.[]["Fixed IP Addresses"][] | select(.subnet_id == $subnet).ip_address')
    [ -n "$address" ] && guest "$1" "test -e /run/six || { dhcp6 eth1 && touch /run/six; } >/dev/null 2>&1; ip -6 -o a" | grep -qF "$address/"
}

# --- trunks, groups, sharing
shared() {
    local parent sub id
    parent=$(openstack port create --network private trunk-parent -f value -c id)
    sub=$(openstack port create --network side trunk-sub -f value -c id)
    check "trunk with a subport" openstack network trunk create --parent-port trunk-parent \
        --subport port=trunk-sub,segmentation-type=vlan,segmentation-id=101 trunk
    check "server group" openstack server group create --policy anti-affinity apart
    group=$(openstack server group show apart -f value -c id)
    check "a server on the trunk, in the group" boot delta --image guest --port trunk-parent --hint group="$group"
    check "OVN has the subport's parent" within 10 bash -c "'$haneul' exec -- ovn-nbctl --no-leader-only get logical_switch_port $sub parent_name tag | tr -d '\"\n' | grep -qx '${parent}101'"
    check "another of the group is asked for" boot_refused second --hint group="$group"
    check "it is refused: one host" within 30 server_is second ERROR
    check "with a reason" bash -c "openstack server show second -f json | jq -r .fault.message | grep -qi 'no valid host'"
    check "deleted" openstack server delete second

    check "network for others" as_admin openstack network create lent
    check "its subnet" as_admin openstack subnet create --network lent --subnet-range 10.60.0.0/24 lent
    refute "not seen yet" openstack network show lent
    check "shared with one project" as_admin openstack network rbac create --type network --action access_as_shared \
        --target-project demo lent
    check "seen" openstack network show lent
    check "used: a port of it" openstack port create --network lent borrowed
    check "used: it has an address" bash -c "openstack port show borrowed -f json | jq -r '.fixed_ips[0].ip_address' | grep -q '^10.60.0.'"
    refute "the share stays while it is used" as_admin openstack network rbac delete \
        "$(as_admin openstack network rbac list --type network --action access_as_shared -f value -c ID | head -n 1)"
    check "port deleted" openstack port delete borrowed

    check "address scope" openstack address scope create --ip-version 4 scope
    check "subnet pool in it" openstack subnet pool create --address-scope scope --pool-prefix 10.70.0.0/16 --default-prefix-length 26 pool
    check "network" openstack network create pooled
    check "subnet from the pool" openstack subnet create --subnet-pool pool --network pooled pooled1
    check "another, longer" openstack subnet create --subnet-pool pool --prefix-length 28 --network pooled pooled2
    check "they are of the pool and apart" bash -c "openstack subnet list --network pooled -f json | jq -r '.[].Subnet' |
        python3 -c 'import sys, ipaddress as i; a, b = map(i.ip_network, sys.stdin.read().split());
assert not a.overlaps(b) and {a.prefixlen, b.prefixlen} == {26, 28} and all(n.subnet_of(i.ip_network(\"10.70.0.0/16\")) for n in (a, b))'"
    refute "the pool stays while it is used" openstack subnet pool delete pool
    refute "no pool in the scope overlaps" openstack subnet pool create --address-scope scope --pool-prefix 10.70.1.0/24 clash

    check "delta boots" answers_ssh delta
    id=$(openstack port show trunk-sub -f json | jq -r '.mac_address + " " + .fixed_ips[0].ip_address')
    guest delta "modprobe 8021q; ip link add link eth0 name sub type vlan id 101; ip link set sub address ${id% *} up; ip addr add ${id#* }/24 dev sub"
    check "the guest reaches the subport's network by its tag" within 20 guest delta "ping -c 1 -W 2 10.50.0.1"
    check "subport taken off" openstack network trunk unset --subport trunk-sub trunk
    check "the tag reaches nothing now" within 10 guest delta "! ping -c 1 -W 1 10.50.0.1"
}
boot_refused() {
    local name=$1
    shift
    openstack server create --flavor tiny.test --image guest --network private -f value -c id "$@" "$name" >"$work/id.$name"
}

# --- images from elsewhere
imported() {
    cp "$repository/.build/guest.qcow2" "$work/web/guest.qcow2"
    cat >"$work/web.py" <<'PY'
import functools, http.server, socket, sys
folder, port = sys.argv[1], int(sys.argv[2])
to = {"/to-metadata": "http://169.254.169.254/latest/", "/to-loopback": f"http://127.0.0.1:{port}/guest.qcow2",
      "/to-six": f"http://[::1]:{port}/guest.qcow2", "/to-file": "file:///etc/passwd", "/to-image": "/guest.qcow2"}
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.connection.getsockname()[0] != "::ffff:127.0.0.2": open(folder + ".reached", "a").write(self.path + "\n")
        if self.path not in to: return super().do_GET()
        self.send_response(302); self.send_header("Location", to[self.path]); self.send_header("Content-Length", "0"); self.end_headers()
Server(("::", port), functools.partial(Handler, directory=folder)).serve_forever()
PY
    in_host python3 "$work/web.py" "$work/web" "$web" >"$work/web.log" 2>&1 &
    local source=$!
    export OS_CLOUD=haneul-admin
    local sum url id name=0
    sum=$(md5sum <"$repository/.build/guest.qcow2" | cut -d' ' -f1)
    check "image to be staged" queued staged qcow2
    check "staged" openstack image stage --file "$repository/.build/guest.qcow2" staged
    check "its status" image_is staged uploading
    check "import: glance-direct" openstack image import --method glance-direct staged
    check "imported" within 30 image_is staged active
    check "it has the file's checksum" test "$(openstack image show staged -f value -c checksum)" = "$sum"
    check "image from the web" queued fetched qcow2
    check "import: web-download" openstack image import --method web-download --uri "http://127.0.0.2:$web/guest.qcow2" fetched
    check "downloaded" within 30 image_is fetched active
    check "it has the file's checksum, too" test "$(openstack image show fetched -f value -c checksum)" = "$sum"
    check "image by a redirect" queued redirected qcow2
    openstack image import --method web-download --uri "http://127.0.0.2:$web/to-image" redirected >/dev/null
    check "a redirect to a good address is followed" within 30 image_is redirected active
    for url in "http://127.0.0.1:$web/guest.qcow2" "http://localhost:$web/guest.qcow2" "http://[::1]:$web/guest.qcow2" \
        "http://2130706433:$web/guest.qcow2" "http://0x7f.1:$web/guest.qcow2" "http://0177.0.0.1:$web/guest.qcow2" \
        "http://[::ffff:127.0.0.1]:$web/guest.qcow2" "http://0.0.0.0:$web/guest.qcow2" "http://127.0.0.2@127.0.0.1:$web/guest.qcow2" \
        "http://169.254.169.254/latest/" "http://127.0.0.2:22/" "file:///etc/passwd" \
        "http://127.0.0.2:$web/to-loopback" "http://127.0.0.2:$web/to-metadata" "http://127.0.0.2:$web/to-six" "http://127.0.0.2:$web/to-file"; do
        name=$((name + 1))
        queued "bad$name" raw >/dev/null
        check "not imported: $url" never_imported "bad$name" "$url"
    done
    check "none of them was even asked" test ! -e "$work/web.reached"
    check "import: copy-image" openstack image import fetched --method copy-image --store second
    check "copied: in both stores" within 30 in_stores fetched file,second
    check "its bytes are in the second" test "$(find "$work/second" -type f -size +1M -exec md5sum {} + | cut -d' ' -f1)" = "$sum"
    check "still active" image_is fetched active
    id=$(openstack image show fetched -f value -c id)
    # The client does not look at the answer.
    check "no copy into an unknown store" answers 409 haneul-admin POST "/image/v2/images/$id/import" \
        '{"method": {"name": "copy-image"}, "stores": ["nowhere"]}'
    check "taken out of the first" answers 204 haneul-admin DELETE "/image/v2/stores/file/$id"
    check "it can be read from the second" bash -c "openstack image save fetched | md5sum | grep -q $sum"
    check "deleted" openstack image delete staged fetched redirected
    check "no byte is left in the second store" test -z "$(find "$work/second" -type f)"
    kill $source
}
# queued NAME FORMAT: the client's own command wants bytes as soon as its input is no terminal.
queued() {
    answers 201 haneul-admin POST /image/v2/images "{\"name\": \"$1\", \"disk_format\": \"$2\", \"container_format\": \"bare\"}"
}
never_imported() {
    openstack image import --method web-download --uri "$2" "$1" || return 0
    within 20 bash -c "[[ \$(openstack image show $1 -f value -c status) =~ queued|killed ]]" && sleep 0.5 && ! image_is "$1" active
}
in_stores() { [ "$(openstack image show "$1" -f json | jq -r '.properties.stores' | tr ',' '\n' | sort | paste -sd,)" = "$2" ]; }

# --- accounts
delegated() {
    local demo_id project_id role_id secret key
    # By their ids: who is no administrator finds no user, role or project by name.
    demo_id=$(as_admin openstack user show demo -f value -c id)
    project_id=$(as_admin openstack project show demo -f value -c id)
    role_id=$(as_admin openstack role show member -f value -c id)
    local identity=http://127.0.0.1:$port/identity/v3
    as() { # OPTION…: the client with nothing but these
        env -u OS_CLOUD OS_AUTH_URL="$identity" OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=RegionOne openstack "$@"
    }
    check "application credential with an access rule" bash -c "openstack application credential create --role member --secret s3cret-word limited \
        --access-rules '[{\"service\": \"compute\", \"method\": \"GET\", \"path\": \"/v2.1/servers\"}]' -f value -c id >'$work/appcred'"
    with_credential() { as --os-auth-type v3applicationcredential --os-application-credential-id "$(cat "$work/appcred")" --os-application-credential-secret s3cret-word "$@"; }
    check "it signs in" with_credential token issue
    with_credential token issue -f value -c id >"$work/token.credential"
    check "its rule lets through" answers 200 credential GET /compute/v2.1/servers
    check "nothing else" answers 401 credential GET /compute/v2.1/flavors
    check "of no other service" answers 401 credential GET /network/v2.0/networks
    check "it makes no other credential" answers 401 credential POST "/identity/v3/users/$demo_id/application_credentials" \
        '{"application_credential": {"name": "more"}}'
    check "deleted" openstack application credential delete limited
    check "its token ends with it" answers 401 credential GET /compute/v2.1/servers

    check "a user who is trusted" as_admin openstack user create --password trusted-word-1 trustee
    check "trust" bash -c "openstack trust create --project $project_id --role $role_id $demo_id $(as_admin openstack user show trustee -f value -c id) -f value -c id >'$work/trust'"
    trusted() { as --os-auth-type v3password --os-username trustee --os-password trusted-word-1 --os-user-domain-id default --os-trust-id "$(cat "$work/trust")" "$@"; }
    check "the trustee acts in the project" trusted network list
    trusted token issue -f value -c id >"$work/token.trust"
    check "its token names the trust" bash -c "curl -s -H 'X-Auth-Token: $(cat "$work/token.trust")' -H 'X-Subject-Token: $(cat "$work/token.trust")' $identity/auth/tokens | jq -e '.token[\"OS-TRUST:trust\"].id == \"$(cat "$work/trust")\"'"
    check "trust deleted" openstack trust delete "$(cat "$work/trust")"
    check "and its tokens" answers 401 trust GET /network/v2.0/networks
    refute "and no sign-in" trusted token issue

    check "consumer" bash -c "OS_CLOUD=haneul-admin openstack consumer create -f json >'$work/consumer'"
    key=$(jq -r .id "$work/consumer") secret=$(jq -r .secret "$work/consumer")
    check "request token" bash -c "OS_CLOUD=haneul-admin openstack request token create --consumer-key $key --consumer-secret $secret --project $(as_admin openstack project show admin -f value -c id) -f json >'$work/request'"
    check "authorized by an administrator" bash -c "OS_CLOUD=haneul-admin openstack request token authorize --request-key $(jq -r .id "$work/request") --role reader \
        -f value -c oauth_verifier >'$work/verifier'"
    check "access token" bash -c "openstack access token create --consumer-key $key --consumer-secret $secret --request-key \$(jq -r .id '$work/request') \
        --request-secret \$(jq -r .secret '$work/request') --verifier $(cat "$work/verifier") -f json >'$work/access'"
    check "OAuth sign-in" bash -c "env -u OS_CLOUD openstack --os-auth-url $identity --os-auth-type v3oauth1 --os-consumer-key $key --os-consumer-secret $secret \
        --os-access-key \$(jq -r .id '$work/access') --os-access-secret \$(jq -r .secret '$work/access') token issue -f value -c id >'$work/token.oauth'"
    check "it has the one role: it reads" answers 200 oauth GET /compute/v2.1/servers
    check "and writes nothing" answers 403 oauth POST /network/v2.0/networks '{"network": {"name": "no"}}'
    check "consumer deleted" as_admin openstack consumer delete "$key"

    check "its tokens end with it" answers 401 oauth GET /compute/v2.1/servers
    check "a user with a second factor" as_admin openstack user create --password factor-word-1 --project demo factored
    check "its role" as_admin openstack role add --user factored --project demo member
    secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP
    check "its secret" as_admin openstack credential create --type totp factored $secret
    check "TOTP sign-in" as --os-auth-type v3totp --os-username factored --os-user-domain-id default --os-project-name demo \
        --os-project-domain-id default --os-passcode "$(passcode $secret)" token issue
    refute "a passcode works once" as --os-auth-type v3totp --os-username factored --os-user-domain-id default --os-project-name demo \
        --os-project-domain-id default --os-passcode "$(passcode $secret)" token issue
    refute "a wrong passcode" as --os-auth-type v3totp --os-username factored --os-user-domain-id default --os-project-name demo \
        --os-project-domain-id default --os-passcode 000000 token issue

    check "a user to lock out" as_admin openstack user create --password right-word-1 forgetful
    sign_in() { as --os-auth-type v3password --os-username forgetful --os-user-domain-id default --os-password "$1" token issue; }
    check "it signs in" sign_in right-word-1
    for _ in 1 2 3; do refute "a wrong password" sign_in wrong; done
    refute "locked out, with the right one, too" sign_in right-word-1

    check "role taken" as_admin openstack role remove --user factored --project demo member
    command -v slapd >/dev/null && from_directory
}
passcode() {
    python3 -c '
import base64, hashlib, hmac, struct, sys, time
word = hmac.new(base64.b32decode(sys.argv[1]), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
at = word[-1] & 15
print("%06d" % ((struct.unpack(">I", word[at:at + 4])[0] & 0x7fffffff) % 1000000))' "$1"
}
from_directory() {
    local folder=$work/ldap domain_id server
    mkdir -p "$folder/data"
    cat >"$folder/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile $folder/pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
directory $folder/data
suffix dc=acme,dc=example
rootdn cn=root,dc=acme,dc=example
rootpw directory-word
CONF
    slapadd -f "$folder/slapd.conf" <<'LDIF'
dn: dc=acme,dc=example
objectClass: dcObject
objectClass: organization
o: acme
dc: acme

dn: ou=Users,dc=acme,dc=example
objectClass: organizationalUnit
ou: Users

dn: uid=ada,ou=Users,dc=acme,dc=example
objectClass: inetOrgPerson
uid: ada
cn: Ada
sn: Lovelace
mail: ada@acme.example
userPassword: engine-word-1
LDIF
    in_host slapd -f "$folder/slapd.conf" -h "ldap://127.0.0.1:$directory/" -d 0 >"$folder/log" 2>&1 &
    server=$!
    check "domain" as_admin openstack domain create acme
    domain_id=$(as_admin openstack domain show acme -f value -c id)
    check "its users are in a directory" answers 201 haneul-admin PUT "/identity/v3/domains/$domain_id/config" '{"config": {
        "identity": {"driver": "ldap"}, "ldap": {"url": "ldap://127.0.0.1:'"$directory"'", "user": "cn=root,dc=acme,dc=example",
        "password": "directory-word", "user_tree_dn": "ou=Users,dc=acme,dc=example", "user_objectclass": "inetOrgPerson",
        "user_id_attribute": "uid", "user_name_attribute": "uid", "user_mail_attribute": "mail"}}}'
    check "its password is not shown" bash -c "! curl -s -H 'X-Auth-Token: $(cat "$work/token.haneul-admin")' http://127.0.0.1:$port/identity/v3/domains/$domain_id/config | grep -q directory-word"
    ada() { as --os-auth-type v3password --os-username ada --os-user-domain-name acme --os-password "$1" "${@:2}"; }
    check "a user of it signs in" within 20 ada engine-word-1 token issue
    refute "not with another password" ada other-word token issue
    check "listed" bash -c "OS_CLOUD=haneul-admin openstack user list --domain acme -f value -c Name | grep -qx ada"
    check "a role" as_admin openstack role add --user ada --user-domain acme --project demo reader
    check "works in the project" ada engine-word-1 --os-project-name demo --os-project-domain-id default network list
    kill $server
}

# --- the job
(check "image: another edition of the guest" edition other; echo "$passed $failed" >"$work/edition.counts") >"$work/edition.part" 2>&1 &
making=$!
check "a cloud comes up" cloud_up
wait $making
cat "$work/edition.part"
read -r more less <"$work/edition.counts"
passed=$((passed + more)) failed=$((failed + less))
for cloud in haneul haneul-admin; do token_of $cloud >"$work/token.$cloud"; done
export OS_CLOUD=haneul-admin
check "flavor" openstack flavor create --ram 128 --disk 1 --vcpus 1 tiny.test
check "flavor, more" openstack flavor create --ram 192 --disk 1 --vcpus 2 tiny.more
check "image upload" openstack image create --disk-format qcow2 --container-format bare --public --file "$work/other.qcow2" other
export OS_CLOUD=haneul
open_to_ssh
check "side network" openstack network create side
check "side subnet" openstack subnet create --network side --subnet-range 10.50.0.0/24 side
router=$(openstack router list -f value -c ID | head -n 1)
check "side interface" openstack router add subnet "$router" side
for name in alpha beta gamma; do check "$name is asked for" boot $name --image guest --network private; done
check "network of IPv6" openstack network create six
check "SLAAC" openstack subnet create --network six --ip-version 6 --subnet-range 2001:db8:1::/64 --ipv6-ra-mode slaac --ipv6-address-mode slaac six-slaac
check "DHCPv6" openstack subnet create --network six --ip-version 6 --subnet-range 2001:db8:2::/64 --ipv6-ra-mode dhcpv6-stateful \
    --ipv6-address-mode dhcpv6-stateful six-dhcp
check "routed: SLAAC" openstack router add subnet "$router" six-slaac
check "routed: DHCPv6" openstack router add subnet "$router" six-dhcp
beside accounts delegated
beside images imported
beside sharing shared
beside rebuild rebuilt
beside shelve shelved
beside network connected
together

export OS_CLOUD=haneul
check "servers deleted" openstack server delete --wait alpha beta gamma delta epsilon
check "nothing left: guests" test -z "$(in_host virsh -q list --all --name | tr -d '\n ')"
check "nothing left: disks" test -z "$(find "$HANEUL_STATE/instances" -mindepth 1 -maxdepth 1 ! -name _base 2>/dev/null)"
summary
