# SPDX-License-Identifier: MIT
"""Debian's libvirt with the device, by itself: a libvirtd in a root of its own, and guests that are its domains.

    with Libvirt() as libvirt, libvirt.domain("device.xml") as guest:
        print(guest.run("uname -r").output)
        guest.screenshot()

The daemon is the system's (qemu:///system) as far as it can tell. All that it writes, from /etc/libvirt to /run, lies
in a temporary directory and is bound over the root's own in a private mount namespace; the module is laid over /usr as
a package would install it. It has a PID namespace, too, whose first process we hold: when that ends, or we do, the
daemons, each QEMU and what it started are gone.
"""

import atexit
import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

from venusvm import guest as guests
from venusvm.guest import SCRIPTS, TOP, Guest, GuestError, made_by
from venusvm.picture import read_png
from venusvm.processes import family

ROOT = "--libvirt"  # an option of in-root.sh
PACKAGING = TOP / "packaging" / "libvirt"
EMULATOR = "/usr/bin/qemu-system-x86_64-venus"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "virtio-gpu-venus")
QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"

# What libvirt's own is replaced by, the first process of the namespaces. $1: the directory, $2: what is laid over /usr,
# $3: venus-gpu-renderd, or nothing.
INIT = r"""
set -eu
mount -t overlay -o "lowerdir=$2:/usr" overlay /usr
mount --bind "$1/run" /run
mount --bind "$1/etc" /etc/libvirt
mount --bind "$1/lib" /var/lib/libvirt
mount --bind "$1/log" /var/log
for name in passwd group; do
    mount --bind "$1/$name" "/etc/$name"
done
mkdir -p /var/cache/libvirt
if [ -n "$3" ]; then
    mkdir /run/venus-gpu
    "$3" --strict --socket /run/venus-gpu/renderd.sock &
fi
virtlogd -d
libvirtd &
wait $!
"""
# Of libvirt's settings, those that this place asks for. Without systemd it has no cgroups of its own to use; the
# cache's files are ours, and stay so.
SETTINGS = {"user": "root", "group": "root", "dynamic_ownership": 0, "cgroup_controllers": []}
# What programs beside the daemon get: as in-root.sh has it, and a home where they may leave something.
ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/run")
# libvirtd looks its user up before it reads that another is wanted; the other's are the render servers.
USERS = {"libvirt-qemu": 64055, "venus-gpu": 64056}


class Libvirt:
    """The daemon and what it is started with. settings: lines of qemu.conf, by name. renderd: whether that
    service runs beside it."""

    def __init__(self, settings=None, renderd=True):
        self.root = made_by("host-root.sh", ROOT)
        self.qemu = made_by("build-module.sh")
        self.image, self.tools = made_by("guest-image.sh"), made_by("tools-disk.sh")
        self.accel, self.accel_why = guests.pick_accel(self.qemu, self.image, in_root=[ROOT])
        self.renderd = made_by("build-lib.sh") / "bin" / "venus-gpu-renderd" if renderd else ""
        self.settings = {**SETTINGS, **(settings or {})}
        self.folder = self.process = self.inside = None

    # --- life

    def start(self):
        self.folder = tempfile.TemporaryDirectory(prefix="venus-libvirt-")
        atexit.register(self.close)
        place = Path(self.folder.name)
        for name in ("run", "lib/images", "lib/boot", "lib/qemu", "log/libvirt/qemu"):
            (place / name).mkdir(parents=True)
        shutil.copytree(self.root / "etc" / "libvirt", place / "etc")
        with open(place / "etc" / "qemu.conf", "a", encoding="utf-8") as file:
            for name, value in self.settings.items():
                file.write(f"{name} = {json.dumps(value)}\n")
        for name, form in (("passwd", "{0}:x:{1}:{1}::/:/usr/sbin/nologin\n"), ("group", "{0}:x:{1}:\n")):
            lines = Path("/etc", name).read_text(encoding="utf-8").rstrip() + "\n"
            (place / name).write_text(lines + "".join(form.format(*user) for user in USERS.items()), encoding="utf-8")
        log = open(place / "libvirtd.log", "wb")
        self.process = subprocess.Popen(
            [SCRIPTS / "in-root.sh", "--die-with-parent", ROOT, "--", "unshare", "--mount", "--pid", "--fork",
             "--kill-child=KILL", "--mount-proc", "sh", "-c", INIT, "init", place, self.qemu.parents[1], self.renderd],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=os.setpgrp)
        log.close()
        self.wait_for_socket()
        return self

    def wait_for_socket(self, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
                sock.connect(str(self.place("run/libvirt/libvirt-sock")))
                break
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise GuestError(f"libvirtd did not start\n{self.log()}")
            time.sleep(0.05)
        self.inside = self.first_process()

    def first_process(self):
        """The one that is number 1 in its namespace. Another's may be lower here: numbers begin anew at some time."""
        for pid in self.processes() - {self.process.pid}:
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                if re.search(r"^NSpid:.*\s1$", text, re.MULTILINE):
                    return pid
        raise GuestError(f"libvirtd's first process has ended\n{self.log()}")

    def place(self, name):
        """Where something of the daemon's is on this machine."""
        return Path(self.folder.name, name)

    def inside_path(self, path):
        """What a file in place("lib") is called beside the daemon."""
        return Path("/var/lib/libvirt", Path(path).relative_to(self.place("lib")))

    def log(self):
        return self.place("libvirtd.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def processes(self):
        """The process that we started, and all that there is in its namespaces."""
        return family(self.process.pid)

    def programs(self):
        """The name of each process's program, by its number."""
        names = {}
        for pid in self.processes():
            with contextlib.suppress(OSError):
                names[pid] = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
        return names

    @staticmethod
    def processes_of(pid):
        """A QEMU and what it has started."""
        return family(pid)

    def close(self):
        """Ends the daemon and all domains, at once."""
        atexit.unregister(self.close)
        if self.process:
            running = self.processes() if self.process.poll() is None else set()
            self.process.kill()
            self.process.wait()
            # They end after the first of them has; their files are in use until then.
            deadline = time.monotonic() + 10
            while any(Path("/proc", str(pid)).exists() for pid in running) and time.monotonic() < deadline:
                time.sleep(0.02)
        if self.folder:
            self.folder.cleanup()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    # --- what a person types

    def run(self, *command, check=True, timeout=120):
        """Runs a program beside the daemon; its output, or with check=False the finished process."""
        user = ["-U", "--preserve-credentials"] if os.geteuid() else []
        done = subprocess.run(["nsenter", "-t", str(self.inside), *user, "-m", "-p", "env", "-i", *ENVIRONMENT,
                               *(str(word) for word in command)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
        if not check:
            return done
        if done.returncode:
            raise GuestError(f"{' '.join(str(word) for word in command)} ended with status {done.returncode}: "
                             f"{(done.stdout + done.stderr).strip()}")
        return done.stdout

    def virsh(self, *words, **options):
        return self.run("virsh", "-q", *words, **options)

    def type_in(self, command):
        """Runs a line of a page, word for word, in a directory of its own."""
        self.typed.mkdir(exist_ok=True)
        return self.run("sh", "-c", f"cd {self.inside_path(self.typed)} && {command}")

    @property
    def typed(self):
        return self.place("lib/typed")

    def domain(self, xml, **options):
        return Domain(self, xml, **options)


def element(text):
    return ET.fromstring(text)


class Domain(Guest):
    """A guest that libvirt runs: defined by a file, booted and ended by virsh, and otherwise as any other Guest.

    The file is used as it is, but for what only this place can say: whether KVM works, and the name, if another is
    wanted. The guest of the tests is added to it: its disks, its kernel, and the port of its agent.
    """

    # pylint: disable=super-init-not-called
    def __init__(self, libvirt, xml, name=None, change=None):
        self.libvirt, self.accel, self.accel_why = libvirt, libvirt.accel, libvirt.accel_why
        self.folder = tempfile.TemporaryDirectory(prefix="venus-domain-", dir=libvirt.place("lib"))
        self.xml = ET.parse(xml).getroot()
        if name:
            self.xml.find("name").text = name
        if change:
            change(self.xml)
        self.name = self.xml.find("name").text
        self.make_ours()
        self.process = self.port = self.pid = None
        self.monitor = DomainMonitor(self)
        self.init_conversation()

    def make_ours(self):
        """Has the XML boot our guest on this machine."""
        if self.accel == "tcg":
            self.xml.set("type", "qemu")
        self.libvirt.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                         "-b", self.libvirt.image / "disk.img", self.libvirt.inside_path(self.disk()))
        devices = self.xml.find("devices")
        devices.find("disk/source").set("file", str(self.libvirt.inside_path(self.disk())))
        devices.append(element(f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><readonly/>"
                               f"<source file='{self.libvirt.tools}'/><target dev='vdb' bus='virtio'/></disk>"))
        devices.append(element(f"<channel type='unix'><source mode='bind' path='{self.agent()}'/>"
                               f"<target type='virtio' name='venus.agent'/></channel>"))
        devices.find("console").append(element(f"<log file='{self.libvirt.inside_path(self.serial())}'/>"))
        for name, text in self.boot().items():
            ET.SubElement(self.xml.find("os"), name).text = str(text)

    def serial(self):
        """What the guest's kernel says, in this file."""
        return Path(self.folder.name, "serial.log")

    def disk(self):
        return Path(self.folder.name, "disk.qcow2")

    def agent(self):
        """The agent's socket, as libvirt has to know it."""
        return self.libvirt.inside_path(self.folder.name) / "agent"

    def boot(self):
        machine = guests.MACHINES["x86_64"]
        return {"kernel": self.libvirt.image / "vmlinuz", "initrd": self.libvirt.image / "initrd.img",
                "cmdline": f"console={machine['console']} root=/dev/vda rw init=/sbin/venus-init quiet "
                           f"vt.global_cursor_default=0 {machine['boot']}"}

    def virt_install_words(self):
        """The same, for virt-install: what it has to be told besides."""
        words = ["--virt-type", self.xml.get("type"), "--disk", f"{self.libvirt.tools},readonly=on",
                 "--channel", f"unix,source.mode=bind,source.path={self.agent()},"
                              "target.type=virtio,target.name=venus.agent"]
        for name, text in self.boot().items():
            words += ["--xml", f"xpath.set=./os/{name},xpath.value={text}"]
        return shlex.join(str(word) for word in words)

    # --- life

    def write(self, file):
        """Writes the XML to a file that a command may name."""
        ET.register_namespace("qemu", QEMU_NAMESPACE)
        file.parent.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(self.xml).write(file)

    def start(self):
        file = Path(self.folder.name, "domain.xml")
        self.write(file)
        self.libvirt.virsh("define", "--validate", self.libvirt.inside_path(file))
        self.libvirt.virsh("start", self.name)
        return self.started()

    def started(self):
        """Somebody else has started it: from here on it is ours."""
        self.pid = self.find_process()
        return self

    def find_process(self):
        """QEMU's process on this machine, where it has another number than libvirt has for it."""
        wanted = f"guest={self.name},".encode()
        for pid in self.libvirt.processes():
            with contextlib.suppress(OSError):
                if any(word.startswith(wanted) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")):
                    return pid
        raise GuestError(f"there is no QEMU of the domain {self.name}\n{self.last_words()}")

    def check_alive(self):
        if not Path(f"/proc/{self.pid}/fd").exists():
            raise GuestError(f"QEMU of the domain {self.name} has ended\n{self.last_words()}")

    def qemu_log(self):
        path = self.libvirt.place(f"log/libvirt/qemu/{self.name}.log")
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def last_words(self, lines=8):
        serial = self.serial().read_text(encoding="utf-8", errors="replace") if self.serial().exists() else ""
        state = self.libvirt.virsh("domstate", "--reason", self.name, check=False).stdout.strip()
        return "\n".join([f"  the domain {self.name}: {state}",
                          *(f"  {self.name}.log: {line}" for line in self.qemu_log().splitlines()[-lines:]),
                          *(f"  serial.log: {line}" for line in serial.splitlines()[-lines:])])

    def hang_up(self):
        """Forgets the agent, so that the next one is waited for."""
        self.hello.clear()
        if self.port:
            self.port.shutdown(socket.SHUT_RDWR)
            self.port.close()
            self.port = None

    def press_reset(self):
        self.hang_up()
        self.libvirt.virsh("reset", self.name)

    def close(self):
        self.hang_up()
        self.libvirt.virsh("destroy", self.name, check=False)
        self.libvirt.virsh("undefine", self.name, check=False)
        self.folder.cleanup()

    # --- the machine

    def screenshot(self):
        """What virsh screenshot saves."""
        file = Path(self.folder.name, "screen.png")
        self.libvirt.virsh("screenshot", self.name, self.libvirt.inside_path(file))
        return read_png(file)

    def screendump(self, path, form="png", output=0):
        shown = self.screenshot()
        if form == "png":
            shown.write_png(path)
        else:
            path.write_bytes(b"P6\n%d %d\n255\n" % (shown.width, shown.height) + shown.rgb)
        return path

    def device_path(self):
        named = self.xml.find(f"{{{QEMU_NAMESPACE}}}commandline") is not None
        return f"/machine/peripheral/{'venus' if named else 'video0'}/virtio-backend"


class DomainMonitor:
    """QEMU's monitor, by way of libvirt."""

    def __init__(self, domain):
        self.domain = domain

    def ask(self, command, **arguments):
        question = json.dumps({"execute": command, "arguments": arguments})
        answer = json.loads(self.domain.libvirt.virsh("qemu-monitor-command", self.domain.name, question))
        if "error" in answer:
            raise GuestError(f"QEMU's {command}: {answer['error']['desc']}")
        return answer["return"]

    def close(self):
        pass


class SharedLibvirt:
    """A daemon that several tests share, one after the other, and its domains, which run until one is asked to end."""

    def __init__(self):
        self.options, self.prefix, self.libvirt, self.domains = {}, "", None, {}

    def get(self):
        if not self.libvirt:
            libvirt = Libvirt()
            try:
                self.libvirt = libvirt.start()
            except BaseException:
                libvirt.close()
                raise
            print(f"# {libvirt.accel_why}", flush=True)
        return self.libvirt

    def tidy(self, _failed=False):
        """Ends the programs that somebody left running; says which domain has ended by itself."""
        gone = []
        for door, domain in list(self.domains.items()):
            try:
                domain.check_alive()
                if not domain.port:
                    raise GuestError(f"nobody talks with the domain {door} any more")
                running = [job for job in domain.jobs.values() if job.status is None]
                for job in running:
                    job.signal(9)
                for job in running:
                    job.wait(20)
            except GuestError as failure:
                gone.append(str(failure))
                domain.close()
                del self.domains[door]
        return "\n".join(gone) or None

    def close(self):
        for domain in self.domains.values():
            domain.close()
        self.domains = {}
        if self.libvirt:
            self.libvirt.close()
            self.libvirt = None
