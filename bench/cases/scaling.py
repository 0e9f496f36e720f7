# SPDX-License-Identifier: MIT
"""Where the work is computing: two threads against one."""

from lib.case import Case


def case(name, arguments, source="system.raw"):
    command = f"imgconv --no-sync -m {{}} {arguments}"
    one, two = (command.replace("{}", count, 1) for count in "12")
    return Case(f"two threads against one: {name}", two,
                {"imgconv -m 1": one}, 1 / 1.8, source)


CASES = [
    case("raw to qcow2 -c zlib", "-c {in} out.qcow2"),
    case("raw to qcow2 -c zstd", "--compress=zstd {in} out.qcow2"),
    case("raw to streamOptimized vmdk",
         "-o subformat=streamOptimized {in} out.vmdk"),
    case("raw.xz of many blocks to qcow2", "{in} out.qcow2",
         "system.blocks.raw.xz"),
    case("raw to raw.xz, level 1", "--wrap-level=1 {in} out.raw.xz"),
]
