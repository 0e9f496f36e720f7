# SPDX-License-Identifier: MIT
"""Owns the disks that are converted: what is on them, how each is made, where
they are kept. Each is made once, in a folder .making, and has its name only
when it is whole. By qemu-img, xz and their like wherever these can make it, so
that what is read does not depend on what is measured."""

import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
PARTITION = MIB  # where the system disk's only partition begins


@dataclass(frozen=True)
class Size:
    """In MiB: the system disk, what is on it, what was on it and is deleted;
    the incompressible disk; what is written to the fragmented one."""

    name: str
    system: int
    data: int
    stale: int
    random: int
    scattered: int


FULL = Size("full", 6144, 1740, 300, 1024, 512)
# Where a virtual machine is lent memory page by page, an output of more than
# what it keeps at hand (a GiB, say) measures the lending.
MEDIUM = Size("medium", 2048, 600, 100, 512, 256)
QUICK = Size("quick", 768, 250, 45, 128, 64)
SIZES = {size.name: size for size in (FULL, MEDIUM, QUICK)}


def machines_files():
    """(path, room on disk) of programs, libraries, text and packed files, as a
    real system disk holds them: what this machine has in /usr."""
    for top in ("bin", "lib", "share"):
        for folder, folders, names in os.walk(f"/usr/{top}"):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                size = os.path.getsize(path)
                if size < 64 * MIB and os.access(path, os.R_OK):
                    yield path, (size // 4096 + 2) * 4096


def sample(files, room):
    """As many of the files as have room, from all parts of the list alike."""
    share = min(1, room / sum(size for _, size in files))
    seen = taken = 0
    for path, size in files:
        seen += size
        if taken + size <= seen * share:
            taken += size
            yield path, size


def make_system(out, size):
    """A partitioned disk with an ext4 file system, some of whose free blocks
    hold old data: these files are deleted without mounting it."""
    files = list(sample(list(machines_files()), (size.data + size.stale) * MIB))
    stale = {path for path, _ in sample(files, size.stale * MIB)}
    tree = out.parent / "tree"
    (tree / "stale").mkdir(parents=True)
    deletions = []
    for number, (path, _) in enumerate(files):
        if path in stale:
            there = tree / "stale" / str(number)
            deletions.append(f"rm /stale/{number}\n")
        else:
            there = tree / path[1:]
            there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, there)
    filesystem = f"{out}?offset={PARTITION}"
    partition = size.system - 3  # the backup table lies at the disk's end
    for command in (
        ["truncate", "-s", f"{size.system}M", out],
        ["sgdisk", "-n", f"1:1M:+{partition}M", "-t", "1:8300", out],
        ["mkfs.ext4", "-q", "-F", "-d", tree, "-E",
         f"offset={PARTITION},lazy_itable_init=0", out, f"{partition}M"],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    # debugfs has no exit status of its own: e2fsck says whether it went well.
    subprocess.run(
        ["debugfs", "-w", "-f", "-", filesystem], check=True,
        input="".join(deletions) + "rmdir /stale\n", text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["e2fsck", "-fn", filesystem], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_fragmented(out, size):
    """A qcow2 written here and there, with snapshots in between, so that
    neither its clusters nor its tables lie in order."""
    chance = random.Random(1)
    disk = 2 * size.scattered * MIB
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", out, str(disk)],
                   check=True)
    for snapshot in ("first", "second", "third", None):
        written, writes = 0, []
        while written < size.scattered * MIB // 4:
            length = chance.randrange(4, 257, 4) << 10
            offset = chance.randrange(0, disk - length, 4096)
            byte = chance.randrange(1, 256)
            writes.append(f"write -q -P {byte} {offset} {length}\n")
            written += length
        subprocess.run(["qemu-io", "-t", "unsafe", "-f", "qcow2", out],
                       check=True, input="".join(writes), text=True,
                       stdout=subprocess.DEVNULL)
        if snapshot:
            subprocess.run(["qemu-img", "snapshot", "-c", snapshot, out],
                           check=True)


def of_system(command):
    """A recipe: shell text, run where system.raw is, that makes "$out"."""
    return "system.raw", command


def by_qemu(arguments):
    return of_system(
        f'qemu-img convert -f raw -O {arguments} system.raw "$out"')


def empty(arguments):
    return None, f'qemu-img create -q -f {arguments} "$out" 1T'


# Name: (what must be there before, shell text or function).
RECIPES = {
    "system.raw": (None, make_system),
    "system.qcow2": by_qemu("qcow2"),
    "system.vdi": by_qemu("vdi"),
    "system.vhd": by_qemu("vpc -o subformat=dynamic,force_size=on"),
    "system.vhdx": by_qemu("vhdx"),
    "system.vmdk": by_qemu("vmdk"),
    "system.zlib.qcow2": by_qemu("qcow2 -c"),
    "system.zstd.qcow2": by_qemu("qcow2 -c -o compression_type=zstd"),
    "system.stream.vmdk": by_qemu("vmdk -o subformat=streamOptimized"),
    "system.blocks.raw.xz": of_system('xz -T2 -1 -c system.raw >"$out"'),
    "system.raw.xz": of_system('xz -T1 -1 -c system.raw >"$out"'),
    "system.raw.gz": of_system('gzip -1 -c system.raw >"$out"'),
    "system.raw.zst": of_system('zstd -q -T2 -3 -c system.raw >"$out"'),
    "system.simg": of_system('img2simg system.raw "$out"'),
    # The cipher's key stream: the same bytes on every machine.
    "random.raw": (None, "openssl enc -aes-128-ctr -nosalt"
                   " -K 00000000000000000000000000000001"
                   " -iv 00000000000000000000000000000000 -in /dev/zero"
                   ' 2>/dev/null | head -c "${random}M" >"$out"'),
    "fragmented.qcow2": (None, make_fragmented),
    "small.qcow2": (None, 'qemu-img create -q -f qcow2 "$out" 1G &&'
                    " qemu-io -f qcow2 -c 'write -q -P 1 0 4M' \"$out\""),
    "empty.raw": empty("raw"),
    "empty.qcow2": empty("qcow2"),
    "empty.qed": empty("qed"),
    "empty.parallels": empty("parallels"),
    "empty.vdi": empty("vdi"),
    "empty.vhd": empty("vpc -o force_size=on"),
    "empty.vhdx": empty("vhdx"),
    "empty.vmdk": empty("vmdk"),
}


class Cache:
    """The folder with the workloads of one size."""

    def __init__(self, folder, size):
        self.folder = Path(folder) / size.name
        self.size = size
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        return self.folder / name

    def make(self, name):
        """The path of a workload, which is made if it is not there."""
        path = self.path(name)
        if path.exists():
            return path
        needs, recipe = RECIPES[name]
        if needs:
            self.make(needs)
        print(f"bench: making {path} (once)", file=sys.stderr, flush=True)
        making = self.folder / ".making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        out = making / name
        if callable(recipe):
            recipe(out, self.size)
        else:
            subprocess.run(
                ["sh", "-ec", recipe], check=True, cwd=self.folder,
                env={**os.environ, "out": str(out),
                     "random": str(self.size.random)})
        out.rename(path)
        making.rmdir()
        return path
