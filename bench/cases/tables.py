# SPDX-License-Identifier: MIT
"""No data: what it costs to start, and to go through tables. Ten at a time,
for each takes milliseconds; but for two empty disks of which qemu-img reads
all of their nothing, half a minute each."""

from lib.case import Case, ten

# Our name: qemu's, with what makes both write alike.
FORMATS = {
    "raw": "raw", "qcow2": "qcow2", "qed": "qed", "parallels": "parallels",
    "vdi": "vdi", "vhd": "vpc -o force_size=on", "vhdx": "vhdx", "vmdk": "vmdk",
}
READ_AT_LENGTH = ("vhdx", "vmdk")


def case(name, ours, theirs, source, times=ten):
    return Case(name, times(f"imgconv {ours}"),
                {"qemu-img": times(f"qemu-img {theirs}")}, 1, source)


def once(command):
    return command


CASES = [
    case("version", "--version", "--version", "small.qcow2"),
    case("small qcow2, info", "info {in}", "info {in}", "small.qcow2"),
]
for ours, theirs in FORMATS.items():
    empty, kind = f"empty.{ours}", theirs.split()[0]
    CASES += [
        case(f"1 TiB empty {ours}, info", "info {in}",
             f"info -f {kind} {{in}}", empty),
        case(f"1 TiB empty {ours} to raw", "--force --no-sync {in} out.raw",
             f"convert -f {kind} -O raw {{in}} out", empty,
             once if ours in READ_AT_LENGTH else ten),
    ]
    if ours != "raw":
        CASES.append(case(
            f"1 TiB empty raw to {ours}",
            f"--force --no-sync -O {ours} {{in}} out.img",
            f"convert -f raw -O {theirs} {{in}} out", "empty.raw"))
