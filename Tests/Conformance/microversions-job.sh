#!/usr/bin/env bash
# Goal: a client of any time gets the compute API of its time. Method: the differences that upstream documents, at 2.1, 2.60,
# the newest version and on both sides of each change, by raw HTTP; and the stock client at each of the three.
. "$(dirname "$0")/lib.sh"
check "a cloud with a fake host" serve_fake
export OS_CLOUD=haneul-admin
api=http://127.0.0.1:$port/compute/v2.1
newest=$(curl -s "$api/" | jq -r .version.version)
check "the newest version is 2.100 or newer" test "${newest#2.}" -ge 100
check "image" openstack image create --disk-format raw --container-format bare --public --file "$here/lib.sh" plain
check "flavor" openstack flavor create --ram 64 --disk 1 --vcpus 1 --id small small
check "another" openstack flavor create --ram 128 --disk 1 --vcpus 1 --id larger larger
check "network" openstack network create --share net
check "subnet" openstack subnet create --network net --subnet-range 10.1.0.0/24 net
COMPUTE_URL=$api ADMIN_TOKEN=$(openstack token issue -f value -c id) MEMBER_TOKEN=$(OS_CLOUD=haneul openstack token issue -f value -c id) \
    FLAVOR=small BIGGER_FLAVOR=larger IMAGE=$(openstack image show plain -f value -c id) NETWORK=$(openstack network show net -f value -c id) \
    python3 "$here/microversions_test.py" >"$work/versions"
sed '$d' "$work/versions"
read -r more _ less _ < <(tail -n 1 "$work/versions" | grep -E '^[0-9]+ passed, [0-9]+ failed$' || echo "0 passed, 1 failed")
passed=$((passed + more)) failed=$((failed + less))

at() { openstack --os-compute-api-version "$@"; }
# column VERSION FIELD COMMAND…: the client shows the field
column() {
    local version=$1 field=$2
    shift 2
    at "$version" "$@" -f json | jq -e --arg field "$field" 'has($field) and .[$field] != null' >/dev/null
}
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
for version in 2.1 2.60 "$newest"; do
    echo "      -- openstack --os-compute-api-version $version"
    check "server" at "$version" server create --flavor small --image plain --network net --wait "at-$version"
    check "listed" bash -c "openstack --os-compute-api-version $version server list -f value -c Name -c Status | grep -qx 'at-$version ACTIVE'"
    check "shown" at "$version" server show "at-$version"
    check "flavor" at "$version" flavor show small
    check "key pair" at "$version" keypair create --public-key "$work/key.pub" "key-${version//./-}"
    check "key pair deleted" at "$version" keypair delete "key-${version//./-}"
    check "server group" at "$version" server group create --policy anti-affinity "group-$version"
    check "server group deleted" at "$version" server group delete "group-$version"
    check "resize" at "$version" server resize --flavor larger --wait "at-$version"
    check "migrations" at "$version" server migration list
    check "revert" at "$version" server resize revert "at-$version"
    check "back" within 30 bash -c "[ \"\$(openstack server show 'at-$version' -f value -c status)\" = ACTIVE ]"
    case $version in
        2.1)
            refute "no description" at 2.1 server set --description words "at-$version"
            refute "no tags" at 2.1 server set --tag blue "at-$version"
            refute "no reason of a lock" at 2.1 server lock --reason why "at-$version"
            refute "no description of a flavor" at 2.1 flavor create --ram 64 --description words described
            refute "no soft policies" at 2.1 server group create --policy soft-affinity soft
            check "a key pair is made" bash -c "openstack --os-compute-api-version 2.1 keypair create made >'$work/made' && grep -q 'PRIVATE KEY' '$work/made'"
            ;;
        2.60)
            check "description" at 2.60 server set --description words "at-$version"
            check "tags" at 2.60 server set --tag blue "at-$version"
            refute "no reason of a lock" at 2.60 server lock --reason why "at-$version"
            check "description of a flavor" at 2.60 flavor create --ram 64 --description words described
            check "soft policies" at 2.60 server group create --policy soft-affinity soft
            refute "no rules of a policy" at 2.60 server group create --policy anti-affinity --rule max_server_per_host=2 ruled
            ;;
        *)
            check "a reason of a lock" at "$version" server lock --reason why "at-$version"
            check "shown" column "$version" locked_reason server show "at-$version"
            check "unlocked" at "$version" server unlock "at-$version"
            check "rules of a policy" at "$version" server group create --policy anti-affinity --rule max_server_per_host=2 ruled
            check "a host name" at "$version" server create --flavor small --image plain --network net --hostname named named
            ;;
    esac
    check "server deleted" at "$version" server delete --wait "at-$version"
done
summary
