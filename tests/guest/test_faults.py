# SPDX-License-Identifier: MIT
"""What the host does to a guest: its processes are stopped or killed, QEMU is paused, the kernel panics at work.

What must go on goes on, what is lost is told as lost, and no reset or restart takes a new QEMU. The monitor answers all
the while.
"""

import contextlib
import os
import random
import signal
import time

from test_hostile import MONITOR_S, Monitor, servers
from venusvm.harness import VENUS, expect, guests

WORK = "compute --matrix 32 --count 2000 --size 1 --frames 1000000"


@contextlib.contextmanager
def at_work(case, seconds, guest=None):
    """Two programs, one that computes and checks its results and one that waits for fences; the monitor is asked."""
    guest = guest or case.guest
    jobs = [guest.spawn(f"{VENUS} {WORK} --seconds {seconds}"), guest.spawn(f"fence_ring --rounds 1000000 --seconds {seconds}")]
    case.wait_for(lambda: (all(any(name in context["name"] for context in contexts(guest).values() if context["process"])
                               for name in ("compute", "fence_ring")), contexts(guest)), "both programs' contexts")
    time.sleep(0.5)
    with Monitor(guest) as monitor:
        yield jobs
    expect(monitor.asked and monitor.longest < MONITOR_S, f"a monitor that answers within {MONITOR_S} s", monitor.longest)


def end_well(jobs, seconds):
    for job in jobs:
        job.wait(seconds)
        expect(job.status == 0, f"'{job.command}' to end with 0", f"{job.status}: {(job.output + job.errors)[-1000:]}")


def contexts(guest):
    """What each context holds, by its id."""
    listed = guest.monitor.ask("qom-get", path=guest.device_path(), property="contexts")
    return {context["id"]: context for context in listed}


def venus_contexts(guest):
    """Those that are for Vulkan; the kernel's own console has one too, and keeps it."""
    return [context for context in contexts(guest).values() if context["state"] != "plain"]


def given_back(case, guest):
    """Waits until nothing of an ended server is in use: regions of memory go a moment after the programs that had them."""
    case.wait_for(lambda: (not venus_contexts(guest) and not guest.stat("blob-bytes"), guest.stats()), "nothing of theirs held")
    time.sleep(1)


def works(guest):
    """A new program renders, and has the right picture."""
    result = guest.run_json(f"{VENUS} compute --size 16 --matrix 64 --count 1000", timeout=120)
    expect(result["driver"] == "venus", "a program that works", result)


def test_pause(case):
    """a machine that is paused and goes on has lost nothing"""
    lost = case.guest.stat("contexts-lost")
    with at_work(case, 6) as jobs:
        case.guest.monitor.ask("stop")
        time.sleep(3)
        case.guest.monitor.ask("cont")
        end_well(jobs, 90)
    expect(case.guest.stat("contexts-lost") == lost, "no context lost", case.guest.stats())


def test_stopped_server(case):
    """nor has one whose render server stands still for five seconds"""
    lost = case.guest.stat("contexts-lost")
    with at_work(case, 10) as jobs:
        stopped = servers(case.guest)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(5)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        end_well(jobs, 90)
    expect(case.guest.stat("contexts-lost") == lost, "no context lost", case.guest.stats())


def test_killed_process(case):
    """where a context's process is killed its program's Vulkan is lost, once, and the others go on"""
    guest = case.guest
    lost = guest.stat("contexts-lost")
    with at_work(case, 8) as (compute, fences):
        victims = [context for context in contexts(guest).values() if context["process"] and "compute" in context["name"]]
        expect(len(victims) == 1, "one context of the program that computes", contexts(guest))
        os.kill(victims[0]["process"], signal.SIGKILL)
        case.wait_for(lambda: (guest.stat("contexts-lost") == lost + 1, guest.stats()), "one context that is lost")
        end_well([fences], 90)
        case.note(f"the program: {compute.status}, {compute.errors.strip()[-300:]}")
    compute.signal(signal.SIGKILL)
    compute.wait(30)
    works(guest)


def test_killed_server(case):
    """after the render server was killed the next program has a new one"""
    guest = case.guest
    with at_work(case, 4) as jobs:
        for pid in servers(guest):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(1)
        for job in jobs:
            job.signal(signal.SIGKILL)
            job.wait(30)
    given_back(case, guest)
    works(guest)
    case.wait_for(lambda: (not venus_contexts(guest), contexts(guest)), "no context left")


def test_panic(case):
    """a kernel that panics with programs at work leaves nothing; a reset boots it again"""
    with case.another_guest(image=guests.made_by("micro-guest.sh")) as guest, Monitor(guest) as monitor:
        with at_work(case, 1000, guest):
            guest.spawn("echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger")
            time.sleep(2)
        expect(len(venus_contexts(guest)) >= 2, "contexts that nobody has destroyed", contexts(guest))
        guest.reset()
        case.wait_for(lambda: (not venus_contexts(guest), contexts(guest)), "no context left of those")
        expect(not guest.stat("mapped") and not guest.stat("fences-pending"), "no blob and no fence", guest.stats())
        works(guest)
    expect(monitor.longest < MONITOR_S, f"a monitor that answers within {MONITOR_S} s", monitor.longest)


def test_resets(case):
    """nor do resets at any moment, while a kernel boots or programs work"""
    chance = random.Random(1)
    with case.another_guest(image=guests.made_by("micro-guest.sh")) as guest, Monitor(guest) as monitor:
        for _ in range(6):
            if guest.hello.is_set():
                guest.spawn(f"{VENUS} {WORK} --seconds 1000")
                guest.spawn("blob_cycle --rounds 1000000 --others 64")
            time.sleep(chance.uniform(0, 4))
            guest.press_reset()
        guest.wait_for_agent()
        works(guest)
        case.note(f"{guest.stat('resets')} resets; the monitor took {1e3 * monitor.longest:.0f} ms at most")
    expect(monitor.longest < MONITOR_S, f"a monitor that answers within {MONITOR_S} s", monitor.longest)
