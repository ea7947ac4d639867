#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has a guest work for long, and the host fail it now and then. Writes out/soak.json and out/soak.svg.

usage: soak.py [--minutes N] [--seed N] [--accel ACCEL] [--built | --qemu PROGRAM]

Each round starts some programs in the micro guest, and does up to two things to it: a process of a context is killed, or
the render server; the server stands still, or the machine does; the display gets another size; a program sends nonsense; the
guest is reset. What must end well does, or that is a failure. Between rounds, while nothing runs, memory, descriptors and
threads of QEMU and the render server are counted. The exit status is 0 if nothing failed and, after the first two minutes,
nothing grew by more than 2 %.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import time

from venusvm import guest as guests
from venusvm import processes, soak, which_qemu
from venusvm.expect import Failed, expect, wait_for
from venusvm.guest import TOP
from venusvm.program import run
from venusvm.screen import VENUS

OUT = TOP / "out"
LONG = 100000000
LOUD = f"MESA_LOG_LEVEL=debug {VENUS}"  # so that Venus says what it waits for, if it waits for long
JOBS = (
    f"{LOUD} compute --matrix 32 --count 2000 --size 1 --frames {LONG}",
    f"{LOUD} resource_churn --frames {LONG}",
    f"{LOUD} multi_context --contexts 4 --frames {LONG}",
    f"{LOUD} gears --size 320x240 --frames {LONG}",
    f"{LOUD} vkcube_anim --scanout dumb --frames {LONG}",
    f"fence_ring --rounds {LONG}",
)
SIZES = ((800, 600), (1024, 768), (1280, 800), (640, 480))
# MiB of translated code, where QEMU emulates the processors. It keeps lists of what it has translated, which grow until
# there is no more room and it begins anew. By itself it has a GiB: a day's growth, and none of the device's.
TRANSLATED = 64
# The C library gives each thread an arena of its own, which keeps what was freed in it for that thread. With one for all,
# memory that one emulated processor's thread has freed is there for the other one, and is not counted twice.
ONE_ARENA = "MALLOC_ARENA_MAX=1"
# Of the guest's own memory. For each 4 MiB that ever had code in them QEMU keeps 16 KiB for good, and each boot has its
# kernel elsewhere: in a guest of 2 GiB that could grow by 8 MiB, reset by reset.
MEMORY = "512M"
FINAL = {"kill a process", "kill the server", "reset"}  # after which programs of that round need not end well


class Soak:
    """One guest, and what happened to it."""

    def __init__(self, guest, seed):
        self.guest, self.chance = guest, random.Random(seed)
        self.begin = time.monotonic()
        self.samples, self.faults, self.failures, self.rounds = [], [], [], 0

    def seconds(self):
        return time.monotonic() - self.begin

    def servers(self):
        return processes.render_servers(self.guest.process.pid)

    def kill(self, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop_for(self, seconds):
        stopped = self.servers()
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            if number == signal.SIGSTOP:
                time.sleep(seconds)

    def pause(self):
        self.guest.monitor.ask("stop")
        time.sleep(1)
        self.guest.monitor.ask("cont")

    def reset(self):
        self.guest.reset()

    def do(self, what):
        """One thing that the host does to the guest, or a program of the guest's to it."""
        self.faults.append((self.seconds(), what))
        servers = self.servers()
        actions = {
            "kill a process": lambda: self.kill(self.chance.sample(servers[1:], 1) if servers[1:] else []),
            "kill the server": lambda: self.kill(servers),
            "stop the server": lambda: self.stop_for(2),
            "pause": self.pause,
            "another size": lambda: self.guest.set_output(0, self.chance.choice(SIZES)),
            "nonsense": lambda: self.guest.run(f"{VENUS} hostile garbage --rounds 16", timeout=120),
            "reset": self.reset,
        }
        actions[what]()

    def round(self):
        """Some programs, and up to two faults meanwhile."""
        self.rounds += 1
        seconds = self.chance.randint(3, 8)
        commands = self.chance.sample(JOBS, self.chance.randint(2, 4))
        jobs = [self.guest.spawn(f"{command} --seconds {seconds}") for command in commands]
        done = []
        for _ in range(self.chance.randint(0, 2)):
            time.sleep(self.chance.uniform(0.5, 2))
            what = self.chance.choices(("kill a process", "kill the server", "stop the server", "pause", "another size",
                                        "nonsense", "reset"), (3, 1, 2, 2, 3, 3, 1))[0]
            self.do(what)
            done.append(what)
            if what == "reset":
                return  # of its programs nothing is left
        excused = bool(FINAL & set(done))
        for job in jobs:
            if not excused:
                job.wait(seconds + 120)
            elif not job.ended.wait(seconds + 5):  # its Vulkan is gone, and it may wait for that for ever
                job.signal(signal.SIGKILL)
                job.wait(60)
            if job.status and not excused:
                self.failures.append(f"after {self.seconds():.0f} s, with {', '.join(done) or 'no fault'}: '{job.command}' "
                                     f"ended with {job.status}: {(job.output + job.errors).strip()[-300:]}")

    def sample(self):
        """Counts what is held, once the device holds nothing of a program's."""
        wait_for(lambda: (not self.guest.stat("mapped") and not self.guest.stat("fences-pending"), self.guest.stats()),
                 "no blob mapped and no fence pending", timeout=60)
        time.sleep(1)
        pid = self.guest.process.pid
        kinds = processes.memory_of(pid)
        tasks = 0
        for member in processes.family(pid):
            with contextlib.suppress(OSError):
                tasks += len(os.listdir(f"/proc/{member}/task"))
        self.samples.append({
            "seconds": round(self.seconds(), 1),
            "memory": round(sum(mib for kind, mib in kinds.items() if kind in ("private", "shared")), 2),
            "descriptors": sum(sum(held.values()) for _, held in processes.descriptors(pid).values()),
            "threads": tasks,
        })
        return self.samples[-1]


def main():
    parser = argparse.ArgumentParser(prog="soak.py", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30, help="for how long (30)")
    parser.add_argument("--seed", type=int, default=1, help="of what is chosen by chance (1)")
    parser.add_argument("--accel", help="kvm, hvf or tcg instead of what works")
    which_qemu.add_options(parser)
    arguments = parser.parse_args()
    guests.end_on_signals()
    OUT.mkdir(exist_ok=True)
    chosen = which_qemu.choose(arguments, guest="micro")
    guest = guests.Guest(**chosen.options(), accel=arguments.accel, memory=MEMORY)
    guest.preload = ["env", ONE_ARENA, *guest.preload]
    if guest.accel == "tcg":
        guest.accel = f"tcg,thread=multi,tb-size={TRANSLATED}"
    with guest:
        long = Soak(guest, arguments.seed)
        while long.seconds() < 60 * arguments.minutes:
            long.round()
            expect(guest.monitor.ask("query-status")["running"], "a machine that runs", guest.last_words())
            now = long.sample()
            print(f"{now['seconds']:6.0f} s, {long.rounds} rounds, {len(long.faults)} faults: {now['memory']:.0f} MiB, "
                  f"{now['descriptors']} descriptors, {now['threads']} threads", flush=True)
        stats = guest.stats()
    title = f"{long.rounds} rounds, {len(long.faults)} faults, seed {arguments.seed}"
    found = long.failures + soak.grown(long.samples)
    (OUT / "soak.json").write_text(json.dumps({"title": title, "samples": long.samples, "faults": long.faults, "found": found,
                                               "counters": stats}, indent=1) + "\n", encoding="utf-8")
    (OUT / "soak.svg").write_text(soak.picture(long.samples, long.faults, title), encoding="utf-8")
    for line in found:
        print(f"soak.py: {line}", file=sys.stderr)
    if not found:
        print(f"{title}: nothing failed, and nothing grew; out/soak.svg")
    return 1 if found else 0


if __name__ == "__main__":
    run(main, "soak", (guests.GuestError, Failed))
