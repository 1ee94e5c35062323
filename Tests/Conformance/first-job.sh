#!/usr/bin/env bash
# Goal: the main job, by the stock client: a network, a router, a security group, a key pair, a flavor, an image, a server
# that is reached by ssh on its floating address and reaches out; and nothing left afterwards.
. "$(dirname "$0")/lib.sh"

check "a cloud comes up" cloud_up
check "all parts are healthy" "$haneul" status
export OS_CLOUD=haneul-admin
check "flavor" openstack flavor create --ram 128 --disk 1 --vcpus 1 tiny.test
check "classic flavors are there" openstack flavor show m1.tiny
check "image upload" openstack image create --disk-format qcow2 --container-format bare --public \
    --file "$repository/.build/guest.qcow2" tiny-image
check "the image has upstream's checksum" test "$(openstack image show tiny-image -f value -c checksum)" = \
    "$(md5sum "$repository/.build/guest.qcow2" | cut -d' ' -f1)"
check "image download" openstack image save --file "$work/download" tiny-image
check "downloaded bytes are the same" cmp "$work/download" "$repository/.build/guest.qcow2"

export OS_CLOUD=haneul
ssh-keygen -q -t ecdsa -N '' -f "$work/key"
check "key pair" openstack keypair create --public-key "$work/key.pub" testkey
check "security group" openstack security group create ssh-icmp
check "rule: ssh" openstack security group rule create --protocol tcp --dst-port 22 ssh-icmp
check "rule: icmp" openstack security group rule create --protocol icmp ssh-icmp
check "network" openstack network create net1
check "subnet" openstack subnet create --network net1 --subnet-range 10.11.0.0/24 --dns-nameserver 9.9.9.9 subnet1
check "router" openstack router create edge1
check "router interface" openstack router add subnet edge1 subnet1
check "external gateway" openstack router set --external-gateway public edge1
check "server, waited for" openstack server create --flavor tiny.test --image tiny-image --network net1 --key-name testkey \
    --security-group ssh-icmp --wait server1
server=$(openstack server show server1 -f value -c id)
address=$(openstack floating ip create public -f value -c floating_ip_address)
check "floating IP attached" openstack server add floating ip server1 "$address"
check "the guest got its address, and its key from the metadata service" within 90 ssh_guest "$address" true
check "ssh: host name" test "$(ssh_guest "$address" hostname)" = server1
check "the guest has DNS by DHCP" ssh_guest "$address" grep -q 9.9.9.9 /etc/resolv.conf
check "the guest reaches the provider network" ssh_guest "$address" ping -c 2 -W 3 172.24.4.1
check "ping by floating address" outside ping -c 2 -W 3 "$address"
check "metadata: instance id" test "$(ssh_guest "$address" wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json | jq -r .uuid)" = "$server"
check "console log" bash -c "openstack console log show server1 | grep -q 'login:'"
check "console URL" bash -c "openstack console url show --novnc server1 -f value -c url | grep -q '^http'"
check "stop" openstack server stop server1
check "stopped" within 60 bash -c "[ \"\$(openstack server show server1 -f value -c status)\" = SHUTOFF ]"
check "start" openstack server start server1
check "active again" within 60 bash -c "[ \"\$(openstack server show server1 -f value -c status)\" = ACTIVE ]"
check "ssh after the start" within 90 ssh_guest "$address" true
check "delete" openstack server delete --wait server1
check "release the floating IP" openstack floating ip delete "$address"
check "gateway off" openstack router unset --external-gateway edge1
check "interface off" openstack router remove subnet edge1 subnet1
check "router deleted" openstack router delete edge1
check "network deleted" openstack network delete net1
check "group deleted" openstack security group delete ssh-icmp
check "key pair deleted" openstack keypair delete testkey

check "nothing left: guests" test -z "$(in_host virsh -q list --all --name | tr -d '\n ')"
check "nothing left: disks" test -z "$(find "$HANEUL_STATE/instances" -mindepth 1 -maxdepth 1 ! -name _base 2>/dev/null)"
nothing_in_ovn() { ! in_host ovn-nbctl --no-leader-only show | grep -qE 'net1|edge1|'"$server"; }
check "nothing left: OVN" nothing_in_ovn
check "nothing left: taps" within 20 bash -c "! '$haneul' exec -- ip -br link | grep -q '^tap'"
export OS_CLOUD=haneul-admin
check "nothing left: placement" test "$(curl -s -H "X-Auth-Token: $(openstack token issue -f value -c id)" \
    "http://127.0.0.1:$port/placement/allocations/$server" | jq -c .allocations)" = '{}'
summary
