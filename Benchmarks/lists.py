#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lists.py HANEUL PORT FOLDER [ROWS] - what a page of a list costs in a large cloud, beside the same page of 200 rows.

Two clouds over fake hosts, one after the other. Each gets one object of a kind from its API; the rest are copies of
its rows, written while the cloud is stopped. Ten of each kind are rare: their name, tag or state finds them. Every list
is also walked page by page, and must hold each object once.
"""
import hashlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import time
from urllib.parse import quote

haneul, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
few, many = 200, int(sys.argv[4]) if len(sys.argv) > 4 else 10_000
page = 100
head = {"OpenStack-API-Version": "compute 2.90, volume 3.70, placement 1.39", "Content-Type": "application/json"}


class Cloud:
    """One that runs from `with` to its end."""

    def __init__(self, state):
        self.state = state

    def __enter__(self):
        self.log = open(self.state + ".log", "a")
        self.process = subprocess.Popen(
            [haneul, "serve", "--state", self.state, "--port", str(port), "--fake"], stdout=self.log, stderr=self.log)
        end = time.time() + 120
        while not self.answers():
            if time.time() > end or self.process.poll() is not None:
                raise SystemExit(f"not ready: see {self.state}.log")
            time.sleep(0.05)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self.tokens = {}
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def answers(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200 and os.path.exists(f"{self.state}/credentials.json")
        except OSError:
            return False

    def login(self, user):
        if user not in self.tokens:
            password = json.load(open(f"{self.state}/credentials.json"))[user]
            body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
                "name": user, "domain": {"id": "default"}, "password": password}}},
                "scope": {"project": {"name": user, "domain": {"id": "default"}}}}}
            answer, token = self.send("POST", "/identity/v3/auth/tokens", "", body)
            self.tokens[user] = token
            if user == "admin":
                self.admin = answer["token"]["user"]["id"]
        return self.tokens[user]

    def send(self, method, path, token, body=None):
        self.connection.request(method, path, body and json.dumps(body), {**head, "X-Auth-Token": token})
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:300]}")
        return json.loads(data) if data else None, answer.getheader("X-Subject-Token")

    def call(self, method, path, body=None, user="admin"):
        return self.send(method, path, self.login(user), body)[0]

    def create(self, path, key, **fields):
        return self.call("POST", path, {key: fields})[key]


# What is there once

def templates(cloud):
    """The object of each kind that is copied, by the table of its row."""
    cloud.login("demo")
    made = {}
    network = cloud.create("/network/v2.0/networks", "network", name="lists")["id"]
    subnet = cloud.create("/network/v2.0/subnets", "subnet", network_id=network, cidr="10.128.0.0/16", ip_version=4)
    outside = cloud.create("/network/v2.0/networks", "network", name="out", **{"router:external": True})["id"]
    cloud.create("/network/v2.0/subnets", "subnet", network_id=outside, cidr="172.30.0.0/16", ip_version=4)
    made["networks"], made["subnets"] = network, subnet["id"]
    made["security_groups"] = cloud.create("/network/v2.0/security-groups", "security_group", name="lists")["id"]
    made["floatingips"] = cloud.create("/network/v2.0/floatingips", "floatingip", floating_network_id=outside)["id"]
    made["images"] = cloud.call("POST", "/image/v2/images", {
        "name": "lists", "disk_format": "raw", "container_format": "bare", "os_distro": "debian"})["id"]
    cloud.connection.request("PUT", f"/image/v2/images/{made['images']}/file", b"\0" * 65536, {
        "X-Auth-Token": cloud.login("admin"), "Content-Type": "application/octet-stream"})
    cloud.connection.getresponse().read()
    made["flavors"] = cloud.create("/compute/v2.1/flavors", "flavor", name="lists", ram=1, disk=0, vcpus=1)["id"]
    cloud.create("/compute/v2.1/os-keypairs", "keypair", name="lists", type="ssh", public_key=(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKiL8mC6Nk3hGpD7vOMOQGQ8tDVtNn0tvqzMqUNfCE lists"))
    made["server_groups"] = cloud.create(
        "/compute/v2.1/os-server-groups", "server_group", name="lists", policy="affinity")["id"]
    server = cloud.create(
        "/compute/v2.1/servers", "server", name="lists", imageRef=made["images"], flavorRef=made["flavors"],
        networks=[{"uuid": network}])["id"]
    made["servers"] = server
    end = time.time() + 60
    while cloud.call("GET", f"/compute/v2.1/servers/{server}")["server"]["status"] != "ACTIVE":
        if time.time() > end:
            raise SystemExit("the server does not become ACTIVE")
        time.sleep(0.1)
    made["ports"] = cloud.call("GET", f"/network/v2.0/ports?device_id={server}")["ports"][0]["id"]
    domain = {"domain_id": "default"}
    made["identity_projects"] = cloud.create("/identity/v3/projects", "project", name="lists", **domain)["id"]
    made["identity_users"] = cloud.create("/identity/v3/users", "user", name="lists", **domain)["id"]
    made["identity_groups"] = cloud.create("/identity/v3/groups", "group", name="lists", **domain)["id"]
    made["identity_credentials"] = cloud.create(
        "/identity/v3/credentials", "credential", user_id=cloud.admin, type="cert", blob="{}")["id"]
    role = cloud.call("GET", "/identity/v3/roles?name=member")["roles"][0]["id"]
    cloud.call("PUT", f"/identity/v3/projects/{made['identity_projects']}/users/{made['identity_users']}/roles/{role}")
    made["placement_providers"] = cloud.call(
        "POST", "/placement/resource_providers", {"name": "lists"})["uuid"]
    cloud.call("PUT", f"/placement/resource_providers/{made['placement_providers']}/inventories", {
        "resource_provider_generation": 0, "inventories": {"VCPU": {"total": 64}, "MEMORY_MB": {"total": 65536}}})
    project = cloud.call("GET", "/identity/v3/auth/projects")["projects"][0]["id"]
    made["volumes"] = cloud.call(
        "POST", f"/volume/v3/{project}/volumes", {"volume": {"size": 1, "name": "lists"}})["volume"]["id"]
    while cloud.call("GET", f"/volume/v3/{project}/volumes/{made['volumes']}")["volume"]["status"] == "creating":
        time.sleep(0.1)
    return made


# Copies

def made_id(kind, number, dashes=True):
    """In no order, as ids are."""
    text = hashlib.md5(f"{kind}{number}".encode()).hexdigest()
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]]) if dashes else text


class Copier:
    def __init__(self, state, rows):
        self.rows = rows
        self.database = sqlite3.connect(f"{state}/haneul.db")
        self.demo = self.database.execute("SELECT id FROM identity_projects WHERE name = 'demo'").fetchone()[0]

    def copy(self, table, column, value, **changes):
        """Each change makes a column's value out of a number, or out of it and the old value."""
        cursor = self.database.execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,))
        names = [entry[0] for entry in cursor.description]
        places = {name: names.index(name) for name in changes}
        for row in cursor.fetchall():
            def copies():
                for number in range(self.rows):
                    new = list(row)
                    for name, change in changes.items():
                        new[places[name]] = change(number)
                    yield new
            self.database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", copies())

    def is_rare(self, number):
        return number % (self.rows // 10) == 7

    def name(self, number):
        return "rare" if self.is_rare(number) else f"n{number:05}"

    def owned(self, kind, column="project_id"):
        """Three of four belong to the project `demo`; of the rest each ten have a project of their own."""
        def owner(number):
            return self.demo if number % 4 else made_id("identity_projects", number // 40, dashes=False)
        base = 1_700_000_000_000_000
        return {"id": lambda number: made_id(kind, number), column: owner, "name": self.name,
                "created_at": lambda number: base + number * 1_000_000,
                "updated_at": lambda number: base + number * 1_000_000}

    def child(self, kind, column):
        return {column: lambda number: made_id(kind, number)}

    def network(self, made):
        network, kinds = made["networks"], ("networks", "subnets", "ports", "security_groups", "floatingips")
        networks, subnets, ports, groups, floating = (self.owned(kind) for kind in kinds)
        segment = {"segment": lambda number: 100_000 + number}
        self.copy("networks", "id", network, **networks, **segment)
        self.copy("network_segment_claims", "network_id", network, **self.child("networks", "network_id"),
                  claim=lambda number: f"geneve:{100_000 + number}")
        self.copy("network_segments", "network_id", network, **self.child("networks", "network_id"), **segment,
                  id=lambda number: made_id("networks", number))
        self.copy("subnets", "id", made["subnets"], **subnets, **self.child("networks", "network_id"))
        for number in range(10):
            self.database.execute("INSERT INTO network_rbac VALUES (?, ?, 'network', ?, 'access_as_shared', ?, 0)", (
                made_id("rbac", number), "", made_id("networks", number * 4), self.demo))

        def address(number):
            return f"10.128.{100 + number // 250}.{number % 250}"
        self.copy(
            "ports", "id", made["ports"], **ports, **self.child("servers", "device_id"),
            mac=lambda number: f"fa:16:3f:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            fixed_ips=lambda number: json.dumps([[made["subnets"], address(number)]], separators=(",", ":")),
            status=lambda number: "DOWN" if self.is_rare(number) else "ACTIVE",
            tags=lambda number: '["rare"]' if self.is_rare(number) else "[]",
            host=lambda number: "rare" if self.is_rare(number) else "other")
        template = self.database.execute("SELECT fixed_ips FROM ports WHERE id = ?", (made["ports"],)).fetchone()[0]
        own = self.database.execute("SELECT address, address_key FROM ip_allocations WHERE port_id = ?", (
            made["ports"],)).fetchone()
        self.database.executemany(
            "UPDATE ports SET fixed_ips = ? WHERE id = ?",
            ((template.replace(own[0], address(number)), made_id("ports", number)) for number in range(self.rows)))
        # A key is the address in digits of a fixed width, behind a prefix of its version.
        width = len(own[1])
        digits = "".join(f"{int(part):02x}" for part in address(0).split("."))
        prefix = own[1][: width - len(digits)]
        self.copy(
            "ip_allocations", "port_id", made["ports"], **self.child("ports", "port_id"), address=address,
            address_key=lambda number: prefix + "".join(f"{int(part):02x}" for part in address(number).split(".")))
        self.copy("port_groups", "port_id", made["ports"], **self.child("ports", "port_id"))
        self.copy("security_groups", "id", made["security_groups"], **groups)
        self.copy("security_group_rules", "group_id", made["security_groups"], **self.child("security_groups", "group_id"),
                  id=iter_ids("rule"))
        del floating["name"]
        self.copy("floatingips", "id", made["floatingips"], **floating,
                  description=self.name, address=lambda number: f"172.30.{100 + number // 250}.{number % 250}")
        self.database.execute("DELETE FROM network_dirty")

    def compute(self, made):
        server = made["servers"]
        self.copy(
            "servers", "id", server, **self.owned("servers"), number=lambda number: 1000 + number,
            vm_state=lambda number: "error" if self.is_rare(number) else "shelved_offloaded",
            host=lambda number: None, hypervisor_hostname=lambda number: None, saga_run=lambda number: None,
            tags=lambda number: '["rare"]' if self.is_rare(number) else '["usual"]')
        self.database.executemany("INSERT INTO server_tags VALUES (?, ?)", (
            (made_id("servers", number), "rare" if self.is_rare(number) else "usual") for number in range(self.rows)))
        groups = self.owned("server_groups")
        del groups["updated_at"]
        self.copy("server_groups", "id", made["server_groups"], **groups)
        self.copy("flavors", "id", made["flavors"], id=lambda number: made_id("flavors", number),
                  name=lambda number: f"n{number:05}", memory_mib=lambda number: 2 if self.is_rare(number) else 1)
        self.copy("key_pairs", "name", "lists", number=lambda number: 1000 + number,
                  name=lambda number: f"n{number:05}")

    def identity(self, made):
        for kind in ("projects", "users", "groups"):
            table = f"identity_{kind}"
            changes = {"id": lambda number: made_id(table, number, dashes=False),
                       "name": lambda number: f"n{number:05}", "name_key": lambda number: f"n{number:05}"}
            if kind != "groups":
                changes["enabled"] = lambda number: 0 if self.is_rare(number) else 1
            self.copy(table, "id", made[table], **changes)
        self.copy("identity_assignments", "actor_id", made["identity_users"],
                  actor_id=lambda number: made_id("identity_users", number, dashes=False),
                  target_id=lambda number: made_id("identity_projects", number, dashes=False))
        self.copy("identity_credentials", "id", made["identity_credentials"],
                  id=lambda number: made_id("identity_credentials", number, dashes=False),
                  type=lambda number: "rare" if self.is_rare(number) else "cert")

    def others(self, made):
        self.copy("images", "id", made["images"], **self.owned("images", "owner"),
                  visibility=lambda number: "public" if self.is_rare(number) else "private")
        for table in ("image_properties", "image_stores"):
            self.copy(table, "image_id", made["images"], **self.child("images", "image_id"))
        self.database.executemany("INSERT INTO image_tags VALUES (?, ?)", (
            (made_id("images", number), "rare" if self.is_rare(number) else "usual") for number in range(self.rows)))
        provider = made["placement_providers"]
        self.copy("placement_providers", "id", provider, **self.child("providers", "id"), **self.child("providers", "root_id"),
                  name=lambda number: f"n{number:05}")
        self.copy("placement_inventories", "provider_id", provider, **self.child("providers", "provider_id"))
        self.database.executemany("INSERT INTO placement_provider_traits VALUES (?, 'HW_CPU_X86_AVX2')", (
            (made_id("providers", number),) for number in range(self.rows) if self.is_rare(number)))
        self.copy("volumes", "id", made["volumes"], **self.owned("volumes"))


def iter_ids(kind):
    """Rows of one parent have ids of their own each."""
    count = iter(range(1 << 40))
    return lambda _: made_id(kind, next(count))


# Lists

def lists(cloud):
    project = cloud.call("GET", "/identity/v3/auth/projects", user="demo")["projects"][0]["id"]
    compute, network, identity = "/compute/v2.1", "/network/v2.0", "/identity/v3"
    member = made_id("ports", few // 10 + 7 - few // 10)  # the first rare one
    by_name = "sort_key=name&sort_dir=asc"
    return [
        # name, who, path, key, id, filters that find few, another order
        ("servers/detail, all", "admin", f"{compute}/servers/detail?all_tenants=1", "servers", "id",
         ["name=rare", "status=ERROR", "tags=rare", "ip=10.128.100.7$"], "sort_key=display_name&sort_dir=asc"),
        ("servers/detail, a tenant's", "demo", f"{compute}/servers/detail", "servers", "id",
         ["name=rare", "tags=rare", "changes-since=2030-01-01T00:00:00Z"], "sort_key=updated_at&sort_dir=desc"),
        ("flavors/detail", "demo", f"{compute}/flavors/detail", "flavors", "id", ["minRam=2"], "sort_key=name"),
        ("key pairs", "admin", f"{compute}/os-keypairs", "keypairs", "keypair.name", [], None),
        ("server groups", "admin", f"{compute}/os-server-groups?all_projects=1", "server_groups", None, [], None),
        ("ports, all", "admin", f"{network}/ports", "ports", "id",
         ["name=rare", "tags=rare", "binding:host_id=rare", "fixed_ips=ip_address%3D10.128.100.7",
          f"device_id={made_id('servers', 7)}", "mac_address=fa:16:3f:00:00:07"], by_name),
        ("ports, a tenant's", "demo", f"{network}/ports", "ports", "id", ["name=rare", f"id={member}"], by_name),
        ("networks, all", "admin", f"{network}/networks", "networks", "id", ["name=rare", "shared=true"], by_name),
        ("networks, own and shared", "demo", f"{network}/networks", "networks", "id", ["name=rare"], by_name),
        ("subnets, own and shared", "demo", f"{network}/subnets", "subnets", "id",
         ["name=rare", f"network_id={made_id('networks', 7)}"], by_name),
        ("security groups", "demo", f"{network}/security-groups", "security_groups", "id", ["name=rare"], by_name),
        ("security group rules", "admin", f"{network}/security-group-rules", "security_group_rules", "id",
         [f"security_group_id={made_id('security_groups', 7)}"], "sort_key=direction&sort_dir=asc"),
        ("floating IPs", "demo", f"{network}/floatingips", "floatingips", "id",
         ["floating_ip_address=172.30.100.7"], "sort_key=floating_ip_address&sort_dir=asc"),
        ("images, all", "admin", "/image/v2/images", "images", "id", ["name=rare", "tag=rare"], by_name),
        ("images, a tenant's", "demo", "/image/v2/images", "images", "id",
         ["name=rare", "tag=rare", "visibility=public"], by_name),
        ("projects", "admin", f"{identity}/projects", "projects", "id", ["enabled=false", "name=n00007"], "sort_key=id"),
        ("users", "admin", f"{identity}/users", "users", "id", ["enabled=false", "name=n00007"], "sort_key=id"),
        ("groups", "admin", f"{identity}/groups", "groups", "id", ["name=n00007"], "sort_key=id"),
        ("credentials", "admin", f"{identity}/credentials", "credentials", "id", ["type=rare"], "sort_key=id"),
        ("role assignments", "admin", f"{identity}/role_assignments", "role_assignments", None,
         [f"user.id={made_id('identity_users', 7, dashes=False)}"], None),
        ("resource providers", "admin", "/placement/resource_providers", "resource_providers", None,
         ["required=HW_CPU_X86_AVX2", "name=n00007"], None),
        ("allocation candidates", "admin", "/placement/allocation_candidates?resources=VCPU:1,MEMORY_MB:1",
         "allocation_requests", None, ["required=HW_CPU_X86_AVX2"], None),
        ("volumes, a tenant's", "demo", f"/volume/v3/{project}/volumes/detail", "volumes", "id", ["name=rare"],
         "sort=name:asc"),
    ]


def walk(cloud, who, path, key, field):
    """Every id, in order."""
    found, marker = [], None
    while True:
        extra = f"limit=1000&marker={quote(marker)}" if marker else "limit=1000"
        rows = cloud.call("GET", with_query(path, extra), user=who)[key]
        for row in rows:
            for part in field.split("."):
                row = row[part]
            found.append(row)
        if not rows:
            break
        marker = found[-1]
    if len(set(found)) != len(found):
        raise SystemExit(f"{path}: {len(found) - len(set(found))} came twice")
    return found


def with_query(path, query):
    return path + ("&" if "?" in path else "?") + query


def milliseconds(cloud, who, path, key):
    """The fastest of some: what the machine does beside is no cost of the list."""
    times, count = [], 0
    while len(times) < 15 and sum(times) < 2:
        begin = time.perf_counter()
        count = len(cloud.call("GET", path, user=who)[key])
        times.append(time.perf_counter() - begin)
    return 1000 * min(times), count


def measured(rows):
    state = os.path.join(folder, f"lists-{rows}")
    with Cloud(state) as cloud:
        cloud.login("admin")
        made = templates(cloud)
    copier = Copier(state, rows)
    for part in (copier.network, copier.compute, copier.identity, copier.others):
        part(made)
    copier.database.commit()
    copier.database.close()
    figures = {}
    with Cloud(state) as cloud:
        for name, who, path, key, field, filters, order in lists(cloud):
            # Placement has no pages of providers.
            limit = "" if key == "resource_providers" else f"limit={page}&"
            whole = {"first page" if limit else "all": with_query(path, limit)}
            if field:
                ids = walk(cloud, who, path, key, field)
                middle, last = ids[(len(ids) - page) // 2 - 1], ids[len(ids) - page - 1]
                whole["middle page"] = with_query(path, f"limit={page}&marker={quote(middle)}")
                whole["last page"] = with_query(path, f"limit={page}&marker={quote(last)}")
            for filter in filters:
                whole[filter.replace("%3D", "=")[:34]] = with_query(path, limit + filter)
            if order:
                whole[order.replace("sort_key", "sort").split("&")[0]] = with_query(path, limit + order)
            for label, request in whole.items():
                figures[name, label] = milliseconds(cloud, who, request, key)
    return figures


small = measured(few)
large = measured(many)
last = None
for (name, label), (value, count) in large.items():
    if name != last:
        print(name, flush=True)
    last = name
    base, beside = small.get((name, label), (None, 0))
    ratio = f"{value / base:8.2f} x {few} rows" if base else ""
    rows = f"{count} rows" if count == beside else f"{count} rows, there {beside}"
    print(f"  {label:<36}{value:>12,.1f} ms{ratio}  ({rows})", flush=True)
