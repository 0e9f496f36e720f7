# SPDX-License-Identifier: MIT
"""Owns what is said of the machine and the versions of its programs."""

import os
import platform
import shutil
import subprocess
import time
from pathlib import Path

# How each is asked; the first line of the answer is told.
VERSIONS = {
    "imgconv": "--version", "qemu-img": "--version", "hyperfine": "--version",
    "xz": "--version", "gzip": "--version", "pigz": "--version",
    "igzip": "--version", "zstd": "--version", "nbdcopy": "--version",
    "nbdkit": "--version", "nginx": "-v", "curl": "--version",
    "cp": "--version", "mkfs.xfs": "-V", "mkfs.btrfs": "--version",
    "cc": "--version",
}


def answer(*command):
    """The first line that a program says, wherever it says it, or its start."""
    told = subprocess.run(command, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return (told.stdout.strip().splitlines() or [""])[0].strip()[:72]


def field(path, name):
    """The first 'name: value' in a file of /proc."""
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def describe(folder):
    return {
        "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": int(field("/proc/meminfo", "MemTotal").split()[0]) >> 10,
        "kernel": platform.release(),
        "file_system": answer("findmnt", "-n", "-o", "FSTYPE", "-T",
                              str(folder)),
        "versions": {name: answer(name, how) for name, how in VERSIONS.items()
                     if shutil.which(name)},
    }
