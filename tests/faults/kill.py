#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill.py IMGCONV LIBRARY FOLDER TURNS [SEED]: SIGKILL at random moments.

Of each conversion the time is taken first; then imgconv, or its worker, is
killed at a moment of that time, more often near the end, where the output
gets its name. The output is then absent, or as it was, or right, and nothing
lies beside it but, with --force and where there are no unnamed files, one
sibling, which the next run removes; with --resume the two files that the next
run goes on with. The seed is printed.
"""
import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
import time

from scenarios import OLD, SCENARIOS, STATUSES, Folder, ends, make_inputs

NAMES = ("raw-qcow2", "qcow2-raw", "raw-packed", "raw-gz", "split", "force",
         "named", "named-force", "resume", "resume-gz")


class Killer:
    def __init__(self, imgconv, library, folder, scenario):
        self.scenario = scenario
        self.inputs = os.path.join(folder, "inputs")
        self.place = Folder(scenario, self.inputs,
                            os.path.join(folder, f"out-{scenario}"), imgconv)
        self.env = dict(os.environ, LC_ALL="C")
        if scenario.named:
            record = os.path.join(folder, "record")
            with open(record, "wb") as file:
                file.write(bytes(4096))
            self.env.update(LD_PRELOAD=library, FAULT_RECORD=record,
                            FAULT_NO_TMPFILE="1")

    def start(self):
        return subprocess.Popen(self.place.command(), cwd=self.inputs,
                                env=self.env, stdin=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL,
                                start_new_session=True)

    def whole(self):
        """Runs to the end: what is right, and how long it takes at best."""
        times = []
        for _ in range(3):
            self.place.empty()
            begin = time.monotonic()
            if self.start().wait():
                sys.exit(f"{self.scenario}: it does not work at all")
            times.append(time.monotonic() - begin)
        self.place.right = self.place.content()
        self.time = min(times)

    def killed(self, moment, worker):
        """What is wrong with what a killed run leaves, or None; and whether
        it was killed, and left what was there before."""
        self.place.empty()
        child = self.start()
        time.sleep(moment)
        victim = child.pid
        if worker:
            try:
                with open(f"/proc/{victim}/task/{victim}/children") as file:
                    victim = int(file.read().split()[0])
            except (OSError, IndexError):
                pass  # not yet, or not any more
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            pass
        status = child.wait()
        # The other process ends as well: who it is, is forgotten.
        if not ends(child.pid):
            return "a process of it lives on", True, False
        return self.judge(status)

    def judge(self, status):
        found = self.place.content()
        siblings = self.place.siblings(found)
        names = {name: content for name, content in found.items()
                 if name not in siblings}
        before = {self.scenario.output: OLD} if self.scenario.force else {}
        killed = status == -signal.SIGKILL
        most = 1 if killed and (self.scenario.force or self.scenario.named) \
            else 0
        if self.scenario.keeps:
            most = 2
        if len(siblings) > most:
            return f"left {siblings}", killed, False
        # Only the worker was: then it is a failure like any other.
        if status not in (0, -signal.SIGKILL) and \
                (status not in STATUSES or names != before):
            return f"status {status}, left {sorted(found)}", killed, False
        if status == 0 and names != self.place.right:
            return f"ended well, with {sorted(names)}", killed, False
        # Of several files that of the output's name is the last one.
        if self.scenario.output in names and names != self.place.right and \
                names != before:
            return f"half an output: {sorted(names)}", killed, False
        for name, content in names.items():
            if content not in (self.place.right.get(name), before.get(name)):
                return f"half of {name}", killed, False
        # A descriptor on its way between the two is closed a moment after
        # both are gone, and its lock with it.
        for name in siblings:
            if not self.unlocked(name):
                return f"{name} stays locked", killed, False
        # And it is in nobody's way.
        again = subprocess.run(self.again(), cwd=self.inputs, env=self.env,
                               stdin=subprocess.DEVNULL,
                               capture_output=True, check=False)
        if again.returncode:
            return f"the next run: {again.stderr.decode()}", killed, False
        if self.place.content() != self.place.right:
            return f"after the next run: {sorted(self.place.content())}", \
                killed, False
        return None, killed, names == before

    def unlocked(self, name):
        with open(os.path.join(self.place.folder, name), "rb") as file:
            for _ in range(500):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return True
                except BlockingIOError:
                    time.sleep(0.01)
        return False

    def again(self):
        command = self.place.command()
        return command[:1] + ["--force"] + command[1:]


def main():
    imgconv, library, folder, turns = sys.argv[1:5]
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else \
        struct.unpack("=I", os.urandom(4))[0]
    print("seed", seed, flush=True)
    chance = random.Random(seed)
    os.mkdir(os.path.join(folder, "inputs"))
    make_inputs(os.path.join(folder, "inputs"), imgconv, megabytes=4)
    killers = [Killer(imgconv, library, folder, scenario)
               for scenario in SCENARIOS if scenario.name in NAMES]
    for killer in killers:
        killer.whole()
    problems, killed, kept = [], 0, 0
    for turn in range(int(turns)):
        killer = killers[turn % len(killers)]
        part = chance.choice((chance.random(), chance.uniform(0.8, 1.1)))
        worker = chance.random() < 0.25
        problem, dead, before = killer.killed(part * killer.time, worker)
        killed += dead
        kept += before
        if problem:
            problems.append(f"{killer.scenario} at {part:.3f} of "
                            f"{killer.time:.3f} s: {problem}")
    print(f"{turns} runs, {killed} killed, {kept} left all as it was")
    for problem in problems:
        print("NOT RIGHT", problem)
    sys.exit(1 if problems or not killed or not kept else 0)


main()
