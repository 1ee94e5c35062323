#!/usr/bin/env bash
# Goal: volumes outlive servers. Method: by the stock client, on files and on iSCSI: bytes that one guest wrote are read by
# another, by a volume of a snapshot, a clone, a restored backup; a volume grows under a running guest; a server boots from a
# volume that stays when the server goes; and nothing is left of what was deleted.
. "$(dirname "$0")/lib.sh"
two_backends

check "a cloud comes up" cloud_up
check "all parts are healthy" "$haneul" status
export OS_CLOUD=haneul-admin
volume_types
check "flavor" openstack flavor create --ram 128 --disk 1 --vcpus 1 tiny.test
check "flavor without a disk" openstack flavor create --ram 128 --disk 0 --vcpus 1 tiny.volume

export OS_CLOUD=haneul
open_to_ssh
status_of() { openstack volume show "$1" -f value -c status; }
volume_is() { [ "$(status_of "$1")" = "$2" ]; }
# A server with a floating address, in the variable of its name.
boot() { # NAME OPTION…
    local name=$1
    shift
    openstack server create --network private --key-name testkey --wait "$@" "$name" || return 1
    address=$(openstack floating ip create public -f value -c floating_ip_address)
    openstack server add floating ip "$name" "$address"
    printf -v "$name" %s "$address"
    within 90 ssh_guest "$address" true
}
root() { # ADDRESS COMMAND
    ssh_guest "$1" sudo sh -c "'$2'"
}
# The disk by its serial, which is the beginning of the volume's id.
disk() { # ADDRESS VOLUME
    root "$1" "grep -l ${2:0:20} /sys/block/*/serial | cut -d/ -f4"
}
attach() { # SERVER ADDRESS VOLUME
    openstack server add volume "$1" "$3" && within 30 volume_is "$3" in-use && within 20 test_disk "$2" "$3"
}
test_disk() { [ -n "$(disk "$1" "$2")" ]; }
no_disk() { ! test_disk "$1" "$2"; }
detach() { # SERVER VOLUME
    openstack server remove volume "$1" "$2" && within 60 volume_is "$2" available
}
mounted() { # ADDRESS VOLUME COMMAND: runs it in the volume's file system
    root "$1" "mount /dev/$(disk "$1" "$2") /mnt && cd /mnt && $3; status=\$?; cd /; umount /mnt; exit \$status"
}
sum() { mounted "$1" "$2" "sha256sum data" | cut -d' ' -f1; }
create() { # NAME OPTION…
    openstack volume create -f value -c id "$@" >"$work/id" && within 60 volume_is "$(cat "$work/id")" available
}
sees_size() { [ "$(root "$1" "blockdev --getsize64 /dev/$(disk "$1" "$2")")" = "$3" ]; }

check "server one" boot one --flavor tiny.test --image guest
check "server two" boot two --flavor tiny.test --image guest

as_admin() { OS_CLOUD=haneul-admin "$@"; }
host_of() { as_admin openstack volume show "$1" -f value -c os-vol-host-attr:host; }
is_on() { [[ "$(host_of "$1")" = *@"$2"#* && "$(as_admin openstack volume show "$1" -f value -c os-vol-mig-status-attr:migstat)" = success ]]; }
other_than() { [ "$1" = files ] && echo iscsi || echo files; }
check "a volume of any backend" create --size 1 mover
mover=$(cat "$work/id")
check "attached to a running guest" attach one "$one" "$mover"
check "a file system in it" root "$one" "mke2fs -q /dev/$(disk "$one" "$mover")"
check "bytes in the file system" mounted "$one" "$mover" "dd if=/dev/urandom of=data bs=1M count=16 2>/dev/null && sync"
written=$(sum "$one" "$mover")
check "the bytes have a sum" test ${#written} = 64
first=$(host_of "$mover" | sed "s/.*@//;s/#.*//")
second=$(other_than "$first")
pool=$(as_admin openstack volume backend pool list -f value -c Name | grep "@$second#")
check "moves to $second below the running guest" as_admin openstack volume migrate --host "$pool" "$mover"
check "is on $second, and in use" within 180 is_on "$mover" "$second"
check "stays in use" volume_is "$mover" in-use
check "the guest reads the same bytes" test "$(sum "$one" "$mover")" = "$written"
check "the guest writes on" mounted "$one" "$mover" "echo moved > moved && sync"
check "goes back by a retype" openstack volume set --type "$first" --migration-policy on-demand "$mover"
check "is on $first" within 180 is_on "$mover" "$first"
check "is in use again" volume_is "$mover" in-use
check "the guest reads all that it wrote" mounted "$one" "$mover" "grep -q moved moved"
check "and the same bytes" test "$(sum "$one" "$mover")" = "$written"
check "a hard reboot" openstack server reboot --hard --wait one
check "the guest is back" within 90 ssh_guest "$one" true
check "it finds the volume where it is now" test "$(sum "$one" "$mover")" = "$written"
check "detached" detach one "$mover"
check "deleted" openstack volume delete "$mover"

for backend in files iscsi; do
    echo "      -- $backend"
    check "volume" create --size 1 --type $backend "$backend-data"
    data=$(cat "$work/id")
    check "attached to a running guest" attach one "$one" "$data"
    check "a file system in it" root "$one" "mke2fs -q /dev/$(disk "$one" "$data")"
    check "bytes in the file system" mounted "$one" "$data" "dd if=/dev/urandom of=data bs=1M count=16 2>/dev/null && sync"
    written=$(sum "$one" "$data")
    check "the bytes have a sum" test ${#written} = 64
    # Plain files that share no extents cannot be frozen while a guest writes; logical volumes and layers can.
    [ $backend = files ] || check "detached for the snapshot" detach one "$data"
    check "a snapshot" openstack volume snapshot create --force --volume "$data" "$backend-snapshot"
    check "the snapshot is available" within 60 bash -c \
        "[ \"\$(openstack volume snapshot show $backend-snapshot -f value -c status)\" = available ]"
    [ $backend = files ] || check "attached again" attach one "$one" "$data"
    check "the guest writes on" mounted "$one" "$data" "echo later > later && sync"
    check "grows under the running guest" openstack volume set --size 2 "$data"
    check "the guest sees the new size" within 40 sees_size "$one" "$data" 2147483648
    check "detached" detach one "$data"
    check "no disk is left in the guest" no_disk "$one" "$data"
    check "attached to another guest" attach two "$two" "$data"
    check "the other guest reads the same bytes" test "$(sum "$two" "$data")" = "$written"
    check "detached from the other" detach two "$data"

    check "a volume of the snapshot" create --snapshot "$backend-snapshot" --type $backend "$backend-copy"
    copy=$(cat "$work/id")
    check "a clone" create --source "$data" --type $backend "$backend-clone"
    clone=$(cat "$work/id")
    check "a backup" openstack volume backup create --name "$backend-backup" "$data"
    check "the backup is available" within 120 bash -c \
        "[ \"\$(openstack volume backup show $backend-backup -f value -c status)\" = available ]"
    check "a volume to restore into" create --size 2 --type $backend "$backend-restored"
    restored=$(cat "$work/id")
    check "restored" openstack volume backup restore --force "$backend-backup" "$backend-restored"
    check "the restored volume is available" within 120 volume_is "$restored" available
    for name in copy clone restored; do
        check "the $name is attached" attach two "$two" "${!name}"
        check "the $name has the same bytes" test "$(sum "$two" "${!name}")" = "$written"
        case $name in
            copy) check "the copy has nothing later" mounted "$two" "${!name}" "test ! -e later" ;;
            *) check "the $name has what came later" mounted "$two" "${!name}" "grep -q later later" ;;
        esac
        check "the $name is detached" detach two "${!name}"
    done

    check "a bootable volume" create --size 1 --type $backend --image guest "$backend-root"
    system=$(cat "$work/id")
    check "a server boots from it" boot three --flavor tiny.volume --volume "$system"
    check "it leaves a mark" root "$three" "echo was-here > /mark && sync"
    check "the server is deleted" openstack server delete --wait three
    check "its volume is still there" within 30 volume_is "$system" available
    check "another server boots from the same volume" boot four --flavor tiny.volume --volume "$system"
    check "it finds the mark" root "$four" "grep -q was-here /mark"
    check "the other server is deleted" openstack server delete --wait four

    check "an image of the volume" openstack image create --volume "$system" "$backend-image"
    check "the image is active" within 120 bash -c \
        "[ \"\$(openstack image show $backend-image -f value -c status)\" = active ]"
    check "the image is deleted" openstack image delete "$backend-image"
done

check "an image of a running server" openstack server image create --name frozen --wait two
check "a server of that image" boot five --flavor tiny.test --image frozen
check "servers deleted" openstack server delete --wait one two five
check "image deleted" openstack image delete frozen

for backend in files iscsi; do
    check "$backend: snapshot deleted" openstack volume snapshot delete "$backend-snapshot"
    check "$backend: backup deleted" openstack volume backup delete "$backend-backup"
    within 60 bash -c "! openstack volume snapshot show $backend-snapshot"
    check "$backend: volumes deleted" openstack volume delete "$backend-data" "$backend-copy" "$backend-clone" \
        "$backend-restored" "$backend-root"
done
nothing() { [ -z "$(openstack volume list --all-projects -f value 2>/dev/null)" ]; }
export OS_CLOUD=haneul-admin
check "no volume is left" within 60 nothing
check "no target is left" bash -c "! '$haneul' exec -- tgtadm --lld iscsi --op show --mode target | grep -q '^Target'"
no_layers() { [ -z "$(find "$HANEUL_STATE/volumes" "$HANEUL_STATE/volumes-iscsi" -type f -size +1M 2>/dev/null)" ]; }
check "no byte of them is left" within 240 no_layers
check "no fragment of a backup is left" test -z "$(find "$HANEUL_STATE/backups" -type f -size +1M 2>/dev/null)"
check "no scratch file is left" test -z "$(find "$HANEUL_STATE/scratch" -type f 2>/dev/null)"
summary
