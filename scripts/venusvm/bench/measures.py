# SPDX-License-Identifier: MIT
"""What is measured, and how: one function for each kind of measurement.

A function is given a Machine and a Notes to write samples in. It runs the same commands on every machine;
where one cannot do something within the time that it has, the reason takes the sample's place.
"""

import json
import re
import signal
import time
from pathlib import Path

from venusvm import guest as guests
from venusvm import host as host_programs
from venusvm.bench import pixels
from venusvm.expect import Failed
from venusvm.screen import VENUS

SCENES = ("clear", "vertex", "texture", "shading", "cube", "desktop", "effect2d")
OTHERS = (0, 64, 512, 1024, 4096)
CONTEXTS = (2, 8, 32, 64)
SECONDS = 10  # when a program of ours stops by itself; mostly it has ended long before
PATIENCE = 20  # how many more it gets, since nothing can stop it while the kernel waits for the device


class Metric:
    """One line of the result. better: "lower" or "higher"; target: how many times better is asked for."""

    def __init__(self, group, name, unit="ms", better="lower", target=None):
        self.group, self.name, self.unit, self.better, self.target = group, name, unit, better, target


def catalogue():
    """Every metric by its key, in the order in which they are shown."""
    blob = {f"blob-{count}": Metric("blobs", "64 KiB blob: create, map, touch, unmap, destroy" if not count else
                                    f"  with {count} others mapped", target={0: 12, 1024: 20}.get(count))
            for count in OTHERS}
    opened = {f"open-{count}": Metric("contexts", f"open one, of {count} that are open together",
                                      target=4 if count == 2 else None) for count in CONTEXTS}
    switch = {f"switch-{count}": Metric("contexts", f"a fence on the next one, in turn, of {count}",
                                        target=8 if count == 2 else None) for count in CONTEXTS}
    marks = {f"vkmark-{scene}": Metric("frames", f"vkmark {scene}", "fps", "higher", 1) for scene in SCENES}
    return {
        "cube-fifo": Metric("frames", "vkcube under weston, 500x500", "fps", "higher", 1),
        "cube-mailbox": Metric("frames", "  not waiting for the compositor", "fps", "higher", 1),
        **marks,
        "kms-dumb": Metric("frames", "our cube straight to the display, 800x600", "fps", "higher", 1),
        **blob,
        "memory": Metric("blobs", "vkAllocateMemory, vkMapMemory, touch, free"),
        "fence-0": Metric("fences", "a fence on ring 0, there and back", target=8),
        "fence-0-load": Metric("fences", "  while vkcube renders", target=8),
        "fence-queue": Metric("fences", "a fence on a queue's ring, as a sync file", target=8),
        "fence-queue-load": Metric("fences", "  while vkcube renders", target=8),
        "submit": Metric("fences", "empty vkQueueSubmit, vkWaitForFences"),
        "submit-load": Metric("fences", "  while vkcube renders"),
        "open-first": Metric("contexts", "the first one after the boot: open and first fence"),
        "open": Metric("contexts", "later ones: open and first fence", target=4),
        **opened,
        **switch,
        "start": Metric("start", "QEMU, until its monitor answers"),
        "capset": Metric("start", "QEMU, until the guest has asked for its first capset", "s"),
        "instance": Metric("start", "the first VkDevice of the guest, from vkCreateInstance on"),
        "idle": Metric("memory", "QEMU and render server, guest idle", "MiB"),
        "blobs": Metric("memory", "  with 1024 blobs of 64 KiB mapped", "MiB"),
        "shown": Metric("display", "from a flip in the guest to the host's screen"),
        "key": Metric("display", "from a key on the host to the host's screen"),
        "shown-presented": Metric("display", "a flip to the screen, new device presenting"),
        "key-presented": Metric("display", "a key to the screen, new device presenting"),
        "cube-presented": Metric("display", "vkcube, the new device presenting", "fps", "higher", 1),
        "monitor": Metric("monitor", "QEMU's query-status, guest idle"),
        "monitor-load": Metric("monitor", "  while the guest renders and churns blobs"),
        "monitor-load-presented": Metric("monitor", "  the same, the new device presenting"),
    }


class Notes:
    """The samples of one side, and why there are none."""

    def __init__(self):
        self.samples, self.reasons = {}, {}

    def add(self, key, *values):
        self.samples.setdefault(key, []).extend(values)

    def refuse(self, key, why):
        """The last reason stays, and counts if the metric has no sample."""
        self.reasons[key] = why


def values(result, name):
    """The samples of one of a program's figures."""
    return result[name].get("values", [])


class Stuck(guests.GuestError):
    """A program did not end by itself in the time that it was given: its device gives no answer."""


def program(machine, command):
    """What one of our programs in the guest prints; it stops by itself after SECONDS."""
    job = machine.guest.spawn(f"VENUS_SAMPLES=1 {VENUS} exec {command} --seconds {SECONDS}")
    end = time.monotonic() + SECONDS + PATIENCE
    while not job.ended.wait(0.2):
        machine.guest.check_alive()
        if time.monotonic() > end:
            raise Stuck(f"{command.split()[0]} stood still and was left after {SECONDS + PATIENCE} s")
    if job.status:
        raise guests.GuestError((job.errors or job.output).strip().splitlines()[-1])
    return json.loads(job.output.strip().splitlines()[-1])


# --- in this order, since the first of something after the boot is another thing than the second -------


def start(machine, notes):
    notes.add("start", 1000 * (machine.answered - machine.started))
    notes.add("capset", machine.capset_query())
    notes.add("idle", machine.memory())
    notes.add("monitor", *monitor_latency(machine, 2))


def first_context(machine, notes):
    notes.add("open-first", *values(program(machine, "context_open --rounds 1 --warmup 0"),
                                    "open_and_answer_ms"))


def first_device(machine, notes):
    result = machine.guest.run_json(f"{VENUS} vk_start", timeout=120)
    notes.add("instance", sum(result[name] for name in ("instance_ms", "devices_ms", "device_ms")))


def contexts(machine, notes):
    notes.add("open", *values(program(machine, "context_open --rounds 100"), "open_and_answer_ms"))
    for count in CONTEXTS:
        result = program(machine, f"context_switch --contexts {count} --rounds {256 // count}")
        notes.add(f"open-{count}", *values(result, "open_ms"))
        notes.add(f"switch-{count}", *values(result, "switch_ms"))


def fences(machine, notes, load=""):
    notes.add(f"fence-0{load}", *values(program(machine, "fence_ring --rounds 500"), "round_trip_ms"))
    result = program(machine, "queue_sync --rounds 500")
    notes.add(f"submit{load}", *values(result, "wait_ms"))
    notes.add(f"fence-queue{load}", *values(result, "sync_fd_ms"))


def memory_cycle(machine, notes):
    notes.add("memory", *values(program(machine, "vk_memory --rounds 200"), "cycle_ms"))


def no_blobs(machine, notes):
    blob_cycle(machine, notes, 0)


def blob_cycle(machine, notes, others, more=""):
    """One that cannot map so many in the time that it has says how far it came."""
    try:
        result = program(machine, f"blob_cycle --rounds 200 --others {others} {more}")
    except Stuck as error:
        notes.refuse(f"blob-{others}", str(error))
        return False
    cycles = values(result, "cycle_ms")
    if result["others_mapped"] < others:
        notes.refuse(f"blob-{others}", f"stopped after {SECONDS} s with {result['others_mapped']} of "
                                       f"{others} mapped")
        return False
    if not cycles:
        notes.refuse(f"blob-{others}", f"no cycle had ended when it was stopped after {SECONDS} s")
        return False
    notes.add(f"blob-{others}", *cycles)
    return True


def kms(machine, notes):
    notes.add("kms-dumb", program(machine, "vkcube_anim --scanout dumb --size 800x600 --frames 300")["fps"])


def display(machine, notes, suffix=""):
    """A key is pressed in QEMU's monitor, the guest flips its display, the host's screen changes."""
    keys, shown = pixels.press_keys(machine, 40)
    notes.add(f"key{suffix}", *keys)
    notes.add(f"shown{suffix}", *shown)


def cube_frames(machine, mode, frames=400):
    """Frames per second of vkcube under weston, which is started if need be."""
    layer = guests.frames_environment(log="/tmp/frames.json")
    machine.guest.run(f"rm -f /tmp/frames.json; wl {layer} vkcube --wsi wayland --present_mode {mode} "
                      f"--c {frames}", timeout=180)
    counted = json.loads(machine.guest.run("cat /tmp/frames.json").output)
    return (counted["frames"] - 1) / counted["seconds"]


def cubes(machine, notes):
    machine.guest.run("wl", timeout=60)
    time.sleep(1)
    notes.add("cube-fifo", cube_frames(machine, FIFO))
    notes.add("cube-mailbox", cube_frames(machine, MAILBOX))


def presented_cubes(machine, notes):
    machine.guest.run("wl", timeout=60)
    time.sleep(1)
    notes.add("cube-presented", cube_frames(machine, FIFO))


def marks(machine, notes):
    scenes = " ".join(f"-b {scene}:duration=3" for scene in SCENES)
    job = machine.guest.spawn(f"wl vkmark --winsys wayland -s 500x500 {scenes}")
    if not job.ended.wait(120):
        raise Stuck("vkmark stood still and was left after 120 s")
    seen = dict(re.findall(r"\[(\w+)\][^\n]*?FPS: *(\d+)", job.output + job.errors))
    for scene in SCENES:
        if scene in seen:
            notes.add(f"vkmark-{scene}", float(seen[scene]))
        else:
            notes.refuse(f"vkmark-{scene}", f"vkmark ended with status {job.status} before it")


class Load:
    """Programs that keep the guest busy while something else is measured."""

    def __init__(self, machine, *commands):
        self.machine, self.commands, self.jobs = machine, commands, []

    def __enter__(self):
        self.jobs = [self.machine.guest.spawn(command) for command in self.commands]
        time.sleep(2)
        return self

    def __exit__(self, *_):
        for job in self.jobs:
            if job.status is not None:
                raise guests.GuestError(f"'{job.command}' was to be the load and has ended: "
                                        f"{(job.output + job.errors)[-500:]}")
        for job in self.jobs:
            job.signal(signal.SIGKILL)
        for job in self.jobs:
            job.wait(60)
        time.sleep(1)  # for what they held to be given back


CUBE = "wl vkcube --wsi wayland --c 1000000000"
CHURN = f"while {VENUS} blob_cycle --rounds 1000 --seconds 5 >/dev/null; do :; done"
FIFO, MAILBOX = 2, 1  # VkPresentModeKHR


def loaded_fences(machine, notes):
    with Load(machine, CUBE):
        fences(machine, notes, "-load")


def loaded_monitor(machine, notes, suffix=""):
    with Load(machine, CUBE, CHURN):
        notes.add(f"monitor-load{suffix}", *monitor_latency(machine, 6))


def monitor_latency(machine, seconds):
    """Milliseconds that query-status takes, asked every 5 ms."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        machine.guest.monitor.ask("query-status")
        took.append(1000 * (time.monotonic() - begin))
        time.sleep(0.005)
    return took


def many_blobs(machine, notes):
    """Last, since one that cannot do this is of no use afterwards."""
    for others in OTHERS:
        if not blob_cycle(machine, notes, others):
            why = f"not tried, as it did not get through with {others or 'none'} mapped"
            for more in OTHERS[OTHERS.index(others) + 1:]:
                notes.refuse(f"blob-{more}", why)
            notes.refuse("blobs", why)
            return
    memory_with_blobs(machine, notes)


def memory_with_blobs(machine, notes):
    """The most that was seen while a program has them mapped."""
    most, job = 0, machine.guest.spawn("blob_cycle --others 1024 --rounds 4000 --seconds 8")
    while job.status is None:
        machine.guest.check_alive()
        most = max(most, machine.memory())
        time.sleep(0.5)
    result = json.loads(job.output.strip().splitlines()[-1])
    if result["others_mapped"] == 1024:
        notes.add("blobs", most)
    else:
        notes.refuse("blobs", f"only {result['others_mapped']} of 1024 were mapped after 8 s")


WHOLE = (start, first_context, first_device, contexts, fences, memory_cycle, no_blobs, kms, display, cubes,
         marks, loaded_fences, loaded_monitor, many_blobs)


def presented_display(machine, notes):
    display(machine, notes, "-presented")


def presented_monitor(machine, notes):
    loaded_monitor(machine, notes, "-presented")


PRESENTED = (presented_display, presented_cubes, presented_monitor)


def floor_contexts(machine, notes):
    notes.add("open", *values(program(machine, "context_open --rounds 100"), "open_and_answer_ms"))
    notes.add("fence-0", *values(program(machine, "fence_ring --rounds 500"), "round_trip_ms"))
    result = program(machine, "context_switch --contexts 2 --rounds 128")
    notes.add("open-2", *values(result, "open_ms"))
    notes.add("switch-2", *values(result, "switch_ms"))


def floor_blobs(machine, notes):
    for others in OTHERS:
        blob_cycle(machine, notes, others, "--dirty")


FLOOR = (floor_contexts, floor_blobs)


# --- the host by itself ---------------------------------------------------------------------------------


def on_host(command, **environment):
    """What a program prints on the host, with every sample; what fails is this side's failure, in one line."""
    try:
        return host_programs.on_host(command, VENUS_SAMPLES="1", **environment)
    except Failed as failure:
        raise guests.GuestError(" ".join(str(failure).split())) from failure


def host(tools, screen, notes):
    """The same programs with no guest in between."""
    def last(command):
        return json.loads(on_host(command).strip().splitlines()[-1])

    result = last([tools / "vk_start"])
    notes.add("instance", sum(result[name] for name in ("instance_ms", "devices_ms", "device_ms")))
    result = last([tools / "queue_sync", "--rounds", 500])
    notes.add("submit", *values(result, "wait_ms"))
    notes.add("fence-queue", *values(result, "sync_fd_ms"))
    notes.add("memory", *values(last([tools / "vk_memory", "--rounds", 200]), "cycle_ms"))
    for key, mode in (("cube-fifo", FIFO), ("cube-mailbox", MAILBOX)):
        log = Path(screen.folder.name, "frames.json")
        log.unlink(missing_ok=True)
        on_host(["vkcube", "--wsi", "xcb", "--present_mode", mode, "--c", 400], DISPLAY=screen.display,
                  VK_LAYER_PATH=str(tools), VK_INSTANCE_LAYERS="VK_LAYER_VENUS_frames",
                  VENUS_FRAMES_LOG=str(log))
        counted = json.loads(log.read_text(encoding="ascii"))
        notes.add(key, (counted["frames"] - 1) / counted["seconds"])
