#!/usr/bin/env bash
# Goal: one store, two APIs. Method: the stock swift client, openstackclient and boto3 on the same containers: files, folders,
# large objects, metadata, ACLs between projects, temporary URLs, versions, copies, expiry, web pages; then every S3 operation
# that is built; and nothing left of clients that vanish.
. "$(dirname "$0")/lib.sh"
need_object_clients
cd "$work" || exit 1
base=http://127.0.0.1:$port
# Every list is asked again until it is right: rows may come a moment after their objects.
lists() { within 10 bash -c "diff <(swift_as demo list $1) <(printf '%s\n' ${*:2})"; }
same() { cmp "$1" "$2"; }
code() { # STATUS CURL-OPTION…
    local wanted=$1 got
    shift
    got=$(curl -s -m 60 -o "$work/body" -w '%{http_code}' "$@")
    [ "$got" = "$wanted" ] || { echo "$got instead of $wanted"; head -c 300 "$work/body"; return 1; }
}
says() { grep -qiE -- "$1" <<<"$("${@:2}" 2>&1)" || { "${@:2}" 2>&1 | tail -n 12; return 1; }; }
header() { # NAME CURL-OPTION…
    curl -s -m 60 -I "${@:2}" | tr -d '\r' | sed -n "s/^$1: //Ip"
}
export -f swift_as password_of within says
export port

check "the APIs answer" serve_fake
export OS_CLOUD=haneul
token=$(openstack token issue -f value -c id)
project=$(openstack token issue -f value -c project_id)
account=/v1/AUTH_$project
as_demo=(-H "X-Auth-Token: $token")
check "a token" test -n "$token"
check "the catalog names the store" says "object-store" openstack --os-cloud haneul-admin catalog show object-store

echo "      -- the seeds' walk"
head -c 13000000 /dev/urandom >cirros-0.3.5-x86_64-disk.img
check "swift post" swift_as demo post demo-c1
check "swift upload" swift_as demo upload demo-c1 cirros-0.3.5-x86_64-disk.img
check "swift list" lists demo-c1 cirros-0.3.5-x86_64-disk.img
check "swift list --lh says size and name" says '^ *12M .*cirros-0.3.5' swift_as demo list demo-c1 --lh
check "swift list --lh of the account" says '1 +12M .*demo-c1' swift_as demo list --lh
mkdir -p down && cd down || exit 1
check "swift download" swift_as demo download demo-c1
check "the same bytes" same cirros-0.3.5-x86_64-disk.img ../cirros-0.3.5-x86_64-disk.img
cd ..
check "swift stat of the account" says 'Containers: 1' swift_as demo stat
check "swift stat of the container" says 'Objects: 1' swift_as demo stat demo-c1
check "swift stat of the object: its ETag is its MD5" says "ETag: $(md5sum <cirros-0.3.5-x86_64-disk.img | cut -d' ' -f1)" \
    swift_as demo stat demo-c1 cirros-0.3.5-x86_64-disk.img
refute "no object of another name" swift_as demo stat demo-c1 none
check "swift delete of the object" swift_as demo delete demo-c1 cirros-0.3.5-x86_64-disk.img
check "swift delete of the container" swift_as demo delete demo-c1
refute "it is gone" swift_as demo stat demo-c1

echo "      -- folders and metadata"
mkdir -p "tree/a/b" tree/c
for name in tree/a/one tree/a/b/two tree/c/three "tree/a/with space" tree/c/ünïcødé; do head -c 3000 /dev/urandom >"$name"; done
: >tree/empty
check "a folder is uploaded" swift_as demo upload tree tree
check "its names" test "$(swift_as demo list tree | sort | md5sum)" = "$(find tree -type f | sort | md5sum)"
check "below a prefix" test "$(swift_as demo list tree --prefix tree/a/ | wc -l)" = 3
check "with a delimiter" test "$(swift_as demo list tree --prefix tree/ --delimiter / | sort | tr '\n' ' ')" = \
    "tree/a/ tree/c/ tree/empty "
check "downloaded elsewhere" swift_as demo download tree -D "$work/down"
check "the folder is the same" diff -r tree down/tree
check "uploaded again, only what changed" says '^tree/c/three$' bash -c \
    'echo more >>tree/c/three; swift_as demo upload --changed tree tree'
check "metadata of an object" swift_as demo post -m Color:Blue -m "Shape:round one" tree tree/empty
check "is told" says 'Meta Shape: round one' swift_as demo stat tree tree/empty
check "metadata of a container" swift_as demo post -m Owner:kim tree
check "is told" says 'Meta Owner: kim' swift_as demo stat tree
check "metadata of an account" swift_as demo post -m Site:seoul
check "is told" says 'Meta Site: seoul' swift_as demo stat
check "a header" swift_as demo post -H "Content-Type: text/x-new" tree tree/empty
check "is told" says 'Content Type: text/x-new' swift_as demo stat tree tree/empty
check "swift copy" swift_as demo copy -d /other/copied -m Copy:yes tree "tree/a/one"
check "the copy's bytes" bash -c 'swift_as demo download other copied -o copied && cmp copied tree/a/one'
check "the copy's metadata" says 'Meta Copy: yes' swift_as demo stat other copied
check "swift capabilities" says 'Core: swift' swift_as demo capabilities
for part in slo dlo tempurl bulk_delete versioned_writes staticweb symlink; do
    check "which name $part" says "$part" swift_as demo capabilities
done

echo "      -- large objects"
head -c 25000000 /dev/urandom >large
sum=$(sha256sum <large)
check "in static segments" swift_as demo upload --use-slo --segment-size 5M big large --object-name static
check "five segments" test "$(swift_as demo list big_segments | wc -l)" = 5
check "the object has the whole size" says 'Content Length: 25000000' swift_as demo stat big static
check "the same bytes" bash -c "swift_as demo download big static -o static && [ \"\$(sha256sum <static)\" = '$sum' ]"
check "a range over segments' ends" bash -c \
    "curl -sf -r 5242000-10486000 -H 'X-Auth-Token: $token' $base$account/big/static | cmp - <(tail -c +5242001 large | head -c 5244001)"
check "in dynamic segments" swift_as demo upload --use-dlo --segment-size 6M --segment-container dynamic_segments big large \
    --object-name dynamic
check "is a manifest" says 'Manifest: dynamic_segments' swift_as demo stat big dynamic
check "the same bytes" bash -c "swift_as demo download big dynamic -o dynamic && [ \"\$(sha256sum <dynamic)\" = '$sum' ]"
check "from standard input" bash -c "swift_as demo upload big - --object-name stdin --segment-size 8M <large"
check "the same bytes" bash -c "swift_as demo download big stdin -o stdin && [ \"\$(sha256sum <stdin)\" = '$sum' ]"
check "deleted with its segments" swift_as demo delete big static
check "no segment is left of it" bash -c '! swift_as demo list big_segments | grep -q static'

echo "      -- who may"
export OS_CLOUD=haneul-admin
check "another project" openstack project create other
check "another user" openstack user create --project other --password other-secret other
check "who is a member of it" openstack role add --user other --project other member
export OS_CLOUD=haneul
echo shared >shared
swift_as demo upload shelf shared >/dev/null
other() { PASSWORD=other-secret swift_as other --os-storage-url "$base$account" "$@"; }
refute "another project may not list" other list shelf
refute "nor read" other download shelf shared -o stolen
refute "nor write" other upload shelf large
check "-r lets it" swift_as demo post -r other:other shelf
check "read" other download shelf shared -o theirs
check "the same bytes" same shared theirs
check "list" says shared other list shelf
refute "but not write" other upload shelf tree/a/one
check "-w lets it" swift_as demo post -w other:other shelf
check "write" other upload shelf tree/a/one --object-name gift
check "the owner reads what it wrote" swift_as demo download shelf gift -o gift
refute "strangers may not read" curl -sf "$base$account/shelf/shared"
check "they get 401" code 401 "$base$account/shelf/shared"
check "-r .r:*" swift_as demo post -r '.r:*' shelf
check "lets strangers read" code 200 "$base$account/shelf/shared"
check "the same bytes" same shared body
check "but not list" code 401 "$base$account/shelf"
check "-r .r:*,.rlistings" swift_as demo post -r '.r:*,.rlistings' shelf
check "lets them list" code 200 "$base$account/shelf"
check "but never write" code 401 -T shared "$base$account/shelf/theirs"
check "nobody's token is a stranger's" code 401 -H 'X-Auth-Token: none' "$base$account"
check "a foreign account is forbidden" code 403 "${as_demo[@]}" "$base/v1/AUTH_00000000000000000000000000000000"

echo "      -- temporary URLs"
check "a key" swift_as demo post -m Temp-URL-Key:secret-one
echo private >private
swift_as demo upload closet private >/dev/null
for digest in sha256 sha512 sha1; do
    check "signed by $digest" code 200 "$base$(swift tempurl --digest $digest GET 60 "$account/closet/private" secret-one)"
done
check "the same bytes" same private body
check "signed for a prefix" code 200 "$base$(swift tempurl --prefix-based GET 60 "$account/closet/pri" secret-one |
    sed 's|/pri?|/private?|')"
check "signed for PUT" code 201 -T large "$base$(swift tempurl PUT 60 "$account/closet/dropped" secret-one)"
check "not for another method" code 401 -X DELETE "$base$(swift tempurl GET 60 "$account/closet/private" secret-one)"
check "not by another key" code 401 "$base$(swift tempurl GET 60 "$account/closet/private" secret-two)"
check "not after its time" code 401 "$base$(swift tempurl --absolute GET 1700000000 "$account/closet/private" secret-one)"

echo "      -- versions"
swift_as demo post -H 'X-Versions-Enabled: true' versions >/dev/null
for n in 1 2 3; do echo "text $n" >text && swift_as demo upload versions text >/dev/null; done
check "the newest is read" bash -c "swift_as demo download versions text -o - | grep -qx 'text 3'"
check "three versions" test "$(curl -s "${as_demo[@]}" "$base$account/versions?versions&format=json" | jq 'length')" = 3
first=$(curl -s "${as_demo[@]}" "$base$account/versions?versions&format=json" | jq -r '.[2].version_id')
check "the first is read by its id" bash -c "curl -sf -H 'X-Auth-Token: $token' '$base$account/versions/text?version-id=$first' | grep -qx 'text 1'"
check "deleted" swift_as demo delete versions text
check "is not there" code 404 "${as_demo[@]}" "$base$account/versions/text"
check "its versions are" test "$(curl -s "${as_demo[@]}" "$base$account/versions?versions&format=json" | jq 'length')" = 4
check "is back by its id" code 201 -X PUT "${as_demo[@]}" "$base$account/versions/text?version-id=$first" -H 'Content-Length: 0'
check "and is the first" bash -c "swift_as demo download versions text -o - | grep -qx 'text 1'"
swift_as demo post archive >/dev/null
check "versions the older way" swift_as demo post -H 'X-Versions-Location: archive' stack
for n in 1 2; do echo "text $n" >text && swift_as demo upload stack text >/dev/null; done
check "the older one is in the archive" test "$(swift_as demo list archive | wc -l)" = 1
check "a deletion brings it back" bash -c "swift_as demo delete stack text && swift_as demo download stack text -o - | grep -qx 'text 1'"

echo "      -- expiry and web pages"
check "expires in two seconds" swift_as demo upload -H 'X-Delete-After: 2' closet tree/empty --object-name brief
check "is there" code 200 "${as_demo[@]}" "$base$account/closet/brief"
check "is not there" within 10 code 404 "${as_demo[@]}" "$base$account/closet/brief"
mkdir -p site && echo '<h1>home</h1>' >site/index.html && echo '<h1>lost</h1>' >site/404error.html
check "a site" bash -c "cd site && swift_as demo upload site index.html 404error.html && mkdir -p files && echo x >files/x && swift_as demo upload site files"
check "open to all" swift_as demo post -r '.r:*,.rlistings' -m web-index:index.html -m web-error:error.html -m web-listings:true site
check "its index" bash -c "curl -sfL '$base$account/site/' | grep -q home"
check "its page of errors" bash -c "curl -s '$base$account/site/none' | grep -q lost"
check "a listing" bash -c "curl -sf '$base$account/site/files/' | grep -qE 'href=\"(./)?x\"'"

echo "      -- openstackclient"
check "container create" openstack container create oc
check "container list" says '^oc$' openstack container list -f value -c Name
check "container set" openstack container set --property owner=lee oc
check "container show" says lee openstack container show oc
check "container unset" openstack container unset --property owner oc
check "object create" openstack object create oc tree/a/one --name one
check "object list" test "$(openstack object list oc -f value -c Name)" = one
check "object show" says 3000 openstack object show oc one
check "object set" openstack object set --property kind=test oc one
check "object show tells" says test openstack object show oc one -f value -c properties
check "object save" openstack object save --file saved oc one
check "the same bytes" same saved tree/a/one
mkdir -p bag && cd bag || exit 1
check "container save" openstack container save oc
cd ..
check "the same bytes" same bag/one tree/a/one
check "object delete" openstack object delete oc one
check "container delete" openstack container delete oc
check "object store account set" openstack object store account set --property team=blue
check "object store account show" says blue openstack object store account show

echo "      -- S3, the same objects"
read -r access secret < <(openstack ec2 credentials create -f json | jq -r '"\(.access) \(.secret)"')
check "EC2 credentials" test -n "$secret"
export AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret S3_ENDPOINT=$base AWS_EC2_METADATA_DISABLED=true
export OS_STORAGE_URL=$base$account OS_TOKEN=$token
swift_as demo upload both tree/a/one --object-name by-swift >/dev/null
cat >s3.py <<'PY'
import os, sys, boto3, botocore.config
s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], region_name="us-east-1",
                  config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}))
print(eval(sys.argv[1]))
PY
s3() { "$client/bin/python" s3.py "$1"; }
etag() { header etag "${as_demo[@]}" "$base$account/both/$1" | tr -d '"'; }
check "S3 lists the container" says "'both'" s3 '[b["Name"] for b in s3.list_buckets()["Buckets"]]'
check "S3 reads what swift wrote" s3 's3.download_file("both", "by-swift", "read-by-s3")'
check "the same bytes" same read-by-s3 tree/a/one
check "with one ETag" test "$(s3 's3.head_object(Bucket="both", Key="by-swift")["ETag"].strip(chr(34))')" = "$(etag by-swift)"
check "S3 writes" s3 's3.put_object(Bucket="both", Key="by-s3", Body=open("private","rb"), Metadata={"color":"red"})["ETag"]'
check "swift reads what S3 wrote" swift_as demo download both by-s3 -o read-by-swift
check "the same bytes" same read-by-swift private
check "with one ETag" test "$(s3 's3.head_object(Bucket="both", Key="by-s3")["ETag"].strip(chr(34))')" = "$(etag by-s3)"
check "and its metadata" says 'Meta Color: red' swift_as demo stat both by-s3
check "S3 writes in parts" s3 's3.upload_file("large", "both", "parts", Config=__import__("boto3.s3.transfer").s3.transfer.TransferConfig(multipart_threshold=6<<20, multipart_chunksize=6<<20))'
check "its ETag says in how many" says '^"?[0-9a-f]{32}-4"?' s3 's3.head_object(Bucket="both", Key="parts")["ETag"].strip(chr(34))'
check "swift reads them as one" bash -c "swift_as demo download both parts -o parts; [ \"\$(sha256sum <parts)\" = '$sum' ]"
check "a presigned URL" code 200 "$(s3 's3.generate_presigned_url("get_object", Params={"Bucket":"both","Key":"by-swift"})')"
check "the same bytes" same body tree/a/one
check "a presigned URL to write" code 200 -T shared "$(s3 's3.generate_presigned_url("put_object", Params={"Bucket":"both","Key":"put"})')"
check "swift reads it" bash -c "swift_as demo download both put -o - | cmp - shared"
refute "no other secret" env AWS_SECRET_ACCESS_KEY=wrong "$client/bin/python" s3.py 's3.list_buckets()'
refute "another user's bucket stays closed" curl -sf "$base/both/by-s3"
check "every operation of S3 (s3_test.py)" "$client/bin/python" "$here/s3_test.py"
grep -hE '^(ERROR|FAIL): ' "$work/out" | sed 's/^/        /'

echo "      -- clients that vanish"
check "200 uploads and downloads cut in the middle leave nothing" python3 "$here/object_load.py" vanish \
    --url "$base$account" --token "$token" --pid "$server" --device "$HANEUL_STATE/objects"
sed 's/^/         /' "$work/out"

echo "      -- nothing left"
check "everything is deleted" swift_as demo delete --all
check "swift says so" says 'Containers: 0' swift_as demo stat
no_bytes() { [ "$(find "$HANEUL_STATE/objects" -name '*.data' | wc -l)" = 0 ]; }
check "no object is on the device" within 30 no_bytes
check "no temporary file is" test -z "$(find "$HANEUL_STATE/objects/tmp" -type f)"
refute "no error in the log" grep -E '"level":"error"|level=error' "$work/serve.log"
summary
