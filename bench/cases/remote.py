# SPDX-License-Identifier: MIT
"""From servers on this machine, so that there is no network to wait for. No
case is fairer than curl's, and nbdcopy's, which do nothing else."""

from lib import places
from lib.case import Case


def http(name, ours, theirs, source="system.raw"):
    return Case(f"http: {name}", f"imgconv --no-sync {ours}",
                {"curl": theirs}, 1.05, source, place=places.web)


RAW, QCOW2 = "{web}/system.raw", "{web}/system.zlib.qcow2"
CASES = [
    http("download, raw", f"-f raw {RAW} out.raw", f"curl -so out {RAW}"),
    http("curl into imgconv, raw to qcow2", f"-f raw {RAW} out.qcow2",
         f"curl -s {RAW} | imgconv --no-sync -f raw - out.qcow2"),
    http("curl into imgconv, qcow2 -c zlib to raw", f"{QCOW2} out.raw",
         f"curl -s {QCOW2} | imgconv --no-sync - out.raw", "system.zlib.qcow2"),
    Case("nbd: server to server, four connections",
         "imgconv --connections 4 {from} {to}",
         {"nbdcopy": "nbdcopy --flush --connections=4 {from} {to}"}, 1.05,
         place=places.nbd),
]
