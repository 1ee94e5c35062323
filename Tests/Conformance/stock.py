#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The stock `openstack` client, loaded once: a command costs what it does, not a second of imports.

  stock.py serve SOCKET    with the client's Python: loads the client, then runs each command in a fork
  stock.py SOCKET WORD…    one command: it has the caller's environment, folder, input, output and exit status
"""
import json
import os
import socket
import sys


def ask(path, words):
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.connect(path)
    order = json.dumps({"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
    socket.send_fds(link, [len(order).to_bytes(4, "big")], [0, 1, 2])
    link.sendall(order)
    answer = link.recv(1)
    return answer[0] if answer else 70


def load():
    """Everything that a command would import by itself."""
    import importlib.metadata

    import openstack.connection
    import openstackclient.shell
    import stevedore
    groups = [group for group in importlib.metadata.entry_points().groups
              if group.startswith("openstack.") or group in ("keystoneauth1.plugin", "cliff.formatter.show",
                                                            "cliff.formatter.list")]
    for group in groups:
        stevedore.ExtensionManager(group, on_load_failure_callback=lambda *_: None)
    connection = openstack.connection.Connection
    for service in ("compute", "image", "network", "identity", "block_storage", "object_store", "placement"):
        getattr(connection, service, None)
    return openstackclient.shell


def run(shell, link):
    size, handles, _, _ = socket.recv_fds(link, 4, 3)
    order = b""
    while len(order) < int.from_bytes(size, "big"):
        order += link.recv(1 << 20)
    order = json.loads(order)
    if os.fork():
        for handle in handles:  # Who reads the command's output waits for its end.
            os.close(handle)
        return
    if child := os.fork():  # This one waits for the command and tells how it ended.
        for handle in handles:
            os.close(handle)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        try:
            link.send(bytes([status if 0 <= status < 256 else 128]))
        finally:
            os._exit(0)
    status = 1
    try:
        for number, handle in enumerate(handles):
            os.dup2(handle, number)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.argv = ["openstack"] + order["words"]
        status = shell.main(order["words"]) or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        print(error, file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 1)


def serve(path):
    import signal
    shell = load()
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(path + ".new")
    door.listen(64)
    os.rename(path + ".new", path)
    while True:
        link, _ = door.accept()
        run(shell, link)
        link.close()
        while True:  # The first children end at once.
            try:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    break
            except ChildProcessError:
                break


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
