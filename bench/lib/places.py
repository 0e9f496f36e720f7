# SPDX-License-Identifier: MIT
"""Owns what some cases need around them: servers, and file systems that share
blocks. A place is entered for one case, gives the fields its commands name,
and leaves nothing behind."""

import os
import shlex
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager

from lib.case import Skipped, missing


def need(*programs):
    for program in programs:
        if missing(program):
            raise Skipped(f"no {program} here")


def wait_for(ready, process, what):
    """Until a server answers, which takes it a moment; or it is gone."""
    for _ in range(200):
        if ready():
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise Skipped(f"{what} does not start")


@contextmanager
def serving(command, ready):
    """A server that runs meanwhile."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(ready, process, command[0])
            yield
        finally:
            process.terminate()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def web(measurer, _case):
    """A web server on loopback, of the workloads: {web}."""
    need("nginx", "curl")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = measurer.work / "web"
    folder.mkdir(exist_ok=True)
    scratch = "".join(f"{kind}_temp_path {folder};" for kind in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = folder / "conf"
    conf.write_text(f"""daemon off;
        {"user root root;" if os.geteuid() == 0 else ""}
        pid {folder}/pid;
        error_log {folder}/errors;
        events {{ worker_connections 64; }}
        http {{
        access_log off;
        sendfile on;
        {scratch}
        server {{ listen 127.0.0.1:{port}; root {measurer.cache.folder}; }}
        }}
        """)
    with serving(["nginx", "-e", str(folder / "errors"), "-c", str(conf)],
                 lambda: answers(port)):
        yield {"web": f"http://127.0.0.1:{port}"}


@contextmanager
def nbd(measurer, case):
    """From NBD server {from} to NBD server {to}, which keeps its bytes in
    memory, so that what is timed is the moving."""
    need("nbdkit", "nbdcopy")
    disk = measurer.cache.path(case.input)
    servers = {"from": ["--readonly", "file", str(disk)],
               "to": ["memory", str(disk.stat().st_size)]}
    fields = {}
    with ExitStack() as stack:
        for name, arguments in servers.items():
            path = measurer.work / name
            path.unlink(missing_ok=True)
            stack.enter_context(serving(
                ["nbdkit", "-f", "-U", str(path), *arguments], path.exists))
            fields[name] = shlex.quote(f"nbd+unix:///?socket={path}")
        yield fields


def mounted(kind, *options):
    """A place whose {in} and outputs are on a new file system of that kind."""

    @contextmanager
    def place(measurer, case):
        if os.geteuid() != 0:
            raise Skipped("only root may mount")
        need(f"mkfs.{kind}")
        image, folder = measurer.work / "image", measurer.work / "mounted"
        folder.mkdir(exist_ok=True)
        disk = measurer.cache.path(case.input)
        with open(image, "wb") as file:
            file.truncate(4 * disk.stat().st_size + (1 << 30))
        try:
            mount(image, folder, kind, options)
            try:
                there = folder / "in"
                subprocess.run(["cp", "--sparse=always", disk, there],
                               check=True)
                yield {"folder": str(folder), "in": shlex.quote(str(there))}
            finally:
                shutil.rmtree(folder / "out", ignore_errors=True)
                subprocess.run(["umount", folder], check=True)
        finally:
            image.unlink()

    return place


def mount(image, folder, kind, options):
    for command in ([f"mkfs.{kind}", "-q", *options, image],
                    ["mount", "-t", kind, "-o", "loop", image, folder]):
        told = subprocess.run(command, text=True, capture_output=True,
                              check=False)
        if told.returncode != 0:
            raise Skipped(told.stderr.strip().splitlines()[-1])


xfs = mounted("xfs", "-m", "reflink=1")
btrfs = mounted("btrfs")
