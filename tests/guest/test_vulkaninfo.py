# SPDX-License-Identifier: MIT
"""The guest's own vulkaninfo, unmodified, sees the host's device through Venus."""

import re
from pathlib import Path

from venusvm.harness import VENUS, expect, root_of


def test_vulkaninfo_sees_venus(case):
    """vulkaninfo lists one device, driven by Venus, with the host device's name in its own"""
    summary = case.guest.run(f"{VENUS} vulkaninfo --summary").output
    found = dict(re.findall(r"^\s*(\w+)\s*= (.*?)\s*$", summary, re.MULTILINE))
    case.note(f"{found.get('deviceName')}, {found.get('driverInfo')}")
    expect(summary.count("deviceName") == 1, "one device", summary[-1500:])
    expect(found.get("driverID") == "DRIVER_ID_MESA_VENUS", "driverID DRIVER_ID_MESA_VENUS",
           found.get("driverID"))
    expect(case.guest.renderer() in found.get("deviceName", ""),
           f"the host's device, {case.guest.renderer()}, in the name", found.get("deviceName"))


def test_version(case):
    """the guest has as new a Vulkan as virglrenderer passes on: 1.4 since its release 1.3, and 1.3 before"""
    summary = case.guest.run(f"{VENUS} vulkaninfo --summary").output
    version = tuple(map(int, re.search(r"^\s*apiVersion\s*= (\d+)\.(\d+)", summary, re.MULTILINE).groups()))
    named = [Path(word, "virglrenderer-version") for word in root_of(case)]
    known = [file.read_text(encoding="utf-8") for file in named if file.exists()]
    release = tuple(map(int, re.match(r"(\d+)\.(\d+)", known[0]).groups())) if known else (1, 1)
    case.note(f"Vulkan {version[0]}.{version[1]}")
    expect(version >= ((1, 4) if release >= (1, 3) else (1, 3)),
           f"that of virglrenderer {release[0]}.{release[1]} or newer", f"{version[0]}.{version[1]}")


def test_extensions(case):
    """Venus offers what window systems need: swapchains, external memory and sync files"""
    text = case.guest.run(f"{VENUS} vulkaninfo").output
    missing = [name for name in ("VK_KHR_swapchain", "VK_KHR_external_memory_fd",
                                 "VK_KHR_external_fence_fd", "VK_KHR_external_semaphore_fd",
                                 "VK_KHR_wayland_surface")
               if not re.search(rf"\b{name}\b", text)]
    expect(not missing, "all of the extensions", f"vulkaninfo without {', '.join(missing)}")
