# SPDX-License-Identifier: MIT
"""Conversions that move bytes and change none. qemu-img never syncs: imgconv
--no-sync against it as it is, imgconv against it and sync(1)."""

from lib.case import MOVE, Case

# Our name: qemu's, with what makes both write alike.
FORMATS = {
    "vdi": "vdi",
    "vhd": "vpc -o subformat=dynamic,force_size=on",
    "vhdx": "vhdx",
    "vmdk": "vmdk",
}
SYNCED = {label: f"{command} && sync out" for label, command in MOVE.items()}


def qemu(source, arguments, out="out", end=""):
    """qemu-img as it is, and with all it has for speed."""
    command = f"-f {source} -O {arguments} {{in}} {out}{end}"
    return {
        "qemu-img": f"qemu-img convert {command}",
        "qemu-img -W -m 16": f"qemu-img convert -W -m 16 {command}",
    }


def offload(source, arguments):
    """The same, and qemu-img's own copy_file_range, which it has for these."""
    return {**qemu(source, arguments), "qemu-img -C":
            f"qemu-img convert -C -f {source} -O {arguments} {{in}} out"}


def case(name, ours, peers, **more):
    return Case(name, f"imgconv --no-sync {ours}", peers,
                **{"limits": MOVE, **more})


CASES = [
    case("raw to raw", "{in} out.raw", {
        **offload("raw", "raw"),
        "cp --sparse=always": "cp --sparse=always {in} out",
        "nbdcopy + nbdkit": "nbdcopy -- [ nbdkit --exit-with-parent --readonly"
                            " file {in} ] out"}),
    case("raw to qcow2", "{in} out.qcow2", offload("raw", "qcow2")),
    case("qcow2 to raw", "{in} out.raw", offload("qcow2", "raw"),
         input="system.qcow2"),
    Case("raw to qcow2, synced", "imgconv {in} out.qcow2",
         qemu("raw", "qcow2", end=" && sync out"), limits=SYNCED),
    Case("qcow2 to raw, synced", "imgconv {in} out.raw",
         qemu("qcow2", "raw", end=" && sync out"),
         input="system.qcow2", limits=SYNCED),
]
for ours, theirs in FORMATS.items():
    CASES += [
        case(f"raw to {ours}", f"{{in}} out.{ours}", qemu("raw", theirs),
             target=0.3 if ours == "vmdk" else 0.8),
        case(f"{ours} to raw", "{in} out.raw", qemu(theirs.split()[0], "raw"),
             input=f"system.{ours}"),
    ]
CASES += [
    case("raw to simg", "{in} out.simg", {"img2simg": "img2simg {in} out"}),
    case("simg to raw", "{in} out.raw", {"simg2img": "simg2img {in} out"},
         input="system.simg"),
    case("incompressible raw to qcow2", "{in} out.qcow2", qemu("raw", "qcow2"),
         input="random.raw"),
    case("fragmented qcow2 to raw", "{in} out.raw", qemu("qcow2", "raw"),
         input="fragmented.qcow2"),
    case("fragmented qcow2 to qcow2", "--rewrite {in} out.qcow2",
         qemu("qcow2", "qcow2"), input="fragmented.qcow2"),
]
