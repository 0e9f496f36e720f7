# SPDX-License-Identifier: MIT
"""Images that are compressed inside, cluster by cluster."""

from lib.case import Case

ZSTD = "qcow2 -o compression_type=zstd"
STREAM = "vmdk -o subformat=streamOptimized"
SMALLER = 0.9999


def write(name, ours, theirs, target, **more):
    return Case(name, f"imgconv --no-sync {ours}",
                {"qemu-img": f"qemu-img convert -f raw -O {theirs} {{in}} out"},
                target, **more)


def read(name, kind, source):
    command = f"-f {kind} -O raw {{in}} out"
    return Case(name, "imgconv --no-sync {in} out.raw", {
        "qemu-img": f"qemu-img convert {command}",
        "qemu-img -W -m 16": f"qemu-img convert -W -m 16 {command}",
    }, 1 / 3, source)


CASES = [
    write("raw to qcow2 -c zlib", "-c {in} out.qcow2", "qcow2 -c",
          1 / 8, size_target=1.03),
    write("raw to qcow2 -c zlib:9", "--compress=zlib:9 {in} out.qcow2",
          "qcow2 -c", 1, size_target=SMALLER),
    write("raw to qcow2 -c zstd", "--compress=zstd {in} out.qcow2",
          f"{ZSTD} -c", 1 / 3),
    write("raw to streamOptimized vmdk",
          "-o subformat=streamOptimized {in} out.vmdk", STREAM, 1 / 12),
    write("incompressible raw to qcow2 -c zlib", "-c {in} out.qcow2",
          "qcow2 -c", 1 / 8, input="random.raw", size_target=1.03),
    read("qcow2 -c zlib to raw", "qcow2", "system.zlib.qcow2"),
    read("qcow2 -c zstd to raw", "qcow2", "system.zstd.qcow2"),
    read("streamOptimized vmdk to raw", "vmdk", "system.stream.vmdk"),
]
