#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""faults.py IMGCONV LIBRARY FOLDER MOST [SITE...]: each call fails in turn.

Runs small conversions (scenarios.py), each once to count the calls of every
site of inject.c, then once for each call and each way in which it may fail:
of more than MOST calls, MOST of them evenly spread. Of what comes to an end
too soon nothing may be left; what is harmless must give the same bytes. Fails
as well where a site never did.

SITE: only these; mmap is one, too. That is the C library's own call, for
memory and for threads: it fails by a limit of the address space, which is set
so high that it is met at ever later moments.
"""
import errno
import os
import re
import resource
import struct
import subprocess
import sys
import threading

from scenarios import SCENARIOS, STATUSES, Folder, ends, make_inputs

SITES = re.findall(r"SITE\((\w+)\)", open(os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "inject.c")).read().replace(
        "SITES(SITE)", ""))
RECORD_LEN = 4096
POPT_ENDED = "virtual memory exhausted."
# Of libraries that end the worker where they have no memory.
LAST_WORDS = re.compile("out of memory$|Fatal Internal Error in libarchive: ")
NEVER = 1 << 40

FULL = [("ENOSPC", "once"), ("ENOSPC", "on"), ("EDQUOT", "once"),
        ("EIO", "once")]
SOON = [("EINTR", "harmless"), ("short", "harmless")]
DISK = [("EIO", "once"), ("ENOSPC", "once"), ("EDQUOT", "once")]

# site: how it fails. once: the run must fail; on: and so must all later calls
# of it; harmless: nobody may notice; either: it fails or its output is right.
WAYS = {
    "alloc": [("ENOMEM", "either"), ("ENOMEM", "either-on")],
    "read": [("EIO", "once")] + SOON,
    "pread": [("EIO", "once")] + SOON,
    "write": FULL + SOON,
    "pwrite": FULL + SOON,
    "pwritev": FULL + SOON,
    # A first one only announces the size.
    "ftruncate": [("EIO", "either"), ("ENOSPC", "on-1"), ("EDQUOT", "on-1"),
                  ("EINTR", "harmless")],
    "sync_file_range": [("EIO", "on-1"), ("ENOSPC", "on-1"),
                        ("EINVAL", "harmless")],
    "fallocate": [("EOPNOTSUPP", "harmless"), ("EINTR", "harmless")] + DISK,
    "fsync": DISK,
    "linkat": DISK,
    "renameat": DISK + [("EINVAL", "harmless")],
    "close": [("EIO", "either"), ("EINTR", "harmless")],
    "close_written": [("EINTR", "harmless"), ("EIO", "either"),
                      ("ENOSPC", "on-1"), ("EDQUOT", "on-1")],
    "pthread_create": [("EAGAIN", "either"), ("EAGAIN", "either-on")],
    "fork": [("EAGAIN", "once")],
    "socketpair": [("EMFILE", "once")],
    "sendmsg": [("EPIPE", "once")] + SOON,
    "recvmsg": [("EIO", "either")] + SOON,
    "recv": [("EIO", "either")] + SOON,
    "open": [("EMFILE", "either")],
    "openat": [("EMFILE", "either")],
    "dup": [("EMFILE", "either")],
    "fstat": [("EIO", "either")],
    "mmap": [],
}
# What is said is the same but here: a part, libraries, a pipe.
TALK = ("sendmsg", "recvmsg", "recv")
TALKATIVE = ("raw-qcow2", "tar-raw", "split", "stdin")
MIB = 1 << 20
# A worker that the conductor has no more use for is ended by signal 9.
CRASH = re.compile(r"ended by signal (?!9 )")


class Result:
    def __init__(self, status, stdout, stderr, record):
        self.status, self.stdout = status, stdout
        self.lines = [line for line in
                      stderr.decode(errors="replace").splitlines()
                      if not LAST_WORDS.match(line)]
        self.fired, self.synced_again = struct.unpack_from("=QQ", record)
        self.kept = struct.unpack_from("=QQ", record, 24)
        self.calls = [struct.unpack_from(f"={len(SITES)}Q", record,
                                         40 + 8 * len(SITES) * who)
                      for who in (0, 1)]


class Runner:
    def __init__(self, imgconv, library, folder, scenario):
        self.library, self.scenario = library, scenario
        self.inputs = os.path.join(folder, "inputs")
        self.stdin = b""
        if "-" in scenario.words[:-1]:
            with open(os.path.join(self.inputs, "in.raw"), "rb") as file:
                self.stdin = file.read()
        self.record = os.path.join(folder, f"record-{scenario}")
        self.place = Folder(scenario, self.inputs,
                            os.path.join(folder, f"out-{scenario}"), imgconv)

    def run(self, room=None, **fault):
        scenario = self.scenario
        self.place.empty()
        with open(self.record, "wb") as file:
            file.write(bytes(RECORD_LEN))
        env = dict(os.environ, LC_ALL="C", LD_PRELOAD=self.library,
                   FAULT_RECORD=self.record)
        if scenario.named:
            env["FAULT_NO_TMPFILE"] = "1"
        for name, value in fault.items():
            env["FAULT_" + name.upper()] = str(value)
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (room, room))

        # In a group of its own, to be ended as a whole if it hangs.
        child = subprocess.Popen(self.place.command(),
                                 cwd=self.inputs, env=env,
                                 preexec_fn=limit if room else None,
                                 stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE,
                                 start_new_session=True)
        clock = threading.Timer(10, os.killpg, (child.pid, 9))
        clock.start()
        stdout, stderr = child.communicate(self.stdin)
        clock.cancel()
        with open(self.record, "rb") as file:
            record = file.read()
        result = Result(child.returncode, stdout, stderr, record)
        result.left = not ends(child.pid)
        return result

    def found(self, result):
        found = self.place.content()
        if self.scenario.pipe:
            found["-"] = result.stdout
        return found

    def begin(self):
        """Once as it should be: what is right, and what is called."""
        result = self.run()
        if result.status or result.lines:
            sys.exit(f"{self.scenario}: {result.status} {result.lines}")
        self.place.right = self.found(result)
        self.kept = result.kept
        return result.calls

    def judge(self, way, result, fired=True):
        """What is wrong with it, or None."""
        found = self.found(result)
        careless = self.scenario.careless and way == "either"
        if result.left:
            return "a process of it lives on"
        # What a run keeps that ends well is the libraries'.
        for name, kept, usual in zip(("conductor", "worker"), result.kept,
                                     self.kept):
            if kept > usual and not careless and result.status != 1:
                return f"{kept - usual} pieces of memory lost in the {name}"
        if result.synced_again:
            return "fsync was called again after it failed"
        if result.status == 0:
            # What compare writes to is spools: nobody misses what they lose.
            if way == "on-1" and not self.scenario.output:
                way = "either"
            if fired and way in ("once", "on", "on-1"):
                return "nobody noticed"
            if result.lines:
                return f"said {result.lines}"
            return self.place.judge_right(found)
        if way == "harmless":
            return f"status {result.status}: {result.lines}"
        # To a pipe bytes have gone by then.
        found.pop("-", None)
        # The library for options gives up by itself, before anything is done.
        if result.status == 1 and result.lines == [POPT_ENDED]:
            return self.place.judge_empty(found)
        # As does the loader.
        if result.status == 127 and "shared librar" in result.lines[0]:
            return self.place.judge_empty(found)
        if result.status not in STATUSES or \
                CRASH.search(result.lines[-1]) and not careless:
            return f"status {result.status}: {result.lines}"
        if len(result.lines) != 1 or \
                not result.lines[0].startswith("imgconv: "):
            return f"said {result.lines}"
        return self.place.judge_empty(found) or self.judge_next()

    def judge_next(self):
        """What a failed run kept: does the next one end well with it?"""
        if not self.scenario.keeps:
            return None
        again = subprocess.run(self.place.command(), cwd=self.inputs,
                               stdin=subprocess.DEVNULL, capture_output=True,
                               check=False)
        if again.returncode:
            return f"the next run: {again.stderr.decode()}"
        return self.place.judge_right(self.place.content())


def spread(count, most):
    """1..count, or `most` of them."""
    if count <= most:
        return range(1, count + 1)
    return sorted({1 + i * (count - 1) // (most - 1) for i in range(most)})


class Report:
    def __init__(self):
        self.fired, self.runs, self.problems = {}, 0, []
        self.statuses = {}

    def add(self, what, site, result, fired, problem):
        self.runs += 1
        if fired:
            self.fired[site] = self.fired.get(site, 0) + 1
            said = result.lines[0].split(": ", 2)[-1] if result.lines else ""
            key = (site, result.status, said)
            self.statuses[key] = self.statuses.get(key, 0) + 1
        if problem:
            self.problems.append(f"{what}: {problem}")

    def end(self, sites):
        for (site, status, said), count in sorted(self.statuses.items()):
            print(f"{site:16} {count:5} times status {status}  {said}")
        print(f"{self.runs} runs, {sum(self.fired.values())} faults fired")
        for problem in self.problems[:40]:
            print("NOT RIGHT", problem)
        never = [site for site in sites if not self.fired.get(site)]
        if never:
            print("never fired:", *never)
        return 1 if self.problems or never else 0


def try_calls(runner, calls, sites, most, report):
    for who, counts in enumerate(calls):
        for site, count in zip(SITES, counts):
            if site not in sites or site in TALK and \
                    runner.scenario.name not in TALKATIVE:
                continue
            for how, way in WAYS[site]:
                numbers = [1] if way.endswith("on-1") else spread(count, most)
                for number in numbers if count else []:
                    last = NEVER if way.endswith(("on", "on-1")) else number
                    result = runner.run(
                        site=site, who=who, number=number, last=last,
                        how=how if how == "short" else getattr(errno, how))
                    way = way.removesuffix("-on")
                    report.add(f"{runner.scenario}: {'worker' if who else 'conductor'}"
                               f" {site} {number} of {count} {how} {way}",
                               site, result, result.fired,
                               runner.judge(way, result, result.fired))


def try_limits(runner, most, report):
    low, high = 0, 4096 * MIB
    while high - low > MIB // 4:
        middle = (low + high) // 2
        if runner.run(room=middle).status:
            low = middle
        else:
            high = middle
    # Of the upper half: in the lower the program is not even loaded.
    for i in range(most):
        room = high // 2 + high // 2 * i // most
        result = runner.run(room=room)
        report.add(f"{runner.scenario}: {room} bytes of address space",
                   "mmap", result, result.status != 0,
                   runner.judge("either", result))


def main():
    imgconv, library, folder, most = sys.argv[1:5]
    sites = sys.argv[5:] or list(WAYS)
    report = Report()
    os.mkdir(os.path.join(folder, "inputs"))
    make_inputs(os.path.join(folder, "inputs"), imgconv)
    for scenario in SCENARIOS:
        runner = Runner(imgconv, library, folder, scenario)
        try_calls(runner, runner.begin(), sites, int(most), report)
        if "mmap" in sites:
            try_limits(runner, min(int(most), 100), report)
    sys.exit(report.end(sites))


main()
