# SPDX-License-Identifier: MIT
"""Xorg in the guest, with its own driver for kernel modesetting: it offers what the EDID lists, and shows a
desktop in one of these modes.

Xorg knows the EDID by two ways: the kernel makes modes of it, and Xorg itself reads what the monitor's limits
are, and leaves out what is beyond them.
"""

import re

from venusvm.harness import VENUS, expect, on_host

SIZE = (1366, 768)  # the output's own, which no standard list has
LARGE = (1920, 1200)  # one of those that stand beside it
CONF = r"""
Section "Monitor"
    Identifier "Virtual-1"
    Option "PreferredMode" "{}x{}"
EndSection
Section "Device"
    Identifier "venus"
    Driver "modesetting"
    Option "AccelMethod" "none"
    Option "Monitor-Virtual-1" "Virtual-1"
EndSection
"""


def sizes_of_edid(case, guest):
    """What edid-decode reads in the EDID that the kernel has, and that nothing is wrong with it."""
    edid = case.file("edid.bin")
    edid.write_bytes(guest.run("cat /sys/class/drm/card0-Virtual-1/edid").stdout)
    said = on_host(["edid-decode", "--check", edid])
    expect("EDID conformity: PASS" in said, "a conforming EDID", said)
    return {(int(width), int(height)) for width, height in
            re.findall(r"^ +(?:DMT 0x\w+|VIC +\d+|DTD \d+): +(\d+)x(\d+) ", said, re.MULTILINE)}


def sizes_of_xorg(log):
    """What Xorg says of the output's modes when it has probed them."""
    probed = log.split("Printing probed modes for output Virtual-1", 1)[-1].split("Output Virtual-1 connected")[0]
    return {(int(width), int(height)) for width, height in re.findall(r'Modeline "(\d+)x(\d+)"', probed)}


def start_xorg(case, guest, size):
    """Starts it, in a mode of that size. Returns the job, and what it has logged when it is ready."""
    guest.run("cat > /tmp/xorg.conf << EOF" + CONF.format(*size) + "EOF")
    server = guest.spawn("Xorg :7 vt7 -config /tmp/xorg.conf -logfile /tmp/Xorg.log -noreset -nolisten tcp "
                         "-sharevts -novtswitch -displayfd 3 3>/tmp/Xorg.display")
    log = case.file("Xorg.log")

    def question():
        log.write_bytes(guest.run("cat /tmp/Xorg.log", check=False).stdout)
        return guest.run("test -s /tmp/Xorg.display", check=False).status == 0, f"{server.errors} (see {log})"

    case.wait_for(question, "Xorg to be ready", timeout=120)
    return server, log.read_text(encoding="utf-8", errors="replace")


def test_modes(case):
    """Xorg offers every size that the EDID lists, and starts in one of these; vkcube draws there"""
    with case.another_guest(resolution=SIZE) as guest:
        listed = sizes_of_edid(case, guest)
        expect({SIZE, LARGE, (640, 480), (5120, 2160)} <= listed, "sizes of all kinds in the EDID", sorted(listed))
        server, log = start_xorg(case, guest, LARGE)
        offered = sizes_of_xorg(log)
        case.note(f"{len(listed)} sizes in the EDID, {len(offered)} of Xorg's")
        expect(listed <= offered, f"all sizes of the EDID in Xorg: {sorted(listed)}", sorted(listed - offered))

        app = guest.spawn(f"DISPLAY=:7 MESA_VK_WSI_DEBUG=sw {VENUS} vkcube --wsi xcb --width 800 --height 600 "
                          "--c 1000000")

        def question():
            shown = case.screen("desktop", guest)
            size = (shown.width, shown.height)
            return size == LARGE and shown.colours() > 100, f"{shown}\n{app.output}{app.errors}"

        case.wait_for(question, f"vkcube on a screen of {LARGE}", timeout=120)
        for job in (app, server):
            job.signal(15)
            job.wait(30)
        expect(guest.stat("command-errors") == 0, "no command that failed", guest.stats())
