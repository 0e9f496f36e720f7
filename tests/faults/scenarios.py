# SPDX-License-Identifier: MIT
"""The conversions that faults.py and kill.py disturb, and what must be true of
a folder whatever happened there. Small ones: each is run hundreds of times."""
import gzip
import os
import random
import re
import shutil
import subprocess
import tarfile
import time

OLD = b"what was there before\n"

# What has its own line in EXIT STATUS of imgconv(1).
STATUSES = {64, 65, 66, 69, 70, 73, 74, 75, 77}


class Scenario:
    """Words of a command line; OUT in them is the output's path."""

    def __init__(self, name, words, output, force=False, pipe=False,
                 named=False, careless=False, keeps=False):
        self.name, self.words, self.output = name, words, output
        self.force = force  # a file is there before
        self.pipe = pipe  # standard output is what is compared
        self.named = named  # as where there are no unnamed files
        # libarchive and libcrypto do not ask everywhere whether they got
        # memory, and lose some of it then: the worker may crash.
        self.careless = careless
        # What a failed run leaves is what the next one goes on with.
        self.keeps = keeps

    def __str__(self):
        return self.name


SCENARIOS = [
    Scenario("raw-qcow2", ["in.raw", "OUT"], "o.qcow2"),
    Scenario("qcow2-raw", ["in.qcow2", "OUT"], "o.raw"),
    Scenario("packed-streamOptimized",
             ["-o", "subformat=streamOptimized", "packed.qcow2", "OUT"],
             "o.vmdk", careless=True),
    Scenario("raw-packed", ["-c", "in.raw", "OUT"], "o.qcow2"),
    Scenario("gz-qcow2", ["in.raw.gz", "OUT"], "o.qcow2"),
    Scenario("tar-raw", ["in.tar", "OUT"], "o.raw", careless=True),
    Scenario("raw-gz", ["in.raw", "OUT"], "o.raw.gz"),
    Scenario("split", ["-o", "subformat=twoGbMaxExtentSparse", "in.raw",
                       "OUT"], "o.vmdk", careless=True),
    Scenario("split-force", ["--force", "-o",
                             "subformat=twoGbMaxExtentSparse", "in.raw",
                             "OUT"], "o.vmdk", force=True, careless=True),
    Scenario("full", ["-o", "preallocation=full", "in.raw", "OUT"],
             "o.qcow2"),
    Scenario("force", ["--force", "in.qcow2", "OUT"], "o.raw", force=True),
    Scenario("named", ["in.qcow2", "OUT"], "o.raw", named=True),
    Scenario("named-force", ["--force", "in.qcow2", "OUT"], "o.raw",
             force=True, named=True),
    Scenario("resume", ["--resume", "in.raw", "OUT"], "o.qcow2",
             careless=True, keeps=True),
    Scenario("resume-gz", ["--resume", "in.raw", "OUT"], "o.raw.gz",
             careless=True, keeps=True),
    Scenario("no-sync", ["--no-sync", "in.raw", "OUT"], "o.raw"),
    Scenario("falloc", ["-o", "preallocation=falloc", "in.raw", "OUT"],
             "o.raw"),
    Scenario("uncached", ["--cache=none", "in.qcow2", "OUT"], "o.raw"),
    Scenario("direct", ["--cache=direct", "in.raw", "OUT"], "o.raw"),
    Scenario("stdin", ["-f", "raw", "-", "OUT"], "o.qcow2"),
    Scenario("pipe", ["-O", "raw", "in.qcow2", "-"], None, pipe=True),
    # And what only reads.
    Scenario("info", ["info", "packed.qcow2"], None, pipe=True),
    Scenario("map", ["map", "in.qcow2"], None, pipe=True),
    Scenario("check", ["check", "packed.qcow2"], None, pipe=True),
    Scenario("compare", ["compare", "in.raw", "packed.qcow2"], None,
             pipe=True),
]


def make_inputs(folder, imgconv, megabytes=0):
    """A disk of data, text, zeros and holes, and what holds it."""
    def path(name):
        return os.path.join(folder, name)

    # Of fixed bytes, of which no two granules are the same.
    content = random.Random(1).randbytes(70000)
    content += b"".join(b"%08d\n" % i for i in range(8000))
    content += bytes(90000)
    if megabytes:
        content += random.Random(2).randbytes(megabytes << 20)
    with open(path("in.raw"), "wb") as file:
        file.write(content)
        file.truncate((len(content) + 99999) // 512 * 512)
    with open(path("in.raw"), "rb") as file, \
            gzip.open(path("in.raw.gz"), "wb", 1) as packed:
        shutil.copyfileobj(file, packed)
    with tarfile.open(path("in.tar"), "w") as tar:
        tar.add(path("in.raw"), "disk.raw")
    for words in (["in.raw", "in.qcow2"], ["-c", "in.raw", "packed.qcow2"]):
        subprocess.run([imgconv, "-q"] + words, cwd=folder, check=True)


def is_alive(group):
    """Is there a process of the group that is no zombie?"""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


def ends(group):
    """Do all its processes, given a moment?"""
    for _ in range(500):
        if not is_alive(group):
            return True
        time.sleep(0.01)
    return False


class Folder:
    """Where one scenario's output comes to be, and what it should be."""

    def __init__(self, scenario, inputs, folder, imgconv):
        self.scenario, self.inputs = scenario, inputs
        self.folder, self.imgconv = folder, imgconv
        self.right = None

    def empty(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        if self.scenario.force:
            with open(os.path.join(self.folder, self.scenario.output),
                      "wb") as file:
                file.write(OLD)

    def command(self):
        scenario = self.scenario
        out = os.path.join(self.folder, scenario.output or "")
        words = [out if word == "OUT" else word for word in scenario.words]
        # Of an answer, too, only what is asked for.
        return [self.imgconv] + words + \
            (["-q"] if "OUT" in self.scenario.words else [])

    def content(self):
        """Name -> bytes of all that is there."""
        found = {}
        for name in os.listdir(self.folder):
            with open(os.path.join(self.folder, name), "rb") as file:
                found[name] = file.read()
        return found

    def judge_empty(self, found):
        """After a failure: as it was before."""
        wanted = {self.scenario.output: OLD} if self.scenario.force else {}
        if self.scenario.keeps:
            kept = self.siblings(found)
            found = {name: found[name] for name in found if name not in kept}
        if found == wanted:
            return None
        return "left behind: " + ", ".join(
            f"{name} ({len(found[name])} bytes)"
            for name in found if found[name] != wanted.get(name)) \
            if found else "the old file is gone"

    def judge_right(self, found):
        """After success: every file, and every byte of it."""
        if found == self.right:
            return None
        return f"wrong output: {sorted(found)}"

    def siblings(self, found):
        return [name for name in found
                if re.fullmatch(r"\..*\.imgconv-"
                                r"(partial|journal|[A-Za-z0-9]{6})", name)]
