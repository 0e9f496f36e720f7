# SPDX-License-Identifier: MIT
"""Owns the measuring: one command once, and one case's commands in turn.

hyperfine takes the times, of bash called by time(1), which sees the largest
process of those that a command consists of. Starting these two, some 2 ms, is
in every time: what hyperfine would measure and take off can be more than a
short command takes. Nor can a peak below that of bash be seen."""

import json
import mmap
import os
import random
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from lib.case import Skipped, installed, missing
from lib.machine import field


class Failed(Exception):
    """A command that did not succeed, and what it said."""


def hold_memory(but):
    """All memory but so many bytes, until the result is let go. A virtual
    machine may give free memory back to its host all the time, and the command
    that happens to meet such pages waits while they are lent again: seconds.
    With little free there is nothing to give back."""
    available = int(field("/proc/meminfo", "MemAvailable").split()[0]) << 10
    if available <= but:
        return None
    memory = mmap.mmap(-1, available - but,
                       flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(memory), mmap.PAGESIZE):
        memory[page] = 1
    return memory


def blocks(folder):
    """Blocks of 512 bytes that the files in a folder take."""
    return sum(path.stat().st_blocks for path in folder.rglob("*")
               if path.is_file())


def used(folder):
    """Bytes in use on a folder's file system. XFS gives the blocks of deleted
    files back a while later: this waits until nothing changes any more."""
    now = -1
    for _ in range(50):
        os.sync()
        fs = os.statvfs(folder)
        before, now = now, (fs.f_blocks - fs.f_bfree) * fs.f_frsize
        if now == before:
            break
        time.sleep(0.1)
    return now


class Measurer:
    """Runs cases: the workloads, a folder to work in, how often, how."""

    def __init__(self, cache, work, runs, cold):
        self.cache, self.work, self.runs, self.cold = cache, work, runs, cold

    def once(self, command, folder, own_fs):
        """What one run of a command took. The last one's output is gone just
        before, for all commands alike: where a virtual machine is lent memory
        page by page, the pages it took are still at hand."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        os.sync()
        before = used(folder) if own_fs else 0
        if self.cold:
            Path("/proc/sys/vm/drop_caches").write_text("3")
        times, peak = self.work / "times", self.work / "peak"
        told = subprocess.run(
            ["hyperfine", "--shell", "none", "--runs", "1", "--style", "none",
             "--export-json", str(times),
             shlex.join(["time", "-f", "%M", "-o", str(peak),
                         "bash", "-o", "pipefail", "-c", command])],
            cwd=folder, text=True, capture_output=True, check=False)
        if told.returncode != 0:
            again = subprocess.run(["bash", "-c", command], cwd=folder,
                                   text=True, capture_output=True, check=False)
            raise Failed(f"'{command}' failed: {again.stderr.strip()}")
        result = json.loads(times.read_text())["results"][0]
        return {
            "seconds": result["times"][0],
            "cpu": result["user"] + result["system"],
            "peak": int(peak.read_text().split()[-1]) * 1024,
            "blocks": blocks(folder),
            "used": used(folder) - before if own_fs else None,
        }

    def commands(self, case):
        """(side, label, command) of all that is installed; ours comes first."""
        if not self.cache.path(case.input).exists():
            raise Skipped(f"{case.input} could not be made here")
        peers = installed(case.peers)
        if not peers:
            raise Skipped("no " + ", no ".join(
                missing(label) for label in case.peers) + " here")
        return ([("ours", "imgconv", case.ours)] +
                [("peer", *pair) for pair in peers.items()] +
                [("limit", *pair) for pair in installed(case.limits).items()])

    def measure(self, case):
        """All commands of a case in turn, so that what the machine does besides
        falls on all; each round has another order, the same in every run of the
        bench, so that what one leaves behind falls on different ones. One run beforehand,
        which is not counted, brings the input into memory."""
        commands = self.commands(case)
        results = [{"side": side, "label": label, "command": "", "runs": []}
                   for side, label, _ in commands]
        with case.place(self, case) as fields:
            fields = {"in": shlex.quote(str(self.cache.path(case.input))),
                      **fields}
            own_fs = "folder" in fields
            folder = Path(fields.get("folder", self.work)) / "out"
            for result, (_, _, command) in zip(results, commands):
                result["command"] = command.format_map(fields)
            self.once(results[0]["command"], folder, own_fs)
            for number in range(self.runs):
                order = random.Random(number).sample(results, len(results))
                for result in order:
                    result["runs"].append(self.once(
                        result["command"], folder, own_fs))
            shutil.rmtree(folder)
        return {
            "name": case.name + (", cold" if self.cold else ""),
            "state": "measured",
            "target": case.target,
            "limit_target": case.limit_target,
            "size_target": case.size_target,
            "commands": results,
            "left_out": sorted(set(case.peers) - set(installed(case.peers)) |
                               set(case.limits) - set(installed(case.limits))),
        }
