#!/usr/bin/env bash
# Goal: networks join where a router joins them and nowhere else; a rule that goes cuts new traffic within a second; a guest
# cannot send with an address that is not its own.
. "$(dirname "$0")/lib.sh"

check "a cloud comes up" cloud_up
export OS_CLOUD=haneul-admin
check "flavor" openstack flavor create --ram 128 --disk 1 --vcpus 1 tiny.test
check "another project" openstack project create other
check "another tenant" openstack role add --project other --user admin member
export OS_CLOUD=haneul
ssh-keygen -q -t ecdsa -N '' -f "$work/key"
check "key pair" openstack keypair create --public-key "$work/key.pub" testkey
check "group" openstack security group create open
rule_ssh=$(openstack security group rule create --protocol tcp --dst-port 22 open -f value -c id)
check "rule: icmp" openstack security group rule create --protocol icmp open
check "router" openstack router create r1
check "gateway" openstack router set --external-gateway public r1
for n in 1 2; do
    check "network $n" openstack network create net$n
    check "subnet $n" openstack subnet create --network net$n --subnet-range 10.2$n.0.0/24 sub$n
    check "interface $n" openstack router add subnet r1 sub$n
    check "server $n" openstack server create --flavor tiny.test --image guest --network net$n --key-name testkey \
        --security-group open --wait vm$n
done
fixed() { openstack server show "$1" -f json | jq -r '.addresses | to_entries[0].value[0]'; }
one=$(fixed vm1) two=$(fixed vm2)
address=$(openstack floating ip create public -f value -c floating_ip_address)
check "floating IP" openstack server add floating ip vm1 "$address"
check "ssh to the first" within 90 ssh_guest "$address" true
check "the second answers through the router" within 60 ssh_guest "$address" ping -c 1 -W 2 "$two"
check "the second's ssh port is open" within 60 ssh_guest "$address" "sleep 2 | nc -w 3 $two 22 | grep -q SSH"

check "rule removed" openstack security group rule delete "$rule_ssh"
sleep 1
refute "new connections are cut within a second" outside timeout 4 bash -c "exec 3<>/dev/tcp/$address/22"
check "ping still passes" outside ping -c 1 -W 2 "$address"
check "rule back" openstack security group rule create --protocol tcp --dst-port 22 open
check "ssh again" within 20 ssh_guest "$address" true

spoof() { ssh_guest "$address" sudo sh -c "'ip addr add 10.21.0.99/32 dev eth0; ping -c 2 -W 1 -I 10.21.0.99 10.21.0.1; status=\$?; ip addr del 10.21.0.99/32 dev eth0; exit \$status'"; }
refute "a spoofed source address is dropped" spoof

other() { openstack --os-cloud haneul-admin --os-project-name other "$@"; }
check "another tenant's network" other network create foreign
check "another tenant's subnet" other subnet create --network foreign --subnet-range 10.31.0.0/24 foreign
check "another tenant's server" other server create --flavor tiny.test --image guest --network foreign --wait stranger
stranger=$(other server show stranger -f json | jq -r '.addresses | to_entries[0].value[0]')
refute "another tenant's server is not reachable" ssh_guest "$address" ping -c 2 -W 1 "$stranger"
refute "another tenant's network is not visible" openstack network show foreign
summary
