#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""load.py fake|real PORT STATE ... - drives a running cloud and prints medians."""
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

kind, port, state = sys.argv[1], int(sys.argv[2]), sys.argv[3]

# Medians of upstream's own services on a machine of this size (rates a second unless said otherwise).
UPSTREAM = {
    "tokens issued": 3.3, "tokens validated": 105, "servers/detail 100": 2.2, "servers/detail 1000": 0.16,
    "ports 1000": 1.5, "allocation candidates 1000 hosts": 63, "network + subnet + port": 2.6,
}


def show(name, value, unit, base=None, beside="upstream"):
    base = UPSTREAM.get(name, base)
    ratio = f"  {value / base:8.2f} x {beside}" if base else ""
    print(f"{name:<38}{value:>12,.1f} {unit}{ratio}", flush=True)


class Cloud:
    def __init__(self):
        self.token = None
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    def call(self, method, path, body=None, headers=None, raw=False):
        head = {"X-Auth-Token": self.token or "", "OpenStack-API-Version": "compute 2.90"}
        head.update(headers or {})
        if body is not None and not isinstance(body, (bytes,)):
            body = json.dumps(body)
            head.setdefault("Content-Type", "application/json")
        self.connection.request(method, path, body, head)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:300]}")
        self.last = answer
        return data if raw else (json.loads(data) if data else None)

    def login(self, password):
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "name": "admin", "domain": {"id": "default"}, "password": password}}},
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}}
        self.call("POST", "/identity/v3/auth/tokens", body)
        self.token = self.last.getheader("X-Subject-Token")
        return body


def wait_ready():
    end = time.time() + 60
    while time.time() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.01)
    raise SystemExit("not ready")


def password():
    return json.load(open(os.path.join(state, "credentials.json")))["admin"]


def wrk(path, token, extra=(), connections=8, seconds=4):
    """Requests a second of GET `path`, median of three runs."""
    rates = []
    for _ in range(3):
        text = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"X-Auth-Token: {token}",
             "-H", "OpenStack-API-Version: compute 2.90", *extra, f"http://127.0.0.1:{port}{path}"],
            capture_output=True, text=True).stdout
        if "Non-2xx" in text:
            raise SystemExit(f"{path}: {text}")
        rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)))
    return statistics.median(rates)


def pss(process):
    total = 0
    with open(f"/proc/{process}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                total = int(line.split()[1]) / 1024
    return total


def median_time(count, body):
    times = []
    for index in range(count):
        begin = time.perf_counter()
        body(index)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def fake():
    process = sys.argv[4]
    wait_ready()
    time.sleep(3)
    show("memory idle, the binary (PSS)", pss(process), "MiB")
    cloud = Cloud()
    login = cloud.login(password())
    show("tokens issued", 1 / median_time(200, lambda _: cloud.call("POST", "/identity/v3/auth/tokens", login)), "/s")
    show("tokens validated", wrk("/identity/v3/auth/tokens", cloud.token, ["-H", f"X-Subject-Token: {cloud.token}"]), "/s")

    flavor = cloud.call("GET", "/compute/v2.1/flavors")["flavors"][0]["id"]
    project = cloud.call("GET", "/identity/v3/auth/projects")["projects"][0]["id"]
    block, size = os.urandom(1 << 20), 512
    images = iter([cloud.call("POST", "/image/v2/images", {"name": "bench", "disk_format": "raw", "container_format": "bare"})["id"]
                   for _ in range(3)])

    def upload(_):
        upload.image = next(images)
        connection = cloud.connection
        connection.putrequest("PUT", f"/image/v2/images/{upload.image}/file")
        connection.putheader("X-Auth-Token", cloud.token)
        connection.putheader("Content-Type", "application/octet-stream")
        connection.putheader("Content-Length", str(size << 20))
        connection.endheaders()
        for _ in range(size):
            connection.send(block)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 204:
            raise SystemExit(f"upload: {answer.status}")

    def download(_):
        subprocess.run(["curl", "-s", "-f", "-o", "/dev/null", "-H", f"X-Auth-Token: {cloud.token}",
                        f"http://127.0.0.1:{port}/image/v2/images/{upload.image}/file"], check=True)

    show("image upload", size / median_time(3, upload), "MiB/s")
    show("image download", size / median_time(3, download), "MiB/s")

    names = iter(range(100000))

    def make_network(_):
        n = next(names)
        network = cloud.call("POST", "/network/v2.0/networks", {"network": {"name": f"n{n}"}})["network"]["id"]
        cloud.call("POST", "/network/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.0.0.0/24", "ip_version": 4}})
        cloud.call("POST", "/network/v2.0/ports", {"port": {"network_id": network}})
        return network

    cloud.call("PUT", f"/network/v2.0/quotas/{project}", {"quota": {"network": -1, "subnet": -1, "port": -1}})
    cloud.call("PUT", f"/compute/v2.1/os-quota-sets/{project}", {"quota_set": {"instances": -1, "cores": -1, "ram": -1}})
    show("network + subnet + port", 1 / median_time(200, make_network), "/s")

    network = cloud.call("POST", "/network/v2.0/networks", {"network": {"name": "servers"}})["network"]["id"]
    cloud.call("POST", "/network/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.128.0.0/16", "ip_version": 4}})
    small = cloud.call("POST", "/image/v2/images", {"name": "tiny", "disk_format": "raw", "container_format": "bare"})["id"]
    cloud.call("PUT", f"/image/v2/images/{small}/file", b"\0" * 65536, {"Content-Type": "application/octet-stream"}, raw=True)
    flavor = cloud.call("POST", "/compute/v2.1/flavors", {"flavor": {"name": "bench", "ram": 1, "disk": 0, "vcpus": 1}})["flavor"]["id"]

    def make_servers(count):
        cloud.call("POST", "/compute/v2.1/servers", {"server": {
            "name": "s", "imageRef": small, "flavorRef": flavor, "networks": [{"uuid": network}],
            "min_count": count, "max_count": count}})

    def active():
        servers = cloud.call("GET", "/compute/v2.1/servers/detail?limit=1000&name=s")["servers"]
        bad = [s for s in servers if s["status"] == "ERROR"]
        if bad:
            raise SystemExit(bad[0].get("fault"))
        return sum(s["status"] == "ACTIVE" for s in servers)

    begin = time.perf_counter()
    make_servers(50)
    while active() < 50:
        pass
    show("50 servers in one request, all ACTIVE", time.perf_counter() - begin, "s")
    make_servers(50)
    while active() < 100:
        time.sleep(0.05)
    show("servers/detail 100", wrk("/compute/v2.1/servers/detail?limit=100", cloud.token), "/s")
    for total in range(200, 1001, 100):
        make_servers(100)
        while active() < total:
            time.sleep(0.1)
    show("servers/detail 1000", wrk("/compute/v2.1/servers/detail?limit=1000", cloud.token), "/s")
    show("ports 1000", wrk(f"/network/v2.0/ports?network_id={network}&limit=1000", cloud.token), "/s")
    for n in range(1000):
        provider = cloud.call("POST", "/placement/resource_providers", {"name": f"host{n}"}, {
            "OpenStack-API-Version": "placement 1.39"})
        cloud.call("PUT", f"/placement/resource_providers/{provider['uuid']}/inventories", {
            "resource_provider_generation": provider["generation"],
            "inventories": {"VCPU": {"total": 64}, "MEMORY_MB": {"total": 65536}, "DISK_GB": {"total": 1000}}},
            {"OpenStack-API-Version": "placement 1.39"})
    text = subprocess.run(
        ["wrk", "-t1", "-c8", "-d4s", "-H", f"X-Auth-Token: {cloud.token}", "-H", "OpenStack-API-Version: placement 1.39",
         f"http://127.0.0.1:{port}/placement/allocation_candidates?resources=VCPU:1,MEMORY_MB:512,DISK_GB:1&limit=10"],
        capture_output=True, text=True).stdout
    show("allocation candidates 1000 hosts", float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)), "/s")


def volumes(cloud, haneul, image, network):
    project = cloud.call("GET", "/identity/v3/auth/projects")["projects"][0]["id"]
    head = {"OpenStack-API-Version": "volume 3.71"}
    base = f"/volume/v3/{project}"

    def wait(kind, name, status):
        while True:
            shown = cloud.call("GET", f"{base}/{kind}s/{name}", headers=head)[kind]
            if shown["status"] == status:
                return shown
            if shown["status"].startswith("error"):
                raise SystemExit(f"{kind} {name}: {shown['status']}")
            time.sleep(0.005)

    def create(**fields):
        made = cloud.call("POST", f"{base}/volumes", {"volume": dict(size=1, **fields)}, head)["volume"]["id"]
        wait("volume", made, "available")
        return made

    cloud.call("PUT", f"{base}/os-quota-sets/{project}", {"quota_set": {"volumes": -1, "snapshots": -1, "gigabytes": -1}}, head)
    made = []
    large = cloud.call("POST", "/image/v2/images", {"name": "gib", "disk_format": "raw", "container_format": "bare"})["id"]
    cloud.call("PUT", f"/image/v2/images/{large}/file", os.urandom(1 << 30), {"Content-Type": "application/octet-stream"}, raw=True)
    made.append(create(imageRef=large))  # the image comes to the backend once
    show("volume create, blank", 1000 * median_time(5, lambda _: made.append(create())), "ms")
    show("volume create, of a 1 GiB image", 1000 * median_time(5, lambda _: made.append(create(imageRef=large))), "ms")

    server = reachable_server(cloud, "io", image, network)
    volume = made[-1]

    def attach(volume):
        cloud.call("POST", f"/compute/v2.1/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
        wait("volume", volume, "in-use")

    def detach(volume):
        cloud.call("DELETE", f"/compute/v2.1/servers/{server}/os-volume_attachments/{volume}", raw=True)
        wait("volume", volume, "available")

    times = []
    for _ in range(3):
        begin = time.perf_counter()
        attach(volume)
        times.append(time.perf_counter() - begin)
        detach(volume)
    show("volume attach to a running guest", 1000 * statistics.median(times), "ms")
    attach(volume)

    def snapshot(_):
        taken = cloud.call("POST", f"{base}/snapshots", {"snapshot": {"volume_id": volume, "force": True}}, head)["snapshot"]["id"]
        wait("snapshot", taken, "available")

    show("volume snapshot under a running guest", 1000 * median_time(3, snapshot), "ms")

    tools = create(imageRef=fio_image(cloud))
    blank = create()
    attach(tools)
    attach(blank)
    compare_fio(haneul, tools, blank)


def reachable_server(cloud, name, image, network):
    """A server that `haneul ssh` reaches, up to its sshd."""
    key = open(os.path.join(state, "ssh/id_ecdsa.pub")).read()
    cloud.call("POST", "/compute/v2.1/os-keypairs", {"keypair": {"name": name, "public_key": key}})
    flavor = cloud.call("POST", "/compute/v2.1/flavors", {"flavor": {"name": name, "ram": 512, "disk": 1, "vcpus": 1}})["flavor"]["id"]
    public = cloud.call("GET", "/network/v2.0/networks?name=public")["networks"][0]["id"]
    subnet = cloud.call("GET", f"/network/v2.0/subnets?network_id={network}")["subnets"][0]["id"]
    router = cloud.call("POST", "/network/v2.0/routers", {"router": {
        "name": name, "external_gateway_info": {"network_id": public}}})["router"]["id"]
    cloud.call("PUT", f"/network/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})
    group = cloud.call("POST", "/network/v2.0/security-groups", {"security_group": {"name": name}})["security_group"]["id"]
    cloud.call("POST", "/network/v2.0/security-group-rules", {"security_group_rule": {
        "security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}})
    server = cloud.call("POST", "/compute/v2.1/servers", {"server": {
        "name": name, "imageRef": image, "flavorRef": flavor, "key_name": name, "networks": [{"uuid": network}],
        "security_groups": [{"name": name}]}})["server"]["id"]
    while cloud.call("GET", f"/compute/v2.1/servers/{server}")["server"]["status"] != "ACTIVE":
        time.sleep(0.05)
    while "sshd started" not in cloud.call(
            "POST", f"/compute/v2.1/servers/{server}/action", {"os-getConsoleOutput": {}})["output"]:
        time.sleep(0.2)
    device = cloud.call("GET", f"/network/v2.0/ports?device_id={server}")["ports"][0]["id"]
    cloud.call("POST", "/network/v2.0/floatingips", {"floatingip": {"floating_network_id": public, "port_id": device}})
    return server


def fio_image(cloud):
    """An image with a file system in which fio and its libraries lie."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/tools")
        program = shutil.which("fio")
        libraries = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout)
        for path in [program, *libraries]:
            shutil.copy(path, f"{folder}/tools")
        subprocess.run(
            ["mke2fs", "-q", "-t", "ext2", "-d", f"{folder}/tools", f"{folder}/disk", "256M"], check=True, capture_output=True)
        image = cloud.call("POST", "/image/v2/images", {"name": "fio", "disk_format": "raw", "container_format": "bare"})["id"]
        cloud.call("PUT", f"/image/v2/images/{image}/file", open(f"{folder}/disk", "rb").read(),
                   {"Content-Type": "application/octet-stream"}, raw=True)
        return image


def compare_fio(haneul, tools, blank):
    """fio in the guest on the volume `blank`, beside fio on a plain file of the same file system of the host."""
    def guest(command):
        return subprocess.run([haneul, "ssh", "io", f"sudo sh -c '{command}'"], capture_output=True, text=True).stdout

    def disk(volume):
        while True:
            found = guest(f"grep -l {volume[:20]} /sys/block/*/serial").strip()
            if found:
                return "/dev/" + found.split("/")[3]
            time.sleep(0.5)

    guest(f"mount -o ro {disk(tools)} /mnt")
    target = disk(blank)
    in_guest = "/mnt/ld-linux-x86-64.so.2 --library-path /mnt /mnt/fio"
    plain = os.path.join(state, "volumes", "plain.fio")
    options = "--name=fio --direct=1 --ioengine=libaio --size=512M --runtime=5 --time_based --output-format=json"

    def measured(run, file, pattern, size, depth):
        text = run(f"{options} --filename={file} --rw={pattern} --bs={size} --iodepth={depth}")
        job = json.loads(text[text.index("{"):])["jobs"][0]["write" if "write" in pattern else "read"]
        return job["iops"] if size == "4k" else job["bw_bytes"] / (1 << 20)

    def beside(command):
        return subprocess.run(["fio", *command.split()], capture_output=True, text=True, check=True).stdout

    try:
        for pattern, size, depth in [("write", "1M", 4), ("read", "1M", 4), ("randwrite", "4k", 16), ("randread", "4k", 16)]:
            base = measured(beside, plain, pattern, size, depth)
            value = measured(lambda command: guest(f"{in_guest} {command}"), target, pattern, size, depth)
            show(f"fio {pattern} {size}, in the guest", value, "/s" if size == "4k" else "MiB/s", base, "a plain file of the host")
    finally:
        os.unlink(plain)


def real():
    haneul = sys.argv[4]
    wait_ready()
    time.sleep(3)
    host = int(open(os.path.join(state, "host.pid")).read().split()[0])
    inside = os.readlink(f"/proc/{host}/ns/pid")
    total = binary = 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.readlink(f"/proc/{entry}/ns/pid") != inside:
                continue
            size = pss(entry)
            command = open(f"/proc/{entry}/cmdline").read().split("\0")
            total += size
            if "serve" in command:
                binary = size
        except OSError:
            continue
    show("memory idle, the binary (PSS)", binary, "MiB")
    show("memory idle, whole cloud (PSS)", total, "MiB")
    cloud = Cloud()
    cloud.login(password())
    flavor = cloud.call("POST", "/compute/v2.1/flavors", {"flavor": {"name": "bench", "ram": 128, "disk": 1, "vcpus": 1}})["flavor"]["id"]
    image = cloud.call("GET", "/image/v2/images?name=guest")["images"][0]["id"]
    network = cloud.call("POST", "/network/v2.0/networks", {"network": {"name": "bench"}})["network"]["id"]
    cloud.call("POST", "/network/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.77.0.0/24", "ip_version": 4}})
    running, booted = [], []
    for n in range(3):
        begin = time.perf_counter()
        server = cloud.call("POST", "/compute/v2.1/servers", {"server": {
            "name": f"b{n}", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}]}})["server"]["id"]
        while True:
            shown = cloud.call("GET", f"/compute/v2.1/servers/{server}")["server"]
            if shown["status"] == "ACTIVE":
                break
            if shown["status"] == "ERROR":
                raise SystemExit(shown["fault"])
            time.sleep(0.02)
        running.append(time.perf_counter() - begin)
        while True:
            text = cloud.call("POST", f"/compute/v2.1/servers/{server}/action", {"os-getConsoleOutput": {}})["output"]
            if "sshd started" in text or time.perf_counter() - begin > 120:
                break
            time.sleep(0.1)
        booted.append(time.perf_counter() - begin)
        cloud.call("DELETE", f"/compute/v2.1/servers/{server}", raw=True)
    show("server create to QEMU running", statistics.median(running), "s")
    show("server create to sshd", statistics.median(booted), "s")
    volumes(cloud, haneul, image, network)
    times = []
    for _ in range(3):
        subprocess.run([haneul, "down"], check=True, capture_output=True)
        begin = time.perf_counter()
        starter = subprocess.Popen([haneul, "up"], stdout=subprocess.DEVNULL)
        wait_ready()
        times.append(time.perf_counter() - begin)
        starter.wait()
    show("start of an existing cloud to answer", statistics.median(times), "s")


fake() if kind == "fake" else real()
