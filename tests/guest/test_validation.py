# SPDX-License-Identifier: MIT
"""Our programs use Vulkan as they should: in the guest, under Khronos' validation layer, which has nothing to say.

With synchronization validation too. That the layer is loaded and reports what it sees is shown first, by
programs that are wrong on purpose (guest/misuse.c). It validates what the programs say to Venus, before the device
sees any of it, so this is about the programs; that they run at all under it, through the device, is the rest.
"""

import re

from venusvm.harness import VENUS, Failed, expect
from venusvm.screen import standin

LAYER = ("VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation VK_VALIDATION_VALIDATE_SYNC=1 "
         "VK_LAYER_REPORT_FLAGS=error,warn")
MARK = "Validation "  # what each of its messages begins with: Validation Error, Validation Warning

# Each mistake, and what the layer calls it.
MISTAKES = {"usage": "VUID-vkCmdCopyBuffer-srcBuffer-00118", "hazard": "SYNC-HAZARD-WRITE-AFTER-WRITE",
            "leak": "VUID-vkDestroyDevice-device-05137"}
# What Venus says that it is; Mesa has this for tests.
AS = "MESA_VK_VERSION_OVERRIDE={}"
NEEDS_1_2 = {"throughput --what product": "buffers' addresses need 1.2", "compute": "buffers' addresses need 1.2", "resource_churn": "buffers' addresses need 1.2",
             "fence_stress": "timeline semaphores need 1.2"}
OFFSCREEN = ("frame", "triangle --frames 5", "gears --frames 5", "compute --size 16 --matrix 96 --count 100003",
             "fence_stress --frames 500", "resource_churn --frames 300 --alive 40",
             "multi_context --contexts 4 --frames 40", "format_draw", "queue_sync --rounds 20",
             "vk_memory --rounds 20",
             *(f"throughput --what {kind} --seconds 0 --warmup-seconds 0 --in-flight 2 --count 20 --size 16"
               for kind in ("fills", "little", "draws", "product", "up", "down")),
             "vk_start", "coherency --rounds 5")
SHOWN = ("vkcube_anim --scanout {} --size 800x600 --frames 20", "format_test --scanout {}",
         "rapid_resize --modes 6 --scanout {}")


def under_the_layer(guest, command, environment=""):
    """Runs a command under the layer; returns what that said."""
    job = guest.run(f"{VENUS} {LAYER} {environment} {command}", timeout=120, check=False)
    said = job.output + job.errors
    if job.status != 0:
        raise Failed(f"expected '{command}' to succeed under the validation layer\n"
                     f"    seen status {job.status}: {said[-1500:]}")
    return [line for line in said.splitlines() if MARK in line]


def check_silence(guest, commands, environment=""):
    spoken = {command: said for command in commands if (said := under_the_layer(guest, command, environment))}
    expect(not spoken, "not a word from the validation layer",
           "".join(f"\n    {command}: {said[0]} ({len(said)} in all)" for command, said in spoken.items()))


def test_mistakes(case):
    """the validation layer reports programs that are wrong on purpose, each by its mistake's name"""
    for mistake, name in MISTAKES.items():
        said = under_the_layer(case.guest, f"misuse {mistake}")
        expect(any(name in line for line in said), f"{name} for misuse {mistake}", said)


def test_offscreen(case):
    """it has nothing to say of our programs that draw offscreen or compute"""
    check_silence(case.guest, OFFSCREEN)


def test_older(case):
    """nor where the guest has Vulkan 1.2 or 1.1; what needs more than it finds says so in one line"""
    check_silence(case.guest, OFFSCREEN, AS.format("1.2"))
    check_silence(case.guest, [command for command in OFFSCREEN if not command.startswith(tuple(NEEDS_1_2))],
                  AS.format("1.1"))
    missing = [("1.1", command, why) for command, why in NEEDS_1_2.items()]
    for version, command, why in (*missing, ("1.0", "triangle", "1.1 is needed")):
        job = case.guest.run(f"{VENUS} {AS.format(version)} {command}", check=False)
        wanted = rf"{command.split()[0]}: .* has Vulkan {version}; {why}\n"
        expect(job.status == 1 and re.fullmatch(wanted, job.errors), wanted, job.errors)


def test_display(case):
    """nor of those that show something, through dumb buffers"""
    check_silence(case.guest, [command.format("dumb") for command in SHOWN])


def test_blobs_and_windows(case):
    """nor of those whose pictures are scanned out in place, nor of a swapchain's in a window"""
    with case.another_guest(preload=standin(), resolution=(800, 600)) as guest:
        if "no" in guest.run_json(f"{VENUS} format_test --format XRGB8888")["formats"][0]["blob"].split():
            case.note("the host's driver exports no dma-bufs: only windows")
        else:
            check_silence(guest, [*(command.format("blob") for command in SHOWN), "kms_zero_copy --frames 20"])
        check_silence(guest, ["wl wl_cube --frames 20"])
