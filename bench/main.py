# SPDX-License-Identifier: MIT
"""Owns the options, and the order of the cases."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))

from cases import (compressed, plain, reflink, remote,  # noqa: E402
                   scaling, tables, wrapped)
from lib import machine, report  # noqa: E402
from lib.case import Skipped  # noqa: E402
from lib.measure import Failed, Measurer, hold_memory  # noqa: E402
from lib.workloads import RECIPES, SIZES, Cache  # noqa: E402

ORDER = (plain, compressed, wrapped, tables, remote, reflink, scaling)
NEEDED = ("hyperfine", "time", "bash", "cc", "qemu-img", "qemu-io", "sgdisk",
          "mkfs.ext4", "debugfs", "e2fsck", "openssl", "xz", "gzip", "zstd")


def die(text):
    sys.exit(f"bench: {text}")


def options():
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Compare imgconv with other programs.")
    add = parser.add_argument
    add("--size", default="full", choices=SIZES, help="of the disks")
    add("--quick", dest="size", action="store_const", const="quick",
        help="small disks, for a first look: --size quick")
    add("--runs", type=int, default=7, metavar="N",
        help="runs of each command (default 7)")
    add("--only", default="", metavar="PATTERN",
        help="only cases whose name has this regular expression")
    add("--skip", default="^$", metavar="PATTERN", help="none that has this")
    add("--cold", action="store_true",
        help="drop all caches before each run (as root)")
    add("--cache", default=Path(cache) / "imgconv-bench", metavar="DIR",
        help="where the disks are kept (default ~/.cache/imgconv-bench)")
    add("--leave", type=int, metavar="MIB",
        help="hold all memory but so much, so that a virtual machine keeps it")
    add("--prepare", action="store_true", help="only make the disks")
    add("--list", action="store_true", help="only show the cases' names")
    add("--markdown", type=Path, metavar="FILE", help="also write the tables")
    add("--json", type=Path, metavar="FILE", help="also write every time")
    given = parser.parse_args()
    if given.runs < 1:
        parser.error("--runs must be 1 or more")
    if given.cold and not os.access("/proc/sys/vm/drop_caches", os.W_OK):
        die("--cold needs to write /proc/sys/vm/drop_caches: run it as root")
    return given


def tools(folder):
    """Puts the program under test, by its own name, and limit first on PATH."""
    imgconv = shutil.which(os.environ["IMGCONV"])
    if not imgconv:
        die(f"{os.environ['IMGCONV']} is not built: run scripts/demo first")
    for tool in NEEDED:
        if not shutil.which(tool):
            die(f"needs {tool}: run scripts/setup")
    folder.mkdir()
    (folder / "imgconv").symlink_to(Path(imgconv).resolve())
    subprocess.run(["cc", "-O2", "-pthread", "-o", folder / "limit",
                    BENCH / "limit.c"], check=True)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


def prepare(cache, cases, everything):
    """Makes what the cases read; all there is, if they are all cases. What a
    program was missing for is missing to its cases."""
    names = RECIPES if everything else {case.input for case in cases}
    for name in names:
        try:
            cache.make(name)
        except subprocess.CalledProcessError as error:
            print(f"bench: {name}: {error}", file=sys.stderr)


def run(given, cases, cache, work):
    """Measures the cases, each row shown when it is there; their results."""
    measurer = Measurer(cache, work, given.runs, given.cold)
    results = []
    about = machine.describe(cache.folder)
    print(report.heading(about, given), flush=True)
    print(report.SUMMARY, flush=True)
    for case in cases:
        try:
            result = measurer.measure(case)
        except Skipped as reason:
            result = report.without(case.name, "skipped", reason)
        except (Failed, subprocess.CalledProcessError) as reason:
            print(f"bench: {case.name}: {reason}", file=sys.stderr)
            result = report.without(case.name, "failed", reason)
        results.append(result)
        print(report.row(result), flush=True)
    print(report.details(results))
    if given.markdown:
        given.markdown.write_text(report.markdown(about, given, results))
    if given.json:
        given.json.write_text(report.as_json(about, given, results))
    return results


def main():
    given = options()
    cases = [case for part in ORDER for case in part.CASES
             if re.search(given.only, case.name) and
             not re.search(given.skip, case.name)]
    if not cases:
        die(f"no case has '{given.only}' in its name; see --list")
    if given.list:
        print("\n".join(case.name for case in cases))
        return
    # So that servers and mounts go as they came.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cache = Cache(Path(given.cache).resolve(), SIZES[given.size])
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(
            prefix="run-", dir=cache.folder)))
        tools(work / "bin")
        prepare(cache, cases, everything=not given.only)
        if given.prepare:
            return
        held = hold_memory(given.leave << 20) if given.leave else None
        results = run(given, cases, cache, work)
        del held
    if any(result["state"] == "failed" for result in results):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
