# SPDX-License-Identifier: MIT
"""present=swapchain in Debian's own QEMU, whose SDL names the window of its first output and of no other."""

import signal
import time

from test_outputs import DRAWS, SIZES, check_outputs, place_window, wait_for_connector, windows
from venusvm.harness import as_long_as_weston_runs, complaints, expect
from venusvm.host_screen import SDL, HostScreen
from venusvm.presenting import SWAPCHAIN, hold_cube

APP_ID = "--on Virtual-2=org.freedesktop.weston.simple-damage"


def test_unnamed(case):
    """the first output is presented in its window, the second shown by QEMU's display in its own; a line says so"""
    with HostScreen(1480, 900) as host:
        with case.another_guest(resolution=SIZES[0], outputs=2, display="sdl,gl=off", properties=SWAPCHAIN,
                                qemu_args=["-name", "outputs"],
                                env={"DISPLAY": host.display, **SDL}) as guest, \
                as_long_as_weston_runs(guest):
            guest.run(f"wl --kiosk {APP_ID}")
            guest.set_output(1, SIZES[1])
            for output in range(2):
                wait_for_connector(case, guest, output, "enabled", "enabled")
                place_window(case, host, output)
            hold_cube(case, guest, 30)
            job = guest.spawn(f"wl --kiosk {DRAWS[1]}")
            time.sleep(5)  # it draws; nothing counts what QEMU's own display shows
            job.signal(signal.SIGSTOP)
            sizes = check_outputs(case, host, guest, "unnamed", range(2))
            expect(sizes == set(SIZES[:2]), f"outputs of {SIZES[:2]}", sizes)
            expect(len(windows(host, "^virtio-gpu-venus$")) == 1, "one window of Vulkan's",
                   windows(host, "^virtio-gpu-venus$"))
            said = complaints(guest)
            expect(len(said) == 1 and "does not say which window" in said[0], "one line, about windows", said)
