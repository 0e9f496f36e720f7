# SPDX-License-Identifier: MIT
"""On a file system whose files may share blocks no data need move: the table
of commands says how much of it became used. cp shares all, and is the limit."""

from lib import places
from lib.case import Case

CP = "cp --reflink=always"


def case(kind, name, source, ours, theirs):
    return Case(
        f"reflink on {kind}: {name}", f"imgconv --no-sync {ours}",
        {"qemu-img": f"qemu-img convert {theirs} {{in}} out",
         "qemu-img -C": f"qemu-img convert -C {theirs} {{in}} out"},
        0.8, source, {CP: f"{CP} {{in}} out"}, place=getattr(places, kind))


CASES = []
for file_system in ("xfs", "btrfs"):
    CASES += [
        case(file_system, "raw to qcow2", "system.raw", "{in} out.qcow2",
             "-f raw -O qcow2"),
        case(file_system, "qcow2 to raw", "system.qcow2", "{in} out.raw",
             "-f qcow2 -O raw"),
        case(file_system, "raw to fixed vhd", "system.raw",
             "-o subformat=fixed {in} out.vhd",
             "-f raw -O vpc -o subformat=fixed,force_size=on"),
        case(file_system, "raw to flat vmdk", "system.raw",
             "-o subformat=monolithicFlat {in} out.vmdk",
             "-f raw -O vmdk -o subformat=monolithicFlat"),
        Case(f"reflink on {file_system}: qcow2 to qcow2",
             "imgconv --no-sync {in} out.qcow2", {CP: f"{CP} {{in}} out"},
             1.2, "system.qcow2", place=getattr(places, file_system)),
    ]
