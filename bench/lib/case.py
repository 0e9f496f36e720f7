# SPDX-License-Identifier: MIT
"""Owns what a case is: commands that do the same, and what ours must reach.

Commands are shell text, run in an empty folder. {in} is the workload; what a
place (lib/places.py) offers besides has its name there. A label begins with
the program that must be installed, several are joined by " + "."""

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Callable, Optional


class Skipped(Exception):
    """A case that cannot be run here, and why."""


@contextmanager
def nowhere(_measurer, _case):
    """The place of most cases: outputs beside the workloads, nothing else."""
    yield {}


@dataclass
class Case:
    name: str
    ours: str
    peers: dict                      # label: command; the first one's size
    target: Optional[float] = 0.8    # at most this much of the best peer's time
    input: str = "system.raw"        # a name in lib/workloads.py
    limits: dict = field(default_factory=dict)  # label: command
    limit_target: Optional[float] = None  # at most this much of the best limit
    size_target: Optional[float] = None   # at most so much of the peer's size
    place: Callable = nowhere


# What moves the input's allocated bytes and does no more.
MOVE = {
    "limit 1": "limit {in} out 1",
    "limit 2": "limit {in} out 2",
    "limit 4": "limit {in} out 4",
    "limit --copy-file-range 2": "limit --copy-file-range {in} out 2",
}


def missing(label):
    """The first program in a label that is not installed, or None."""
    for part in label.split(" + "):
        program = part.split()[0]
        if not shutil.which(program):
            return program
    return None


def installed(commands):
    """Those of the commands that can be run here."""
    return {label: command for label, command in commands.items()
            if not missing(label)}


def ten(command):
    """For what takes milliseconds."""
    return f"for i in 1 2 3 4 5 6 7 8 9 10; do {command} || exit; done"
