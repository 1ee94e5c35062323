#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compute's microversions as documented: which fields answers have and requests may have, from 2.1 to the newest.

Every claim is tried at 2.1, 2.60, the newest version, and on both sides of the version that changed it.
Needs in the environment: COMPUTE_URL (http://127.0.0.1:8774/v2.1), ADMIN_TOKEN, MEMBER_TOKEN, and the ids FLAVOR,
BIGGER_FLAVOR, IMAGE, NETWORK.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ["COMPUTE_URL"]
TOKENS = {"admin": os.environ["ADMIN_TOKEN"], "member": os.environ["MEMBER_TOKEN"]}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test"
passed = failed = 0


def call(method, path, body=None, version=None, who="admin", headers=None):
    """Status, headers, body."""
    named = {"X-Auth-Token": TOKENS[who], "Content-Type": "application/json", **(headers or {})}
    if version:
        named["OpenStack-API-Version"] = f"compute {version}"
    request = urllib.request.Request(
        URL + path, method=method, headers=named, data=json.dumps(body).encode() if body is not None else None
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, named, text = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        status, named, text = error.code, error.headers, error.read()
    try:
        return status, named, json.loads(text) if text else None
    except ValueError:
        return status, named, text


def check(claim, wrong):
    """`wrong` are the reasons why the claim does not hold."""
    global passed, failed
    if wrong:
        failed += 1
        print(f"FAIL  {claim}")
        for reason in wrong[:4]:
            print(f"        {reason}")
    else:
        passed += 1
        print(f"ok    {claim}")


def number(version):
    return int(version.split(".")[1])


NEWEST = call("GET", "/")[2]["version"]["version"]


def around(*changes):
    """2.1, 2.60, the newest, and both sides of each change, in order."""
    minors = {1, 60, number(NEWEST)}
    for change in changes:
        if change:
            minors |= {change - 1, change}
    return [f"2.{minor}" for minor in sorted(minors) if 1 <= minor <= number(NEWEST)]


def fields(noun, read, table, who="admin"):
    """table: field: (first minor version with it, first without it again or None)."""
    for field, (since, until) in table.items():
        wrong = []
        for version in around(since, until):
            there = since <= number(version) and (until is None or number(version) < until)
            found = read(version, who)
            if (field in found) != there:
                wrong.append(f"{version}: {'missing in' if there else 'present in'} {sorted(found)}")
        span = f"since 2.{since}" if since > 1 else "from the start"
        check(f"{noun}: {field} {span}" + (f", until 2.{until}" if until else ""), wrong)


def accepted(claim, since, until, attempt, good, bad=(400,)):
    """attempt(version) → status: one of `good` from `since` until before `until`, else one of `bad`."""
    wrong = []
    for version in around(since, until):
        status = attempt(version)
        status = status[0] if isinstance(status, tuple) else status
        wanted = good if since <= number(version) and (until is None or number(version) < until) else bad
        if status not in wanted:
            wrong.append(f"{version}: {status}, not {' or '.join(map(str, wanted))}")
    check(claim, wrong)


def settled(server, *states):
    end = time.time() + 60
    while time.time() < end:
        status, _, body = call("GET", f"/servers/{server}", version="2.1")
        if status == 404 and "DELETED" in states:
            return True
        if status == 200 and body["server"]["status"] in states and not body["server"]["OS-EXT-STS:task_state"]:
            return True
        time.sleep(0.1)
    return False


def create_body(**more):
    return {
        "server": {
            "name": "versions",
            "flavorRef": os.environ["FLAVOR"],
            "imageRef": os.environ["IMAGE"],
            "networks": [{"uuid": os.environ["NETWORK"]}],
            **more,
        }
    }


def try_create(version, **more):
    """The status of a creation; what was created goes again."""
    status, _, body = call("POST", "/servers", create_body(**more), version)
    if status == 202:
        call("DELETE", f"/servers/{body['server']['id']}", version="2.1")
    return status


def versions():
    wrong = []
    for version in around():
        for named in ({"OpenStack-API-Version": f"compute {version}"}, {"X-OpenStack-Nova-API-Version": version}):
            status, answered, _ = call("GET", "/flavors", headers=named)
            got = answered.get("OpenStack-API-Version"), answered.get("X-OpenStack-Nova-API-Version")
            if (
                status != 200
                or got != (f"compute {version}", version)
                or "OpenStack-API-Version" not in ", ".join(answered.get_all("Vary", []))
            ):
                wrong.append(f"{named}: {status} {got} Vary {answered.get_all('Vary')}")
    check("the answer names the version that was asked for", wrong)
    _, answered, _ = call("GET", "/flavors", version="latest")
    check(
        "latest is the newest",
        [] if answered["OpenStack-API-Version"] == f"compute {NEWEST}" else [str(answered.items())],
    )
    _, answered, _ = call("GET", "/flavors")
    check("no version is 2.1", [] if answered["OpenStack-API-Version"] == "compute 2.1" else [str(answered.items())])
    beyond = f"2.{number(NEWEST) + 1}"
    for version, wanted in ((beyond, 406), ("2.0", 406), ("3.1", 406), ("2", 400), ("2.a", 400), ("2.01", 400)):
        status, _, body = call("GET", "/flavors", version=version)
        check(f"version {version} is refused by {wanted}", [] if status == wanted else [f"{status} {body}"])
    status, _, _ = call("GET", "/flavors", headers={"OpenStack-API-Version": "volume 3.50"})
    check("another service's version means nothing", [] if status == 200 else [str(status)])


def servers(server):
    def show(version, who):
        return call("GET", f"/servers/{server}", version=version, who=who)[2]["server"]

    def detail(version, who):
        return next(
            one
            for one in call("GET", "/servers/detail?all_tenants=1&name=versions-subject", version=version, who=who)[2][
                "servers"
            ]
            if one["id"] == server
        )

    extended = {
        f"OS-EXT-SRV-ATTR:{name}": (3, None)
        for name in (
            "reservation_id",
            "launch_index",
            "kernel_id",
            "ramdisk_id",
            "root_device_name",
            "user_data",
            "hostname",
        )
    }
    common = {
        "locked": (9, None),
        "host_status": (16, None),
        "description": (19, None),
        "tags": (26, None),
        "trusted_image_certificates": (63, None),
        "locked_reason": (73, None),
        "pinned_availability_zone": (96, None),
        "scheduler_hints": (100, None),
        "OS-EXT-SRV-ATTR:host": (1, None),
        "OS-DCF:diskConfig": (1, None),
        "key_name": (1, None),
        "OS-EXT-STS:task_state": (1, None),
        "accessIPv4": (1, None),
        "progress": (1, None),
    }
    fields("server", show, {**extended, **common, "server_groups": (71, None)})
    fields("servers in detail", detail, {**extended, **common, "server_groups": (10000, None)})
    fields(
        "its owner's server",
        show,
        {
            "OS-EXT-SRV-ATTR:hostname": (90, None),
            "OS-EXT-SRV-ATTR:host": (10000, None),
            "host_status": (10000, None),
            "OS-EXT-SRV-ATTR:user_data": (10000, None),
        },
        who="member",
    )
    fields(
        "server's flavor",
        lambda version, who: show(version, who)["flavor"],
        {
            "id": (1, 47),
            "links": (1, 47),
            "original_name": (47, None),
            "vcpus": (47, None),
            "ram": (47, None),
            "disk": (47, None),
            "ephemeral": (47, None),
            "swap": (47, None),
            "extra_specs": (47, None),
        },
    )
    fields(
        "server's image",
        lambda version, who: show(version, who)["image"],
        {"id": (1, None), "links": (1, None), "properties": (98, None)},
    )

    for field, value, since, until in (
        ("description", "words", 19, None),
        ("tags", ["one"], 52, None),
        ("hostname", "name", 90, None),
        ("personality", [], 1, 57),
        ("host", "nowhere", 74, None),
        ("hypervisor_hostname", "nowhere", 74, None),
    ):
        good = (202, 400) if field in ("host", "hypervisor_hostname") else (202,)
        if good == (202,):
            accepted(
                f"creation: {field} since 2.{since}" + (f", until 2.{until}" if until else ""),
                since,
                until,
                lambda version: try_create(version, **{field: value}),
                good,
            )
    accepted(
        "creation: networks 'auto' since 2.37", 37, None, lambda version: try_create(version, networks="none"), (202,)
    )
    body = create_body()
    del body["server"]["networks"]
    body["server"]["flavorRef"] = "no-such-flavor"
    wrong = []
    for version in around(37):
        message = json.dumps(call("POST", "/servers", body, version, who="member")[2])
        if ("networks" in message) != (number(version) >= 37):
            wrong.append(f"{version}: {message}")
    check("creation: networks must be said since 2.37", wrong)
    accepted(
        "creation: what is unknown is refused always",
        10000,
        None,
        lambda version: try_create(version, unheard="of"),
        (),
    )

    update = lambda **more: lambda version: call("PUT", f"/servers/{server}", {"server": more}, version)
    accepted("update: description since 2.19", 19, None, update(description="new"), (200,))
    accepted("update: hostname since 2.90", 90, None, update(hostname="subject"), (200,))
    action = lambda **more: lambda version: call("POST", f"/servers/{server}/action", more, version)
    wrong = []
    for version in around(73):
        call("POST", f"/servers/{server}/action", {"lock": {"locked_reason": "why"}}, version)
        if (show("2.73", "admin")["locked_reason"] == "why") != (number(version) >= 73):
            wrong.append(f"{version}: {show('2.73', 'admin')['locked_reason']}")
        call("POST", f"/servers/{server}/action", {"unlock": None}, "2.1")
    check("lock: a reason is kept since 2.73", wrong)
    accepted("lock: what is unknown is refused since 2.73", 1, 73, action(lock={"unheard": "of"}), (202,))
    call("POST", f"/servers/{server}/action", {"unlock": None}, "2.1")
    accepted("trigger_crash_dump since 2.17", 17, None, action(trigger_crash_dump=None), (202, 409), (400, 404))
    settled(server, "ACTIVE")
    accepted("os-getVNCConsole until 2.6", 1, 6, action(**{"os-getVNCConsole": {"type": "novnc"}}), (200,), (400, 404))
    accepted(
        "remote-consoles since 2.6",
        6,
        None,
        lambda version: call(
            "POST",
            f"/servers/{server}/remote-consoles",
            {"remote_console": {"protocol": "vnc", "type": "novnc"}},
            version,
        ),
        (200,),
        (404,),
    )
    wrong = []
    for version in around(44):
        status, _, body = call(
            "POST", f"/servers/{server}/action", {"addFloatingIp": {"address": "203.0.113.9"}}, version
        )
        # No such address where the action is; nothing at all after.
        if status not in (400, 404) or ("floating IP not found" in json.dumps(body)) != (number(version) < 44):
            wrong.append(f"{version}: {status} {body}")
    check("addFloatingIp until 2.44", wrong)
    image = {"imageRef": os.environ["IMAGE"]}
    rebuild = lambda **more: lambda version: (
        call("POST", f"/servers/{server}/action", {"rebuild": {**image, **more}}, version),
        settled(server, "ACTIVE"),
    )[0]
    for field, value, since, until in (
        ("description", "d", 19, None),
        ("key_name", None, 54, None),
        ("user_data", None, 57, None),
        ("personality", [], 1, 57),
        ("hostname", "subject", 90, None),
    ):
        accepted(
            f"rebuild: {field} since 2.{since}" + (f", until 2.{until}" if until else ""),
            since,
            until,
            rebuild(**{field: value}),
            (202,),
        )
    wrong = []
    for version in around(45):
        status, named, body = call("POST", f"/servers/{server}/action", {"createImage": {"name": "versions"}}, version)
        new = number(version) >= 45
        if status != 202 or ("Location" in named) == new or (bool(body) and "image_id" in body) != new:
            wrong.append(f"{version}: {status} Location {named.get('Location')} body {body}")
        settled(server, "ACTIVE")
    check("createImage: Location until 2.45, then image_id", wrong)

    for path, since, until in (
        ("tags", 26, None),
        ("topology", 78, None),
        ("migrations", 23, None),
        ("shares", 97, None),
    ):
        accepted(
            f"servers/ID/{path} since 2.{since}",
            since,
            until,
            lambda version: call("GET", f"/servers/{server}/{path}", version=version),
            (200,),
            (404,),
        )
    accepted(
        "unknown parameters of a list are ignored until 2.75",
        1,
        75,
        lambda version: call("GET", "/servers?unheard=of", version=version),
        (200,),
    )
    accepted(
        "changes-before since 2.66",
        66,
        None,
        lambda version: call("GET", "/servers?changes-before=2000-01-01T00:00:00Z", version=version),
        (200,),
        (200, 400),
    )
    wrong = []
    call("PUT", f"/servers/{server}/tags", {"tags": ["chosen"]}, "2.26")
    for version in around(26):
        names = [
            one["id"] for one in call("GET", "/servers?all_tenants=1&tags=never", version=version)[2].get("servers", [])
        ]
        if (server in names) == (number(version) >= 26):
            wrong.append(f"{version}: {len(names)} servers")
    check("a list by tags since 2.26", wrong)
    for path, until in (
        ("/os-networks", 36),
        ("/images", 36),
        ("/os-volumes", 36),
        ("/os-security-groups", 36),
        ("/os-floating-ips", 36),
        ("/os-hosts", 43),
    ):
        accepted(
            f"{path} until 2.{until}", 1, until, lambda version: call("GET", path, version=version), (200,), (404,)
        )


def flavors():
    name = f"v-{uuid.uuid4().hex[:8]}"
    flavor = {"name": name, "ram": 64, "vcpus": 1, "disk": 0}
    identity = call("POST", "/flavors", {"flavor": flavor}, "2.1")[2]["flavor"]["id"]
    show = lambda version, who: call("GET", f"/flavors/{identity}", version=version)[2]["flavor"]
    table = {
        "description": (55, None),
        "extra_specs": (61, None),
        "rxtx_factor": (1, 102),
        "OS-FLV-DISABLED:disabled": (1, 102),
        "OS-FLV-EXT-DATA:ephemeral": (1, None),
        "os-flavor-access:is_public": (1, None),
        "swap": (1, None),
    }
    fields("flavor", show, table)
    fields(
        "flavors in detail",
        lambda version, who: next(
            one for one in call("GET", "/flavors/detail", version=version)[2]["flavors"] if one["id"] == identity
        ),
        table,
    )
    fields(
        "flavors",
        lambda version, who: next(
            one for one in call("GET", "/flavors", version=version)[2]["flavors"] if one["id"] == identity
        ),
        {"description": (55, None), "ram": (10000, None)},
    )
    check(
        "swap of none is '' until 2.75, then 0",
        [
            f"{version}: {show(version, 0)['swap']!r}"
            for version in around(75)
            if show(version, 0)["swap"] != ("" if number(version) < 75 else 0)
        ],
    )

    def create(version, **more):
        status, _, body = call(
            "POST", "/flavors", {"flavor": {**flavor, "name": f"v-{uuid.uuid4().hex[:8]}", **more}}, version
        )
        if status == 200:
            call("DELETE", f"/flavors/{body['flavor']['id']}", version="2.1")
        return status

    accepted("creation: description since 2.55", 55, None, lambda version: create(version, description="words"), (200,))
    accepted("creation: rxtx_factor until 2.102", 1, 102, lambda version: create(version, rxtx_factor=1.5), (200,))
    accepted(
        "update since 2.55",
        55,
        None,
        lambda version: call("PUT", f"/flavors/{identity}", {"flavor": {"description": "new"}}, version),
        (200,),
        (404, 405),
    )
    specs = lambda version: call(
        "POST", f"/flavors/{identity}/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "nonsense"}}, version
    )
    accepted("extra specs are not looked at until 2.86", 1, 86, specs, (200,))
    call("DELETE", f"/flavors/{identity}", version="2.1")


def keypairs():
    made = []

    def create(version, **more):
        name = more.pop("name", f"v-{uuid.uuid4().hex[:8]}")
        body = {"name": name, "public_key": PUBLIC_KEY, **more}
        answer = call(
            "POST", "/os-keypairs", {"keypair": {key: value for key, value in body.items() if value}}, version
        )
        if answer[0] in (200, 201):
            made.append(name)
        return answer

    wrong = [
        f"{version}: {status}"
        for version in around(2)
        for status in [create(version)[0]]
        if status != (200 if version == "2.1" else 201)
    ]
    check("creation: 200 in 2.1, then 201", wrong)
    fields(
        "created key pair",
        lambda version, who: create(version)[2]["keypair"],
        {"name": (1, None), "public_key": (1, None), "fingerprint": (1, None), "user_id": (1, None), "type": (2, None)},
    )
    show = lambda version, who: call("GET", f"/os-keypairs/{made[0]}", version=version)[2]["keypair"]
    fields(
        "key pair",
        show,
        {"type": (2, None), "id": (1, None), "created_at": (1, None), "deleted": (1, None), "user_id": (1, None)},
    )
    fields(
        "key pairs",
        lambda version, who: call("GET", "/os-keypairs", version=version)[2]["keypairs"][0]["keypair"],
        {"type": (2, None), "user_id": (10000, None), "fingerprint": (1, None)},
    )
    accepted("creation: type since 2.2", 2, None, lambda version: create(version, type="ssh"), (201,))
    user = show("2.1", 0)["user_id"]
    accepted("creation: user_id since 2.10", 10, None, lambda version: create(version, user_id=user), (201,))
    accepted(
        "a pair is made by the cloud until 2.92", 1, 92, lambda version: create(version, public_key=None), (200, 201)
    )
    accepted(
        "'@' and '.' in names since 2.92",
        92,
        None,
        lambda version: create(version, name=f"a.b@{uuid.uuid4().hex[:8]}"),
        (201,),
    )
    wrong = []
    for version in around(35):
        body = call("GET", "/os-keypairs?limit=1", version=version)[2]
        if (len(body.get("keypairs", [])) == 1 and "keypairs_links" in body) != (number(version) >= 35):
            wrong.append(f"{version}: {len(body.get('keypairs', []))} {sorted(body)}")
    check("pages since 2.35", wrong)
    wrong = []
    for version in around(2):
        status = call("DELETE", f"/os-keypairs/{made.pop()}", version=version)[0]
        if status != (202 if version == "2.1" else 204):
            wrong.append(f"{version}: {status}")
    check("deletion: 202 in 2.1, then 204", wrong)
    for name in made:
        call("DELETE", f"/os-keypairs/{name}", version="2.92")


def groups():
    made = []

    def create(version, **more):
        answer = call("POST", "/os-server-groups", {"server_group": {"name": "versions", **more}}, version)
        if answer[0] == 200:
            made.append(answer[2]["server_group"]["id"])
            if len(made) > 1:
                call("DELETE", f"/os-server-groups/{made.pop()}", version="2.1")
        return answer

    create("2.64", policy="anti-affinity", rules={"max_server_per_host": 2})
    table = {
        "policies": (1, 64),
        "metadata": (1, 64),
        "policy": (64, None),
        "rules": (64, None),
        "project_id": (13, None),
        "user_id": (13, None),
        "members": (1, None),
    }
    fields(
        "server group",
        lambda version, who: call("GET", f"/os-server-groups/{made[0]}", version=version)[2]["server_group"],
        table,
    )
    fields(
        "server groups",
        lambda version, who: call("GET", "/os-server-groups", version=version)[2]["server_groups"][0],
        table,
    )
    fields(
        "created server group",
        lambda version, who: (
            create(version, policies=["affinity"]) if number(version) < 64 else create(version, policy="affinity")
        )[2]["server_group"],
        table,
    )
    accepted("creation: policies until 2.64", 1, 64, lambda version: create(version, policies=["affinity"]), (200,))
    accepted("creation: policy since 2.64", 64, None, lambda version: create(version, policy="affinity"), (200,))
    accepted(
        "creation: rules since 2.64",
        64,
        None,
        lambda version: create(
            version,
            **({"policy": "anti-affinity"} if number(version) >= 64 else {"policies": ["anti-affinity"]}),
            rules={"max_server_per_host": 3},
        ),
        (200,),
    )
    accepted(
        "creation: soft policies since 2.15",
        15,
        None,
        lambda version: create(
            version, **({"policy": "soft-affinity"} if number(version) >= 64 else {"policies": ["soft-affinity"]})
        ),
        (200,),
    )
    status = create("2.64", policy="affinity", rules={"max_server_per_host": 3})[0]
    check("rules belong to anti-affinity", [] if status == 400 else [str(status)])
    wrong = [
        f"{version}: {status}"
        for version in around(75)
        for status in [call("GET", "/os-server-groups?unheard=of", version=version)[0]]
        if status != (200 if number(version) < 75 else 400)
    ]
    check("unknown parameters of a list are ignored until 2.75", wrong)
    for one in made:
        call("DELETE", f"/os-server-groups/{one}", version="2.1")


def migrations(server):
    status, _, body = call(
        "POST", f"/servers/{server}/action", {"resize": {"flavorRef": os.environ["BIGGER_FLAVOR"]}}, "2.1"
    )
    check(
        "a resize makes a migration", [] if status == 202 and settled(server, "VERIFY_RESIZE") else [f"{status} {body}"]
    )
    read = lambda version, who: next(
        one for one in call("GET", "/os-migrations", version=version)[2]["migrations"] if one["instance_uuid"] == server
    )
    fields(
        "migration",
        read,
        {
            "id": (1, None),
            "old_instance_type_id": (1, None),
            "new_instance_type_id": (1, None),
            "source_compute": (1, None),
            "status": (1, None),
            "migration_type": (23, None),
            "uuid": (59, None),
            "user_id": (80, None),
            "project_id": (80, None),
            "links": (10000, None),
        },
    )
    accepted(
        "pages: limit counts since 2.59",
        59,
        None,
        lambda version: len(call("GET", "/os-migrations?limit=0", version=version)[2].get("migrations", [])) == 0,
        (True,),
        (False,),
    )
    accepted(
        "by project_id since 2.80",
        80,
        None,
        lambda version: len(
            call("GET", f"/os-migrations?project_id={'0' * 32}", version=version)[2].get("migrations", [])
        )
        == 0,
        (True,),
        (False, True),
    )
    wrong = [
        f"{version}: {status}"
        for version in around(75)
        for status in [call("GET", "/os-migrations?unheard=of", version=version)[0]]
        if status not in ((200,) if number(version) < 59 else (200, 400) if number(version) < 75 else (400,))
    ]
    check("unknown parameters are refused by the newest", wrong)
    call("POST", f"/servers/{server}/action", {"confirmResize": None}, "2.1")
    settled(server, "ACTIVE")


def main():
    versions()
    # A member's server, so that both personas see it.
    status, _, body = call("POST", "/servers", create_body(name="versions-subject"), "2.1", who="member")
    if status != 202:
        check("a server", [f"{status} {body}"])
        return
    created = body["server"]
    check(
        "created in 2.1",
        (
            [f"{sorted(created)}"]
            if set(created) != {"id", "links", "OS-DCF:diskConfig", "adminPass", "security_groups"}
            else []
        ),
    )
    server = created["id"]
    check("it is active", [] if settled(server, "ACTIVE") else ["not in time"])
    TOKENS["owner"] = TOKENS["member"]
    for part in (lambda: servers(server), flavors, keypairs, groups, lambda: migrations(server)):
        try:
            part()
        except (KeyError, TypeError, StopIteration, AttributeError) as error:
            line = error.__traceback__
            while line.tb_next:
                line = line.tb_next
            check("the part ends", [f"{type(error).__name__} {error} in line {line.tb_lineno}"])
    call("DELETE", f"/servers/{server}", version="2.1")


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
