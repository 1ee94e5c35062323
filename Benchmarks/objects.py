#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""objects.py --port N --state DIR --pid PID | --url STORAGE-URL --token TOKEN [--pid PID …]
Drives an object store and prints medians: this program's, or any other that speaks the same API. Beside each figure stands
what the disk or the loopback gives to a plain program at the same time."""
import argparse
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

KIB, MIB = 1 << 10, 1 << 20
CONNECTIONS = 8
# Medians of upstream's own service on a machine of this size, one replica on the same disk: the better of two runs.
UPSTREAM = {
    "PUT 4 KiB": 140, "GET 4 KiB": 238, "PUT 1 MiB": 93, "GET 1 MiB": 158, "1 GiB up": 321, "1 GiB down": 283,
}


def show(name, value, unit, base=None, beside=""):
    ratios = [(UPSTREAM.get(name) if show.upstream else None, "upstream"), (base, beside)]
    text = "".join(f"  {value / other:8.2f} x {word}" for other, word in ratios if other)
    print(f"{name:<38}{value:>12,.1f} {unit:<5}{text}", flush=True)


show.upstream = True


class Store:
    def __init__(self, url, token, processes):
        parts = urllib.parse.urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.host, self.port, self.account = parts.hostname, parts.port, parts.path
        self.token, self.processes = token, processes
        self.connection = None

    def call(self, method, path, body=None, good=(200, 201, 202, 204, 404)):
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.host, self.port, timeout=300)
            try:
                self.connection.request(method, self.account + path, body, {"X-Auth-Token": self.token})
                answer = self.connection.getresponse()
                data = answer.read()
                break
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt == 2:
                    raise
        if answer.status not in good:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:300]}")
        return answer, data

    def memory(self):
        total = 0
        for process in self.processes:
            with open(f"/proc/{process}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024
        return total

    def wrk(self, script, seconds=4, connections=CONNECTIONS):
        """Answers a second, median of three runs."""
        rates = []
        for attempt in range(3):
            text = self.wrk_once(script.replace("@RUN@", f"{attempt}-{time.time_ns()}"), seconds, connections)
            rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)))
        return statistics.median(rates)

    def wrk_once(self, script, seconds, connections):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(script)
            file.flush()
            text = subprocess.run(
                ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", file.name, self.origin],
                capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in text or "Socket errors" in text:
            raise SystemExit(text)
        return text

    def wrk_count(self, script, count, connections, seconds=7200):
        """Returns when so many answers have come, not sooner than the last one that was asked for."""
        script += f"""
local done, other = 0, 0
response = function(status)
    done = done + 1
    if status >= 300 then other = other + 1 end
    if done == {count} + {connections} then print(other .. " refused"); io.stdout:flush() end
end
"""
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(script)
            file.flush()
            process = subprocess.Popen(
                ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", file.name, self.origin],
                stdout=subprocess.PIPE, text=True)
            for line in process.stdout:
                if line.endswith(" refused\n"):
                    break
            # The program itself only knows durations.
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            process.wait()
        if line != "0 refused\n":
            raise SystemExit(line)


def log_in(port, state):
    password = json.load(open(os.path.join(state, "credentials.json")))["admin"]
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
        "name": "admin", "domain": {"id": "default"}, "password": password}}},
        "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}}
    end = time.time() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("POST", "/identity/v3/auth/tokens", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            project = json.loads(answer.read())["token"]["project"]["id"]
            return f"http://127.0.0.1:{port}/v1/AUTH_{project}", answer.headers["X-Subject-Token"]
        except (OSError, KeyError):
            if time.time() > end:
                raise
            time.sleep(0.05)


# Of all scripts: what a request is made of. One body for all, made once.
HEAD = """
local n, size = 0, %d
local body = string.rep("0123456789abcdef", math.ceil(size / 16)):sub(1, size)
local head = {["X-Auth-Token"] = "%s", ["Content-Type"] = "application/octet-stream"}
"""


def small(store, folder):
    for size, label in ((4 * KIB, "4 KiB"), (MIB, "1 MiB")):
        head = HEAD % (size, store.token)
        base = durable_files(folder, size)
        put = store.wrk(head + f"""
request = function() n = n + 1; return wrk.format("PUT", "{store.account}/bench/@RUN@/" .. n, head, body) end""")
        show(f"PUT {label}", put, "/s", base, "plain files, synced")
        body = os.urandom(size)
        for number in range(64):
            store.call("PUT", f"/bench/get/{size}-{number}", body)
        get = store.wrk((HEAD % (0, store.token)) + f"""
request = function() n = n + 1; return wrk.format("GET", "{store.account}/bench/get/{size}-" .. n %% 64, head) end
""".replace("%%", "%"))
        show(f"GET {label}", get, "/s", loopback() * 1e6 / size if size == MIB else None, "raw loopback")
    if store.processes:
        show("memory after small objects (PSS)", store.memory(), "MiB")


def durable_files(folder, size, seconds=3):
    """New files a second, each synced, by as many threads as there are connections: what the disk itself does."""
    body, end, counts = os.urandom(size), time.time() + seconds, []

    def work(number):
        count = 0
        while time.time() < end:
            file = os.open(f"{folder}/{number}-{count}", os.O_CREAT | os.O_WRONLY, 0o600)
            os.write(file, body)
            os.fsync(file)
            os.close(file)
            count += 1
        counts.append(count)
        for index in range(count):
            os.unlink(f"{folder}/{number}-{index}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def loopback(size=1 << 30):
    """MB/s of one TCP connection between two processes, by sendfile from the page cache."""
    listener = socket.create_server(("127.0.0.1", 0))
    child = os.fork()
    if child == 0:
        connection, _ = listener.accept()
        with tempfile.TemporaryFile() as file:
            file.write(bytes(16 * MIB))
            file.flush()
            for _ in range(size // (16 * MIB)):
                offset = 0
                while offset < 16 * MIB:
                    offset += os.sendfile(connection.fileno(), file.fileno(), offset, 16 * MIB - offset)
        os._exit(0)
    buffer, got = bytearray(MIB), 0
    with socket.create_connection(listener.getsockname()) as connection:
        begin = time.perf_counter()
        while got < size:
            got += connection.recv_into(buffer)
        spent = time.perf_counter() - begin
    os.waitpid(child, 0)
    listener.close()
    return size / spent / 1e6


def synced_file(source, folder):
    """MB/s of one large new file that is synced at its end."""
    begin = time.perf_counter()
    subprocess.run(["dd", f"if={source}", f"of={folder}/plain", "bs=1M", "conv=fsync"], check=True, capture_output=True)
    spent = time.perf_counter() - begin
    os.unlink(f"{folder}/plain")
    return os.path.getsize(source) / spent / 1e6


def large(store, folder):
    source, size = f"{folder}/large", 1 << 30
    with open(source, "wb") as file:
        for _ in range(size // (16 * MIB)):
            file.write(os.urandom(16 * MIB))
        os.fsync(file.fileno())
    up, down, plain, wire, highest = [], [], [], [], 0
    for _ in range(3):
        plain.append(synced_file(source, folder))
        wire.append(loopback())
        highest = max(highest, while_watching(store, lambda: up.append(transfer(store, ["-T", source, "-H", "Expect:"]))))
        highest = max(highest, while_watching(store, lambda: down.append(transfer(store, []))))
    show("1 GiB up", statistics.median(up), "MB/s", statistics.median(plain), "a plain file, synced")
    show("1 GiB down", statistics.median(down), "MB/s", statistics.median(wire), "raw loopback")
    if store.processes:
        show("memory at most meanwhile (PSS)", highest, "MiB")
    store.call("DELETE", "/bench/large")


def transfer(store, options):
    text = subprocess.run(
        ["curl", "-s", "-f", "-o", "/dev/null", "-w", "%{time_total}", "-H", f"X-Auth-Token: {store.token}", *options,
         f"{store.origin}{store.account}/bench/large"], capture_output=True, text=True, check=True).stdout
    return (1 << 30) / float(text) / 1e6


def while_watching(store, work):
    """The most memory that the store's processes had meanwhile, MiB."""
    thread = threading.Thread(target=work)
    thread.start()
    highest = 0
    while thread.is_alive():
        highest = max(highest, store.memory())
        thread.join(0.2)
    return highest


def listing(store, count):
    """A container of so many objects: how long each page takes."""
    store.call("PUT", "/many")
    begin = time.perf_counter()
    # wrk asks for one request that it does not send.
    store.wrk_count((HEAD % (0, store.token)) + f"""
n = -1
request = function() if n < {count} then n = n + 1 end; return wrk.format("PUT", string.format("{store.account}/many/object-%08d", n), head, "") end
""", count, connections=64)
    spent = time.perf_counter() - begin
    show(f"{count:,} objects put, 64 connections", count / spent, "/s")
    answer, _ = store.call("HEAD", "/many")
    print(f"{'':<38}{int(answer.headers['X-Container-Object-Count']):>12,} in the container")
    for limit in (100, min(10_000, count // 4)):
        first = None
        for place, marker in (("first", 0), ("middle", count // 2), ("last", count - limit)):
            query = f"/many?format=json&limit={limit}" + (f"&marker=object-{marker:08d}" if marker else "")
            times = []
            for _ in range(7):
                begin = time.perf_counter()
                _, body = store.call("GET", query)
                times.append(time.perf_counter() - begin)
            if len(json.loads(body)) != limit:
                raise SystemExit(f"{place} page: {len(json.loads(body))} rows")
            value = 1000 * statistics.median(times)
            first = first or value
            show(f"{place} page of {limit:,}", value, "ms", first, "the first page")


def clean(store, container):
    """Deletes what is in a container, a page at a time."""
    while True:
        _, body = store.call("GET", f"/{container}?limit=10000")
        names = body.decode().split()
        if not names:
            break
        for name in names:
            store.call("DELETE", f"/{container}/{name}")
    store.call("DELETE", f"/{container}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int)
    parser.add_argument("--state")
    parser.add_argument("--url")
    parser.add_argument("--token")
    parser.add_argument("--pid", type=int, action="append", default=[], dest="processes", help="whose memory counts")
    parser.add_argument("--scratch", help="a folder on the store's own disk", default="/var/tmp")
    parser.add_argument("--listing", type=int, default=int(os.environ.get("LISTING", 200_000)), help="objects of its container")
    parser.add_argument("--sections", default="small,large,listing")
    parser.add_argument("--clean", action="store_true", help="delete what was put")
    options = parser.parse_args()
    show.upstream = not options.url
    url, token = (options.url, options.token) if options.url else log_in(options.port, options.state)
    store = Store(url, token, options.processes)
    if options.processes:
        time.sleep(2)
        show("memory idle (PSS)", store.memory(), "MiB")
    store.call("PUT", "/bench")
    with tempfile.TemporaryDirectory(prefix="objects-", dir=options.scratch) as folder:
        if "small" in options.sections:
            small(store, folder)
        if "large" in options.sections:
            large(store, folder)
    if "listing" in options.sections:
        listing(store, options.listing)
        if options.processes:
            show("memory after the listing (PSS)", store.memory(), "MiB")
    if options.clean:
        for container in ("bench", "many"):
            clean(store, container)


if __name__ == "__main__":
    sys.exit(main())
