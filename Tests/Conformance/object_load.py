#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Steady load on an object store, with a journal of what was acknowledged; and what proves that it is kept.

  run       threads put, overwrite, change and delete objects for a while; what each answer promised goes to the journal
  check     every object of the journal is read back, and listings and totals agree with it
  replicas  every object of the journal lies intact on so many devices, and nothing else does
  corrupt   turns bytes in the middle of one device's files
  vanish    uploads and downloads that end in the middle leave nothing in the process and on the device

A write without an answer may have happened or not: the journal keeps both. A write with one happened.
"""
import argparse
import collections
import glob
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import struct
import sys
import threading
import time
import urllib.parse

CONTAINERS = ["load-0", "load-1", "load-2"]
NAMES = 24  # of each thread
POOL = random.Random(1).randbytes(3 << 20)
MAGIC = b"HANEULOB"


class Store:
    """One connection with a token of its own."""

    def __init__(self, options):
        self.options = options
        self.host, self.port = options.host, options.port
        self.connection = None
        self.token = self.account = None

    def send(self, method, path, body=None, headers=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def login(self):
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "name": self.options.user, "domain": {"id": "default"}, "password": self.options.password}}},
            "scope": {"project": {"name": self.options.user, "domain": {"id": "default"}}}}}
        status, headers, text = self.send(
            "POST", "/identity/v3/auth/tokens", json.dumps(body), {"Content-Type": "application/json"})
        if status != 201:
            raise OSError(f"login: {status}")
        self.token = headers["X-Subject-Token"]
        self.account = "/v1/AUTH_" + json.loads(text)["token"]["project"]["id"]

    def call(self, method, name, body=None, headers=None):
        """Once, with a token: None where there was no answer."""
        try:
            if not self.token:
                self.login()
            answer = self.send(method, self.account + name, body, {"X-Auth-Token": self.token, **(headers or {})})
        except (OSError, http.client.HTTPException):
            return None, {}, b""
        if answer[0] == 401:
            self.token = None
        return answer

    def insist(self, method, name, seconds=60, **more):
        """Until there is an answer that is not the store's own trouble."""
        end = time.time() + seconds
        while True:
            status, headers, body = self.call(method, name, **more)
            if status is not None and status != 401 and status < 500:
                return status, headers, body
            if time.time() > end:
                return status, headers, body
            time.sleep(0.2)


def path(name):
    return "/" + urllib.parse.quote(name)


class Journal:
    """By object: the states that it may be in. None: not there."""

    def __init__(self, file):
        self.file = file
        self.states = json.load(open(file)) if os.path.exists(file) else {}
        self.lock = threading.Lock()

    def get(self, name):
        return self.states.get(name, [None])

    def set(self, name, states):
        unique = []
        for state in states:
            if state not in unique:
                unique.append(state)
        with self.lock:
            self.states[name] = unique

    def save(self):
        with open(self.file + ".new", "w") as file:
            json.dump(self.states, file)
        os.rename(self.file + ".new", self.file)


def fits(state, headers, body):
    return (state is not None and hashlib.sha256(body).hexdigest() == state["sha"]
            and headers.get("X-Object-Meta-Mark") == state["mark"])


class Worker(threading.Thread):
    def __init__(self, number, options, journal, counts, faults, stop):
        super().__init__(daemon=True)
        self.store, self.journal, self.counts, self.faults = Store(options), journal, counts, faults
        self.random = random.Random(f"{number}-{time.time()}")
        self.names = [f"{CONTAINERS[k % len(CONTAINERS)]}/{number}/object {k}" for k in range(NAMES)]
        self.stop_event = stop
        self.marks = 0

    def run(self):
        while not self.stop_event.is_set():
            name = self.random.choice(self.names)
            self.random.choices([self.put, self.delete, self.post, self.get], [55, 15, 15, 15])[0](name)

    def mark(self):
        self.marks += 1
        return f"{self.marks}-{self.random.getrandbits(32):x}"

    def note(self, word, status):
        if status is None or status >= 500 or status == 401:
            self.counts["no answer" if status is None else f"refused {status}"] += 1
            time.sleep(0.05)
            return False
        self.counts[word] += 1
        return True

    def fault(self, text):
        self.counts["FAULTS"] += 1
        self.faults.append(text)

    def put(self, name):
        size = int(self.random.choice([0, 100, 4096, 4096, 30_000, 70_000]) * self.random.random() * 2)
        if self.random.random() < 0.03:
            size = self.random.randrange(1 << 18, 1 << 20)
        start = self.random.randrange(len(POOL) - size)
        body = POOL[start:start + size]
        state = {"sha": hashlib.sha256(body).hexdigest(), "md5": hashlib.md5(body).hexdigest(), "size": size, "mark": self.mark()}
        before = self.journal.get(name)
        # Noted before it is sent: this process may be ended too.
        self.journal.set(name, before + [state])
        status, headers, _ = self.store.call("PUT", path(name), body, {"X-Object-Meta-Mark": state["mark"]})
        if self.note("put", status):
            if status != 201:
                self.fault(f"PUT {name}: {status}")
            elif headers.get("Etag", "").strip('"') != state["md5"]:
                self.fault(f"PUT {name}: ETag {headers.get('Etag')}")
            self.journal.set(name, [state])

    def delete(self, name):
        before = self.journal.get(name)
        self.journal.set(name, before + [None])
        status, _, _ = self.store.call("DELETE", path(name))
        if self.note("delete", status):
            if status == 404 and None not in before:
                self.fault(f"DELETE {name}: 404, but it was acknowledged")
            if status in (204, 404):
                self.journal.set(name, [None])
            elif status == 409:
                self.journal.set(name, before)

    def post(self, name):
        before, mark = self.journal.get(name), self.mark()
        after = [state and dict(state, mark=mark) for state in before]
        self.journal.set(name, before + after)
        status, _, _ = self.store.call("POST", path(name), b"", {"X-Object-Meta-Mark": mark})
        if self.note("post", status):
            if status == 404 and None not in before:
                self.fault(f"POST {name}: 404, but it was acknowledged")
            self.journal.set(name, [None] if status == 404 else after if status == 202 else before)

    def get(self, name):
        states = self.journal.get(name)
        status, headers, body = self.store.call("GET", path(name))
        if not self.note("get", status):
            return
        if status == 404 and None not in states:
            self.fault(f"GET {name}: 404, but it was acknowledged")
        elif status == 200 and not any(fits(state, headers, body) for state in states):
            honest = hashlib.md5(body).hexdigest() == headers.get("Etag", "").strip('"')
            self.fault(f"GET {name}: " + ("another state than the last acknowledged" if honest else "damaged bytes"))


def run(options):
    journal, counts, faults, stop = Journal(options.journal), collections.Counter(), [], threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    first = Store(options)
    for container in CONTAINERS:
        status, _, _ = first.insist("PUT", "/" + container)
        if status not in (201, 202):
            raise SystemExit(f"PUT {container}: {status}")
    workers = [Worker(number, options, journal, counts, faults, stop) for number in range(options.threads)]
    for worker in workers:
        worker.start()
    stop.wait(options.seconds)
    stop.set()
    for worker in workers:
        worker.join()
    journal.save()
    print(", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    for text in faults[:5]:
        print("  " + text)
    return 1 if faults else 0


def check(options):
    """Until all agrees, or the time is over."""
    journal, end = Journal(options.journal), time.time() + options.within
    store = Store(options)
    while True:
        problems = read_back(store, journal, options.settle) + listed(store, journal)
        if not problems or time.time() > end:
            break
        time.sleep(0.5)
    if options.settle and not problems:
        journal.save()
    live = sum(None not in states for states in journal.states.values())
    print(f"{len(problems)} problems with {live} objects")
    for text in problems[:5]:
        print("  " + text)
    return 1 if problems else 0


def read_back(store, journal, settle):
    problems = []
    for name, states in sorted(journal.states.items()):
        status, headers, body = store.insist("GET", path(name), seconds=10)
        if status == 404:
            found = [None] if None in states else []
        elif status == 200:
            found = [state for state in states if fits(state, headers, body)]
            if not found and hashlib.md5(body).hexdigest() != headers.get("Etag", "").strip('"'):
                problems.append(f"GET {name}: damaged bytes")
                continue
        else:
            found = []
        if not found:
            problems.append(f"GET {name}: {status}, expected {['gone' if s is None else s['size'] for s in states]}")
        elif settle:
            journal.set(name, found)
    return problems


def listed(store, journal):
    problems, rows = [], {}
    for container in CONTAINERS:
        marker, count = "", 0
        while True:
            status, headers, body = store.insist(
                "GET", f"/{container}?format=json&limit=50&marker={urllib.parse.quote(marker)}", seconds=10)
            if status != 200:
                problems.append(f"listing of {container}: {status}")
                break
            page = json.loads(body)
            if not page:
                break
            count += len(page)
            rows.update({f"{container}/{row['name']}": row for row in page})
            marker = page[-1]["name"]
        told = headers.get("X-Container-Object-Count")
        if status == 200 and int(told or -1) != count:
            problems.append(f"{container} says {told} objects and lists {count}")
    for name, states in journal.states.items():
        row = rows.pop(name, None)
        if not any(
            (state is None and row is None) or (state and row and (row["bytes"], row["hash"]) == (state["size"], state["md5"]))
            for state in states
        ):
            problems.append(f"{name} is {'not listed' if row is None else 'listed as ' + str(row['bytes'])}")
    return problems + [f"{name} is listed, but nobody wrote it" for name in rows]


def trailer(data):
    """The record at the end of a file and the body before it; None where it is damaged."""
    if len(data) < 20 or data[-8:] != MAGIC:
        return None, b""
    length = struct.unpack(">I", data[-20:-16])[0]
    try:
        return json.loads(data[-20 - length:-20]), data[:-20 - length]
    except ValueError:
        return None, b""


def newest(folder):
    """The file that counts in an object's folder, and the newest of changed headers."""
    names = sorted(os.listdir(folder))
    data = [n for n in names if n.endswith((".data", ".ts"))]
    meta = [n for n in names if n.endswith(".meta")]
    if not data:
        return None, None
    return data[-1], meta[-1] if meta and meta[-1].split(".")[0] > data[-1].split(".")[0] else None


def replicas(options):
    journal = Journal(options.journal)
    found, problems = collections.defaultdict(list), []
    for device in options.devices:
        for folder in glob.glob(f"{device}/objects/*/*/*"):
            data, meta = newest(folder)
            if data is None or data.endswith(".ts"):
                if data:
                    found[os.path.basename(folder)].append((device, data, None, None))
                continue
            try:
                record, body = trailer(open(f"{folder}/{data}", "rb").read())
            except FileNotFoundError:
                problems.append(f"{folder} changes")
                continue
            if record is None or hashlib.md5(body).hexdigest() != record["etag"]:
                problems.append(f"{folder}/{data} is damaged")
                continue
            name = f"{record['container']}/{record['object']}"
            found[os.path.basename(folder)].append((device, data, meta, name))
    names = set()
    for key, places in found.items():
        live = [place for place in places if place[3]]
        if not live:
            continue
        names.add(live[0][3])
        if len(live) != options.replicas or len(live) != len(places) or len({place[1:] for place in live}) != 1:
            problems.append(f"{live[0][3]}: " + "; ".join(f"{place[0][-12:]} {place[1]} {place[2]}" for place in places))
    names = {name for name in names if name.split("/")[0] in CONTAINERS}
    for name, states in journal.states.items():
        if name in names and states == [None]:
            problems.append(f"{name} was deleted and is on a device")
        if name not in names and None not in states:
            problems.append(f"{name} is on no device")
    print(f"{len(problems)} problems with {len(names)} objects")
    for text in problems[:5]:
        print("  " + text)
    return 1 if problems else 0


def corrupt(options):
    """In every file: a byte of the body; in each tenth the record behind it."""
    turned = 0
    for number, folder in enumerate(sorted(glob.glob(f"{options.device}/objects/*/*/*"))):
        data, _ = newest(folder)
        if data is None or data.endswith(".ts"):
            continue
        size = os.path.getsize(f"{folder}/{data}")
        _, body = trailer(open(f"{folder}/{data}", "rb").read())
        with open(f"{folder}/{data}", "r+b") as file:
            place = len(body) // 2 if len(body) > 1 and number % 10 else size - 30
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 0x40]))
        turned += 1
    print(f"{turned} files")
    return 0 if turned else 1


def descriptors(process):
    links = []
    for entry in os.listdir(f"/proc/{process}/fd"):
        try:
            links.append(os.readlink(f"/proc/{process}/fd/{entry}"))
        except OSError:
            pass
    return links


def memory_mib(process):
    for line in open(f"/proc/{process}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024


def vanish(options):
    parts = urllib.parse.urlsplit(options.url)
    head = f"Host: {parts.netloc}\r\nX-Auth-Token: {options.token}\r\n"

    def request(method, name, headers="", body=b""):
        """Sends, reads the first bytes, and leaves: by half of them without a word (a reset)."""
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(f"{method} {parts.path}/{name} HTTP/1.1\r\n{head}{headers}\r\n".encode() + body)
            got = b"" if method == "PUT" else connection.recv(65_536)
            if random.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return got

    def plain(method, name, body=None):
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        connection.request(method, f"{parts.path}/{name}", body, {"X-Auth-Token": options.token})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def cut(count):
        for number in range(count):
            # Of a known size, in chunks, and with not a byte of the body.
            kind = number % 3
            if kind == 0:
                request("PUT", f"vanish/up-{number}", "Content-Length: 3000000\r\n", POOL[:random.randrange(1, 2_900_000)])
            elif kind == 1:
                request("PUT", f"vanish/up-{number}", "Transfer-Encoding: chunked\r\n", b"%x\r\n" % 900_000 + POOL[:random.randrange(800_000)])
            else:
                request("PUT", f"vanish/up-{number}", "Content-Length: 3000000\r\n")
            if not request("GET", "vanish/whole").startswith(b"HTTP/1.1 200"):
                raise SystemExit("GET: not 200")

    for name, body in (("vanish", b""), ("vanish/whole", POOL * 3)):
        if plain("PUT", name, body) not in (201, 202):
            raise SystemExit(f"PUT {name}")
    cut(60)
    time.sleep(2)
    before, memory = descriptors(options.pid), memory_mib(options.pid)
    cut(options.count)
    end = time.time() + 45  # the server's own patience with a silent client is 30 s
    while True:
        now = descriptors(options.pid)
        unnamed = [link for link in now if link.endswith("(deleted)") and options.device in link]
        if (len(now) <= len(before) + 2 and not unnamed) or time.time() > end:
            break
        time.sleep(0.5)
    grown = memory_mib(options.pid) - memory
    left = [name for number in range(options.count) if plain("GET", name := f"vanish/up-{number}") != 404]
    files = [file for file in glob.glob(f"{options.device}/tmp/*")]
    print(f"{len(before)} descriptors before, {len(now)} after; {grown:+.1f} MiB; {len(files)} temporary files; "
          f"{len(unnamed)} files without a name; {len(left)} objects of uploads that did not end")
    for name in ("vanish/whole", "vanish"):
        plain("DELETE", name)
    return 0 if len(now) <= len(before) + 2 and not unnamed and not files and not left and grown < 24 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "check"):
        command = commands.add_parser(name)
        command.add_argument("--journal", required=True)
        command.add_argument("--host", default="127.0.0.1")
        command.add_argument("--port", type=int, required=True)
        command.add_argument("--user", default="demo")
        command.add_argument("--password", required=True)
    commands.choices["run"].add_argument("--seconds", type=float, default=5)
    commands.choices["run"].add_argument("--threads", type=int, default=8)
    commands.choices["check"].add_argument("--within", type=float, default=0)
    commands.choices["check"].add_argument("--settle", action="store_true", help="what is found now must stay")
    command = commands.add_parser("replicas")
    command.add_argument("--journal", required=True)
    command.add_argument("--replicas", type=int, default=2)
    command.add_argument("devices", nargs="+")
    commands.add_parser("corrupt").add_argument("device")
    command = commands.add_parser("vanish")
    for name in ("--url", "--token", "--device"):
        command.add_argument(name, required=True)
    command.add_argument("--pid", type=int, required=True)
    command.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    sys.exit(globals()[options.command](options))


main()
