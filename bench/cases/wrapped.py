# SPDX-License-Identifier: MIT
"""Compressed files: read into a disk, against the bare decoder, which writes
nothing, and against what people do; written, against the bare encoder, two
threads and the same level each."""

from lib.case import Case


def read(name, source, limit, user, **more):
    """limit, user: label and command; what people do has a temporary file."""
    label, decoder = limit
    user_label, user_decoder = user
    return Case(
        name, "imgconv --no-sync {in} out.qcow2",
        {f"{user_label} + qemu-img": f"{user_decoder} {{in}} >raw &&"
         " qemu-img convert -f raw -O qcow2 raw out && rm raw"},
        None, source, {label: f"{decoder} {{in}} >/dev/null"}, 1.05, **more)


def write(suffix, level, encoder):
    return Case(
        f"raw to raw.{suffix}, level {level}",
        f"imgconv --no-sync -m 2 --wrap-level={level} {{in}} out.raw.{suffix}",
        {encoder: f"{encoder} -{level} -c {{in}} >out"}, 1)


XZ = ("xz -T0", "xz -T0 -dc")
CASES = [
    read("raw.xz of many blocks to qcow2", "system.blocks.raw.xz", XZ, XZ),
    read("raw.xz of one block to qcow2", "system.raw.xz", XZ, XZ),
    read("raw.zst to qcow2", "system.raw.zst", ("zstd", "zstd -q -dc"),
         ("zstd", "zstd -q -dc")),
    # Its second decoder, as fast as there is one, where it is installed.
    read("raw.gz to qcow2", "system.raw.gz", ("igzip", "igzip -dc"),
         ("gzip", "gzip -dc")),
    Case("raw.gz to qcow2, against gzip alone",
         "imgconv --no-sync {in} out.qcow2",
         {"gzip": "gzip -dc {in} >/dev/null"}, 2 / 3, "system.raw.gz"),
    write("gz", 6, "pigz -p 2"),
    write("zst", 3, "zstd -q -T2"),
    write("xz", 1, "xz -T2"),
]
