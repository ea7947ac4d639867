# SPDX-License-Identifier: MIT
"""Domains of Debian's libvirt, by both doors: the device by its own name, and as libvirt's "3D acceleration".

The commands of docs/libvirt.md are run here, word for word, where its files are those of packaging/libvirt with our
guest's disk, kernel and agent. The daemon is the real one, of the system; the sandbox, the namespaces and the settings
are Debian's, but for those that venusvm/libvirt.py and a test name. venus-gpu-renderd runs beside it, but where a test
does without.
"""

import re
import shutil
import time
from pathlib import Path

from venusvm import apparmor
from venusvm.guest import TOP, GuestError
from venusvm.harness import Failed, expect, picture
from venusvm.host_screen import window_of_vkcube
from venusvm.libvirt import CACHE, EMULATOR, PACKAGING, QEMU_NAMESPACE, Libvirt, element
from venusvm.unmodified import Held, wanted_vkcube

SIZE = 500
PLAIN = "/usr/bin/qemu-system-x86_64"
DOORS = {"device": "virtio-vga-venus", "acceleration": "virtio-vga-gl"}
SUMMARY = "VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json vulkaninfo --summary"
# Without systemd nobody in the guest acts on its power button. This does as systemd would.
POWER_BUTTON = ("modprobe button && mkdir -p /tmp/acpi/PWRF && cd /tmp/acpi/PWRF && "
                "printf '#!/bin/sh\nsync; echo o >/proc/sysrq-trigger\n' >00000080 && chmod +x 00000080 && "
                "exec busybox acpid -d -c /tmp/acpi")


PAGE = TOP / "docs" / "libvirt.md"
VERBS = ("define", "start", "screenshot", "reboot", "destroy", "undefine")


def commands():
    """The lines of the page that a person types: those that are indented, joined where they end with a backslash."""
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.startswith("    ") and line.strip()]


def command(begin, name):
    """The one line that begins so, of a domain."""
    found = [line for line in commands() if line.startswith(f"{begin} ") and name in line]
    expect(len(found) == 1, f"one line of {PAGE.name} that begins with {begin}, of {name}", found)
    return found[0]


def type_in(case, verb, door):
    return case.shared.get().type_in(command(f"virsh {verb}", door))


def running(case, door):
    """The domain of one of the page's files, running: the page's lines have started it if it did not."""
    shared = case.shared
    if door not in shared.domains:
        guest = shared.get().domain(PACKAGING / f"{door}.xml")
        shared.domains[door] = guest
        guest.write(shared.libvirt.typed / "packaging" / "libvirt" / f"{door}.xml")
        for verb in ("define", "start"):
            type_in(case, verb, door)
        guest.started().wait_for_agent()
    return shared.domains[door]


def screenshot(case, door):
    type_in(case, "screenshot", door)
    return picture.read_png(case.shared.libvirt.typed / "screen.png")


def is_venus(guest):
    said = guest.run(SUMMARY).output
    expect(re.search(r"driverName\s+= venus", said), "Venus as the guest's Vulkan driver", said[-1500:])
    return re.search(r"deviceName\s+= (.*)", said)[1]


def test_files(case):
    """both files are valid for libvirt as they are, and are defined"""
    libvirt = case.shared.get()
    for door in DOORS:
        file = libvirt.place(f"lib/{door}.xml")
        file.write_bytes((PACKAGING / file.name).read_bytes())
        libvirt.virsh("define", "--validate", libvirt.inside_path(file))
        said = libvirt.virsh("dumpxml", f"venus-{door}")
        expect("<source type='memfd'/>" in said and "<access mode='shared'/>" in said, "shared memory of a memfd", said)
        libvirt.virsh("undefine", f"venus-{door}")


def starts(case, door):
    begin = time.monotonic()
    guest = running(case, door)
    case.note(f"defined, started and booted in {time.monotonic() - begin:.1f} s: {is_venus(guest)}")
    line = Path(f"/proc/{guest.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    expect(DOORS[door] in line, f"QEMU with {DOORS[door]}", line)
    expect("spawn=deny" in line, "a sandbox in which QEMU starts no program", line)


def test_device_starts(case):
    """by its own name: the domain starts, and the guest has Venus"""
    starts(case, "device")


def test_acceleration_starts(case):
    """as 3D acceleration: the domain starts, and the guest has Venus"""
    starts(case, "acceleration")


def vkcube(case, door, frame):
    guest = running(case, door)
    wanted = wanted_vkcube(guest, frame, SIZE)
    wanted.write_png(case.file(f"host-{frame}.png"))
    with Held(guest, "", f"vkcube --wsi wayland --width {SIZE} --height {SIZE} --c {frame + 10}", frame):
        def question():
            shown = screenshot(case, door)
            shown.write_png(case.file(f"virsh-{frame}.png"))
            try:
                seen = picture.Difference(window_of_vkcube(shown, SIZE, SIZE), wanted)
            except Failed as failure:
                return False, failure
            case.seen = seen
            return seen.mean <= 2 and seen.share_near >= 0.999, seen

        case.wait_for(question, f"frame {frame} of vkcube, as {case.file(f'host-{frame}.png')}", timeout=30)
    case.note(f"frame {frame}: {case.seen}")


def test_device_vkcube(case):
    """by its own name: vkcube's 30th frame as virsh screenshot shows it is the one that the host draws"""
    vkcube(case, "device", 30)


def test_acceleration_vkcube(case):
    """as 3D acceleration: vkcube's 100th frame as virsh screenshot shows it is the one that the host draws"""
    vkcube(case, "acceleration", 100)


def test_two(case):
    """both domains at a time: each has its own device, render server and Venus"""
    guests = [running(case, door) for door in DOORS]
    jobs = [guest.spawn(SUMMARY) for guest in guests]
    for job in jobs:
        job.wait(120)
        expect(job.status == 0 and "venus" in job.output, "Venus in both", job.output + job.errors)
    for guest in guests:
        expect(guest.stat("contexts-created") > 0, "contexts in each device", guest.stats())


def test_memory(case):
    """all of the guest's memory is a memfd, mapped so that others may share it"""
    for door in DOORS:
        maps = Path(f"/proc/{running(case, door).pid}/maps").read_text(encoding="utf-8", errors="replace")
        sizes = [int(end, 16) - int(begin, 16) for begin, end, kind in
                 re.findall(r"^(\w+)-(\w+) rw-(.) .*/memfd:memory-backend-memfd", maps, re.MULTILINE) if kind == "s"]
        expect(sum(sizes) == 2 << 30, "2 GiB of a shared memfd", sizes or maps[-1500:])


def reboots(case, door):
    guest = running(case, door)
    button = guest.spawn(POWER_BUTTON)

    def listens():
        held = guest.run("ls -l /proc/$(pgrep -x busybox)/fd", check=False).output
        return "/dev/input/event" in held, held + button.output + button.errors

    case.wait_for(listens, "the guest to listen to its power button")
    pid = guest.pid
    begin = time.monotonic()
    guest.hang_up()
    type_in(case, "reboot", door)
    guest.wait_for_agent()
    case.note(f"rebooted in {time.monotonic() - begin:.1f} s")
    expect(guest.find_process() == pid, "the same QEMU", guest.find_process())
    is_venus(guest)


def test_device_reboots(case):
    """by its own name: virsh reboot, and the guest has Venus again"""
    reboots(case, "device")


def test_acceleration_reboots(case):
    """as 3D acceleration: virsh reboot, and the guest has Venus again"""
    reboots(case, "acceleration")


def test_reset(case):
    """virsh reset, with a program drawing: the guest has Venus again"""
    guest = running(case, "device")
    with Held(guest, "", "vkcube --wsi wayland --c 100", 10):
        guest.reset()
    is_venus(guest)


def servers(libvirt):
    """The render servers that run, and the processes of their contexts."""
    return {pid for pid, name in libvirt.programs().items() if name.startswith("virgl_render")}


def test_destroy(case):
    """virsh destroy leaves no process and no file of a domain"""
    libvirt = case.shared.get()
    for door in DOORS:
        guest = running(case, door)
        before = servers(libvirt)
        type_in(case, "destroy", door)
        case.wait_for(lambda: (guest.pid not in libvirt.processes() and servers(libvirt) < before, libvirt.programs()),
                      "neither QEMU nor its render server", 10)
        left = [path for folder in ("lib/qemu", "run/libvirt/qemu") for path in libvirt.place(folder).rglob("*")
                if guest.name in path.name]
        expect(not left, "no file of it", left)
        type_in(case, "undefine", door)
        expect(guest.name not in libvirt.virsh("list", "--all"), "no such domain", libvirt.virsh("list", "--all"))
        guest.close()
        del case.shared.domains[door]
    case.wait_for(lambda: (not servers(libvirt), libvirt.programs()), "no render server", 10)
    expect(set(libvirt.programs().values()) <= {"unshare", "sh", "virtlogd", "libvirtd", "venus-gpu-rende"},
           "the daemons and nothing else", libvirt.programs())


def test_page(case):
    """every line of docs/libvirt.md that a person types is typed by these tests"""
    typed = {command(f"virsh {verb}", door) for verb in VERBS for door in DOORS} | {command("virt-install", "venus")}
    expect(set(commands()) == typed, "no other line", set(commands()) - typed)


def test_virt_install(case):
    """virt-install makes the domain of acceleration.xml from words alone, and its guest has Venus"""
    libvirt = case.shared.get()
    guest = libvirt.domain(PACKAGING / "acceleration.xml", name="venus")
    shutil.copy(guest.disk(), libvirt.place("lib/images/venus.qcow2"))
    begin = time.monotonic()
    try:
        libvirt.type_in(f"{command('virt-install', 'venus')} {guest.virt_install_words()}")
        guest.started().wait_for_agent()
        case.note(f"installed and booted in {time.monotonic() - begin:.1f} s: {is_venus(guest)}")
        said = libvirt.virsh("dumpxml", "venus")
        for wanted in ("<source type='memfd'/>", "<access mode='shared'/>", "<acceleration accel3d='yes'/>"):
            expect(wanted in said, wanted, said)
    finally:
        guest.close()


def test_sandbox(case):
    """where QEMU may start no program, which is libvirt's default, it says that it needs venus-gpu-renderd"""
    with Libvirt(renderd=False) as libvirt:
        for door in DOORS:
            guest = libvirt.domain(PACKAGING / f"{door}.xml")
            try:
                guest.start()
                raise Failed("expected the domain not to start\n    seen it run")
            except GuestError as why:
                expect("Operation not permitted" in str(why) and "have venus-gpu-renderd start" in str(why),
                       "a message that helps", why)
            finally:
                guest.close()


def test_devices(case):
    """without service and sandbox QEMU starts the server; they see the devices of cgroup_device_acl and no other"""
    listed = ["/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx"]
    with Libvirt({"cgroup_device_acl": [*listed, "/dev/fuse"], "seccomp_sandbox": 0}, renderd=False) as libvirt:
        guest = libvirt.domain(PACKAGING / "acceleration.xml")
        try:
            guest.start().wait_for_agent()
            is_venus(guest)
            expect(servers(libvirt) <= libvirt.processes_of(guest.pid), "QEMU's own render server", libvirt.programs())
            for pid in libvirt.processes_of(guest.pid):
                seen = {path.name for path in Path(f"/proc/{pid}/root/dev").iterdir() if path.is_char_device()}
                expect(seen == {*(name[5:] for name in listed), "fuse"}, "those, and fuse, which was added", seen)
        finally:
            guest.close()


def change_to_plain(xml):
    """The third way: QEMU's own program with the modules' directory, where QEMU's own for OpenGL are installed too."""
    xml.find("name").text = "venus-plain"
    xml.find("devices/emulator").text = PLAIN
    line = element(f"<commandline xmlns='{QEMU_NAMESPACE}'><env name='QEMU_MODULE_DIR' value='/usr/lib/qemu-venus'/>"
                   "</commandline>")
    xml.append(line)
    xml.find(".//{*}frontend").append(element(f"<property xmlns='{QEMU_NAMESPACE}' name='render-server' type='string' "
                                              "value='unix:/run/venus-gpu/renderd.sock'/>"))


def boots(case, libvirt, **options):
    """Starts acceleration.xml with changes, says what Vulkan device its guest has, and ends it."""
    guest = libvirt.domain(PACKAGING / "acceleration.xml", **options)
    begin = time.monotonic()
    try:
        guest.start().wait_for_agent()
        case.note(f"booted in {time.monotonic() - begin:.1f} s: {is_venus(guest)}")
    finally:
        guest.close()


def test_plain_emulator(case):
    """QEMU's own program as emulator, with QEMU_MODULE_DIR in the domain: 3D acceleration is our device there, too"""
    boots(case, case.shared.get(), change=change_to_plain)


def test_spice(case):
    """what virt-manager's dialog writes with SPICE, its default: 3D acceleration without OpenGL in SPICE starts"""
    def change(xml):
        devices = xml.find("devices")
        devices.remove(devices.find("graphics"))
        devices.append(element("<graphics type='spice' autoport='yes'><image compression='off'/></graphics>"))
        xml.remove(xml.find(f"{{{QEMU_NAMESPACE}}}override"))

    boots(case, case.shared.get(), change=change)


def profile_of(libvirt, xml="", uuid=""):
    """libvirt's AppArmor profile of a domain with our lines, without includes; xml: with its own files, too."""
    folder = libvirt.place("lib/apparmor")
    lines = folder / "abstractions" / "libvirt-qemu.d" / "virtio-gpu-venus"
    lines.parent.mkdir(parents=True, exist_ok=True)
    lines.write_bytes((PACKAGING / "apparmor").read_bytes())
    profile = Path(libvirt.root, "etc/apparmor.d/libvirt/TEMPLATE.qemu").read_text(encoding="utf-8")
    (folder / "profile").write_text(profile.replace("LIBVIRT_TEMPLATE", "libvirt-test"), encoding="utf-8")
    parser = ["apparmor_parser", "--skip-kernel-load", "--skip-cache", "--base", "/etc/apparmor.d",
              "-I", libvirt.inside_path(folder)]
    libvirt.run(*parser, "--ofile", libvirt.inside_path(folder / "compiled"), libvirt.inside_path(folder / "profile"))
    expect((folder / "compiled").stat().st_size > 10000, "a compiled profile", (folder / "compiled").stat().st_size)
    text = libvirt.run(*parser, "--preprocess", libvirt.inside_path(folder / "profile"))
    if xml:
        (folder / "domain.xml").write_text(xml, encoding="utf-8")
        text += libvirt.run("sh", "-c", f"/usr/lib/libvirt/virt-aa-helper --create --dryrun --uuid libvirt-{uuid} "
                                        f"<{libvirt.inside_path(folder)}/domain.xml 2>&1")
    return text


def traced(libvirt):
    """A domain whose emulator writes down which files it and its children open, and that file."""
    trace = libvirt.place("lib/apparmor")
    trace.mkdir(exist_ok=True)
    emulator = trace / "emulator"
    # What libvirt asks of its capabilities it answers as it is.
    emulator.write_text(f"""#!/bin/sh
set -- {EMULATOR} "$@"
case "$*" in
*guest=*) set -- strace -f -qq -e openat,execve,connect,mkdir,unlink -o "$(dirname "$0")/trace" "$@" ;;
esac
exec "$@"
""", encoding="utf-8")
    emulator.chmod(0o755)

    def change(xml):
        xml.find("devices/emulator").text = str(libvirt.inside_path(emulator))

    return libvirt.domain(PACKAGING / "acceleration.xml", name="venus-traced", change=change), trace / "trace"


def check_profile(case, libvirt):
    """Starts a domain; everything that is opened must be in its profile, but for what is not where it is installed."""
    guest, trace = traced(libvirt)
    try:
        guest.start().wait_for_agent(400)
        is_venus(guest)
        text = profile_of(libvirt, libvirt.virsh("dumpxml", guest.name), libvirt.virsh("domuuid", guest.name).strip())
    finally:
        guest.close()
    rules = apparmor.rules(text)
    files = apparmor.opened(trace.read_text(encoding="utf-8", errors="replace"))
    # It is the emulator's name that libvirt has in its own profile, not that of the one that writes down.
    ours = re.compile(rf"({re.escape(str(CACHE))}|{re.escape(str(libvirt.inside_path(trace.parent)))})/")
    denied = sorted((path, kind) for path, kind in files
                    if not ours.match(path) and not apparmor.is_allowed(rules, path, kind))
    case.note(f"{len(files)} files, {len(rules)} rules")
    expect(not denied, "no file that the profile does not allow", denied)
    return {path for path, _ in files}


def test_apparmor(case):
    """in libvirt's sandbox: by its text, the AppArmor profile of a domain with our lines allows what QEMU opens"""
    opened = check_profile(case, case.shared.get())
    expect("/run/venus-gpu/renderd.sock" in opened and not any("/vulkan/" in path for path in opened),
           "the service's socket and no file of Vulkan's", sorted(opened))


def test_apparmor_without_service(case):
    """without service and sandbox: the same, and what its render server opens"""
    with Libvirt({"seccomp_sandbox": 0}, renderd=False) as libvirt:
        opened = check_profile(case, libvirt)
    expect(any("/vulkan/icd.d/" in path for path in opened), "Vulkan's drivers", sorted(opened))
