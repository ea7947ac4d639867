# SPDX-License-Identifier: MIT
"""A guest, driven from the host: boots it, runs commands in it, looks at its screen, resets it.

    with Guest() as guest:
        print(guest.run("uname -r").output)
        guest.screendump("screen.png")

Commands go to the agent in the guest (guest/agent.c says how) over a virtio-serial port; everything else
is QEMU's monitor protocol. QEMU and whatever it started end with the guest, also when this program is
interrupted, and nothing is left behind but what the caller asked for.
"""

import atexit
import contextlib
import hashlib
import json
import os
import platform
import re
import shlex
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from venusvm import processes

TOP = Path(__file__).resolve().parents[2]
SCRIPTS = TOP / "scripts"
LIBM = "libm.so.6"

# What differs between guests for different processors. Emulated pointer authentication by QEMU's own hash:
# the one that Arm specifies takes long, and protects nobody from the machine that emulates it.
MACHINES = {"x86_64": {"machine": "q35", "console": "ttyS0", "emulated": "max",
                       # On a busy host an emulated timer may seem to stand still, at which Linux panics as it boots.
                       "boot": "no_timer_check"},
            "aarch64": {"machine": "virt,gic-version=3", "console": "ttyAMA0",
                        "emulated": "max,pauth-impdef=on", "boot": ""}}
OURS = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())

SECONDS_TO_END = 10  # that QEMU is given before it is killed

RUN, SIGNAL, PING, HELLO, OUTPUT, ERRORS, EXIT = 1, 2, 3, 16, 17, 18, 19
HEADER = struct.Struct("<III")  # payload length, job, kind


class GuestError(Exception):
    """Something about the guest did not work; says what, for a person."""


def made_by(script, *options):
    """What a set-up script made: the path that it prints. Its progress goes to our stderr.

    The script and those that it calls are a process group, which is told to end if we are: a shell that
    waits for another script hears of a signal only when that one has ended.
    """
    child = subprocess.Popen([SCRIPTS / script, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             text=True, start_new_session=True)
    try:
        printed = child.communicate()[0]
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        child.wait()  # until it has tidied up
        raise
    if child.returncode:
        raise GuestError(f"{script} failed")
    return Path(printed.strip())


class Job:
    """A command that runs, or ran, in the guest."""

    def __init__(self, guest, number, command):
        self.guest, self.number, self.command = guest, number, command
        self.stdout, self.stderr, self.wait_status = b"", b"", None
        self.ended = threading.Event()

    @property
    def status(self):
        """The exit status as a shell gives it, or None while the command runs."""
        if self.wait_status is None:
            return None
        return os.waitstatus_to_exitcode(self.wait_status)

    @property
    def output(self):
        return self.stdout.decode(errors="replace")

    @property
    def errors(self):
        return self.stderr.decode(errors="replace")

    def wait(self, timeout):
        """Waits for the command's end; raises GuestError if that takes too long or QEMU ends."""
        deadline = time.monotonic() + timeout
        while not self.ended.wait(0.2):
            self.guest.check_alive()
            if time.monotonic() > deadline:
                raise GuestError(f"'{self.command}' ran for more than {timeout} s in the guest;\n"
                                 f"{(self.output + self.errors)[-2000:]}\n{self.guest.scene()}")
        return self

    def signal(self, number):
        """Sends a signal to all processes of the command."""
        self.guest.send(self.number, SIGNAL, struct.pack("<I", number))


class Guest:
    """One virtual machine. See __init__ for what can be chosen."""

    def __init__(self, *, device="virtio-gpu-venus-pci", properties=None, memory="2G", hostmem="1G",
                 resolution=(1280, 800), outputs=1, accel=None, smp=2, display="none", image=None,
                 disk=None, shell=False, qemu=None, qemu_args=(), env=None, in_root=(),
                 memory_share="on", preload=None, arch="x86_64", devices_before=()):
        of_arch = ["--arch", arch] if arch != "x86_64" else []
        self.qemu = Path(qemu) if qemu else made_by("build-qemu.sh", *of_arch)
        self.image = Path(image) if image else made_by("guest-image.sh", *of_arch)
        # The micro guest (scripts/micro-guest.sh) has no disk: all of it, our programs too, is in its initrd.
        self.micro = not (self.image / "disk.img").exists()
        self.tools = None if self.micro else made_by("tools-disk.sh", *of_arch)
        self.arch = arch
        self.properties = {"hostmem": hostmem, "xres": resolution[0], "yres": resolution[1],
                           "max_outputs": outputs, **(properties or {})}
        self.device, self.memory, self.smp, self.display = device, memory, smp, display
        self.disk, self.shell, self.qemu_args = disk, shell, list(qemu_args)
        self.memory_share = memory_share
        self.devices_before = devices_before  # what the device is plugged into has to be there before it
        # What QEMU, and the render server that it starts, load before all others. Our library's server has libm
        # by itself, which lavapipe's shaders call; one that virglrenderer starts has not (docs/limitations.md).
        libm = None if "venus" in device else LIBM
        preloaded = ":".join(filter(None, (preload and str(preload), libm)))
        self.preload = ["env", f"LD_PRELOAD={preloaded}"] if preloaded else []
        self.env, self.in_root = dict(os.environ, **(env or {})), list(in_root)
        if preload:  # that is to give the host dma-bufs, so it is no Mac, whatever way all tests run in
            self.env.pop("VENUS_GPU_SHM_ONLY", None)
        self.accel, self.accel_why = (accel, f"{accel}: as asked for") if accel else \
            pick_accel(self.qemu, self.image, arch, self.in_root)
        self.process = self.monitor = self.port = None
        self.folder = None
        self.init_conversation()

    def init_conversation(self):
        """What talking with the agent needs, before there is one."""
        self.lock = threading.Lock()
        self.jobs, self.next_job, self.boot_id = {}, 1, None
        self.hello = threading.Event()

    # --- life

    def command_line(self):
        options = ",".join(f"{name}={value}" for name, value in self.properties.items())
        accel = "tcg,thread=multi" if self.accel == "tcg" else self.accel
        # A blinking cursor would have the display redrawn five times a second.
        machine = MACHINES[self.arch]
        root = "" if self.micro else "root=/dev/vda rw init=/sbin/venus-init "
        cmdline = (f"console={machine['console']} {root}quiet "
                   f"vt.global_cursor_default=0 {machine['boot']}").rstrip()
        if self.shell:
            cmdline += " venus.shell"
        boot = ["-kernel", self.image / "vmlinuz", "-initrd", self.image / "initrd.img",
                "-append", cmdline]
        if not self.micro:
            boot += ["-drive", f"file={self.image / 'disk.img'},if=virtio,format=raw,snapshot=on",
                     "-drive", f"file={self.tools},if=virtio,format=raw,readonly=on"]
        if self.disk:
            boot = ["-drive", f"file={self.disk},if=virtio,snapshot=on"]
        # signal=off: Ctrl-C in the guest's shell is for the guest.
        serial = ("stdio,signal=off" if self.shell else f"file,path={self.folder.name}/serial.log")
        return [*self.prefix(), *self.preload, self.qemu,
                "-nodefaults", "-no-user-config", "-M", f"{machine['machine']},memory-backend=mem",
                "-accel", accel, "-cpu", machine["emulated"] if self.accel.startswith("tcg") else "host",
                "-smp", self.smp, "-m", self.memory,
                "-object", f"memory-backend-memfd,id=mem,size={self.memory},share={self.memory_share}",
                "-display", self.display,
                *(word for device in self.devices_before for word in ("-device", device)),
                "-device", f"{self.device},id=gpu,{options}",
                "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=agent,path={self.folder.name}/agent,server=on,wait=off",
                "-device", "virtserialport,chardev=agent,name=venus.agent",
                "-qmp", f"unix:{self.folder.name}/qmp,server=on,wait=off",
                "-chardev", f"{serial},id=console", "-serial", "chardev:console",
                "-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci",
                *boot, *self.qemu_args]

    def prefix(self):
        """What runs QEMU, in front of its path."""
        return [SCRIPTS / "in-root.sh", "--die-with-parent", *self.in_root, "--"]

    def shell_words(self):
        """QEMU's command line, to be read or pasted."""
        self.folder = tempfile.TemporaryDirectory(prefix="venus-guest-")
        try:
            return shlex.join(str(word) for word in self.command_line())
        finally:
            self.folder.cleanup()

    def start(self):
        """Starts QEMU and connects to its monitor; the guest boots meanwhile."""
        self.folder = tempfile.TemporaryDirectory(prefix="venus-guest-")
        atexit.register(self.close)
        log = open(f"{self.folder.name}/qemu.log", "wb")
        self.process = subprocess.Popen(
            [str(word) for word in self.command_line()], env=self.env,
            stdin=None if self.shell else subprocess.DEVNULL,
            stdout=None if self.shell else log, stderr=None if self.shell else log,
            preexec_fn=None if self.shell else os.setpgrp)
        log.close()
        self.monitor = Monitor(self.connect("qmp"))
        return self

    def connect(self, name, timeout=120):
        """Connects to one of QEMU's sockets, as soon as it is there."""
        deadline = time.monotonic() + timeout
        while True:
            self.check_alive()
            try:
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(f"{self.folder.name}/{name}")
                return sock
            except OSError:
                sock.close()
                if time.monotonic() > deadline:
                    raise GuestError(f"QEMU did not open its {name} socket\n{self.last_words()}") from None
                time.sleep(0.02)

    def wait_for_agent(self, timeout=180, booted=False):
        """Waits until the guest has booted. booted: it has already, in another QEMU, and is asked."""
        if not self.port:
            self.port = self.connect("agent")
            threading.Thread(target=self.receive, args=(self.port,), daemon=True).start()
        if booted:
            self.send(0, PING)
        deadline = time.monotonic() + timeout
        while not self.hello.wait(0.2):
            self.check_alive()
            if time.monotonic() > deadline:
                raise GuestError(f"the guest did not boot in {timeout} s\n{self.last_words()}")
        return self

    def check_alive(self):
        if self.process.poll() is not None:
            raise GuestError(f"QEMU ended with status {self.process.returncode}\n{self.last_words()}")

    def last_words(self, lines=15):
        """The end of QEMU's and the guest's own logs."""
        text = []
        for name in ("qemu.log", "serial.log"):
            try:
                log = Path(self.folder.name, name).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            text += [f"  {name}: {line}" for line in log.splitlines()[-lines:]]
        return "\n".join(text)

    def qemu_log(self):
        return Path(self.folder.name, "qemu.log").read_text(encoding="utf-8", errors="replace")

    def close(self):
        """Ends QEMU, at once: nothing of the guest is worth keeping."""
        atexit.unregister(self.close)
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for sock in (self.port, self.monitor):
            if sock:
                sock.close()
        if self.folder:
            self.folder.cleanup()

    def __enter__(self):
        try:
            return self.start().wait_for_agent()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    # --- commands in the guest

    def send(self, job, kind, payload=b""):
        with self.lock:
            self.port.sendall(HEADER.pack(len(payload), job, kind) + payload)

    @staticmethod
    def read_exactly(port, size):
        data = bytearray()
        while len(data) < size:
            piece = port.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def receive(self, port):
        """What the agent says, on a thread of its own."""
        try:
            while True:
                length, number, kind = HEADER.unpack(self.read_exactly(port, HEADER.size))
                payload = self.read_exactly(port, length)
                job = self.jobs.get(number)
                if kind == HELLO:
                    if payload != self.boot_id:
                        self.boot_id = payload
                        self.end_jobs_of_old_boot()
                        self.hello.set()
                elif job and kind == OUTPUT:
                    job.stdout += payload
                elif job and kind == ERRORS:
                    job.stderr += payload
                elif job and kind == EXIT:
                    job.wait_status, = struct.unpack("<I", payload)
                    job.ended.set()
        except (EOFError, OSError):
            pass  # check_alive() will say more

    def end_jobs_of_old_boot(self):
        """What ran when the guest was reset has ended, and its agent cannot say so any more."""
        for job in self.jobs.values():
            if job.wait_status is None:
                job.wait_status = signal.SIGKILL
                job.ended.set()

    def spawn(self, command, stdin=b""):
        """Starts a shell command in the guest and returns its Job."""
        job = Job(self, self.next_job, command)
        self.next_job += 1
        self.jobs[job.number] = job
        text = ("export PATH=/opt/venus:$PATH; " + command).encode()
        self.send(job.number, RUN, struct.pack("<I", len(text)) + text + stdin)
        return job

    def run(self, command, timeout=120, check=True, stdin=b""):
        """Runs a shell command to its end. check: raise GuestError unless it succeeds."""
        job = self.spawn(command, stdin).wait(timeout)
        if check and job.status != 0:
            raise GuestError(f"'{command}' ended with status {job.status} in the guest:\n"
                             f"{(job.output + job.errors)[-3000:]}")
        return job

    def run_json(self, command, timeout=300):
        """What a program of guest/ prints: one JSON object on its last line."""
        return json.loads(self.run(command, timeout).output.strip().splitlines()[-1])

    def scene(self):
        """Where everybody stands, to find out why nothing goes on: the threads of the guest's programs, of QEMU and of
        its render server, whether the guest's processors have timer interrupts, whether who sleeps there wakes now and
        then to look for something, whether commands lie in the control queue that nobody has told the device of, what it
        holds, the ends of the logs, and whether a command of another program sets anybody free."""
        running = [job for job in self.jobs.values() if job.status is None]
        job = self.spawn("for task in /proc/[0-9]*/task/*; do test -e ${task%/task/*}/exe && "
                         "echo \"$(cat $task/comm): $(cut -d')' -f2 $task/stat | cut -c2) $(cat $task/wchan)\"; done | "
                         "sort | uniq -c")
        ticks = self.spawn("for i in 1 2; do grep LOC: /proc/interrupts; for task in /proc/[0-9]*/task/*; do "
                           "grep -qs nanosleep $task/wchan && echo \"$(cat $task/comm): $(grep ^vol $task/status)\"; done; "
                           "sleep 2; done")
        job.ended.wait(20)
        ticks.ended.wait(20)
        offered, seen = self.control_queue()
        held = {name: value for name, value in self.stats().items() if value and not name.startswith("present-us-")}
        words = self.last_words()
        other = self.spawn("fence_ring --rounds 1")
        other.ended.wait(20)
        time.sleep(2)
        still = sum(job.status is None for job in running)
        return "\n".join(["in the guest:", job.output.rstrip() if job.status is not None else "  nothing answers",
                          f"timer interrupts and who sleeps, and two seconds later:\n{ticks.output.rstrip()}",
                          "on the host:", *(f"  {line}" for line in processes.waits(self.process.pid)),
                          f"control queue: the guest has offered up to {offered}, the device has seen up to {seen}",
                          f"device: {held}", words,
                          f"{len(running)} programs of the tests ran; after a command of another one {still} still do"])

    def control_queue(self):
        """Up to which number the guest has offered commands in the control queue, and up to which the device took them.
        The first is read in the guest's memory: x-query-virtio-queue-element has QEMU look at a command that is not there
        yet, and give the device up if there is no sense in what it finds."""
        status = self.monitor.ask("x-query-virtio-queue-status", path=self.device_path(), queue=0)
        words = self.monitor.ask("human-monitor-command", **{"command-line": f"xp /1hx {status['vring-avail'] + 2:#x}"})
        return int(words.split()[-1], 16), status["last-avail-idx"]

    def standstill(self):
        """What has stopped until the guest is reset, or None: a device whose queue made no sense to QEMU, which takes
        nothing from it any more, or a control queue with commands in it that the device is told nothing of."""
        for device in self.monitor.ask("x-query-virtio"):
            if self.monitor.ask("x-query-virtio-status", path=device["path"])["broken"]:
                return f"QEMU has given up {device['name']}: it found no sense in one of its queues"
        offered, seen = self.control_queue()
        if offered == seen:
            return None
        time.sleep(2)
        if seen != self.control_queue()[1]:
            return None
        return f"the control queue stands still: the guest has offered up to {offered}, the device has seen up to {seen}"

    # --- the machine

    def screendump(self, path, form="png", output=0):
        """Saves what an output shows."""
        path = Path(path).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="venus-screen-") as folder:
            target = Path(folder, "screen")
            self.monitor.ask("screendump", filename=str(target), format=form, device="gpu", head=output)
            path.write_bytes(target.read_bytes())
        return path

    def press_reset(self):
        """Presses the reset button; wait_for_agent() then waits for the new boot."""
        self.hello.clear()
        self.monitor.ask("system_reset")
        # The old agent may have been stopped within a frame: the new one gets a new connection.
        if self.port:
            self.port.shutdown(socket.SHUT_RDWR)
            self.port.close()
            self.port = None

    def reset(self, timeout=180):
        """Presses the reset button and waits until the guest has booted again."""
        self.press_reset()
        return self.wait_for_agent(timeout)

    def device_path(self):
        """The QOM path of the virtio device behind its PCI or VGA wrapper."""
        return "/machine/peripheral/gpu/virtio-backend"

    def set_output(self, index, size):
        """Plugs a monitor of that size, (width, height), into an output; None: pulls it out."""
        self.monitor.ask("qom-set", path=self.device_path(), property=f"output{index}",
                         value=f"{size[0]}x{size[1]}" if size else "off")

    def output_property(self, index):
        """What the guest was told last of an output: its size, such as "1024x768", or "off"."""
        return self.monitor.ask("qom-get", path=self.device_path(), property=f"output{index}")

    def stat(self, name):
        """One of the device's counters, such as "contexts"."""
        return self.monitor.ask("qom-get", path=self.device_path(), property=f"stat-{name}")

    def stats(self):
        """All of the device's counters by name."""
        names = [item["name"] for item in self.monitor.ask("qom-list", path=self.device_path())]
        return {name[5:]: self.stat(name[5:]) for name in names if name.startswith("stat-")}

    def renderer(self):
        return self.monitor.ask("qom-get", path=self.device_path(), property="renderer")

    def qemu_version(self):
        found = self.monitor.greeting["QMP"]["version"]["qemu"]
        return f"{found['major']}.{found['minor']}.{found['micro']}"


class Monitor:
    """QEMU's monitor, as far as it is needed here."""

    def __init__(self, sock):
        self.sock, self.file = sock, sock.makefile("rw", encoding="utf-8")
        self.lock = threading.Lock()
        self.greeting = json.loads(self.file.readline())
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        """Asks QEMU to do something and returns its answer; events in between are dropped."""
        with self.lock:
            self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self.file.flush()
            for line in self.file:
                answer = json.loads(line)
                if "error" in answer:
                    raise GuestError(f"QEMU's {command}: {answer['error']['desc']}")
                if "return" in answer:
                    return answer["return"]
        raise GuestError("QEMU closed its monitor")

    def close(self):
        try:
            self.file.close()
            self.sock.close()
        except OSError:
            pass


# --- how fast frames are shown ---------------------------------------------------------------------

def latency_percentile(before, after, share):
    """How many microseconds passed from a frame's flush until it was shown, for that share of frames.

    Of the frames that were presented between two readings of stats(); 0.5 is the median, 0.99 what all
    but one in a hundred keep to. The counters are classes, so this is exact to a class, within which
    frames are taken to be spread evenly; of what is longer than the last class, its beginning. None: no
    frame was shown.
    """
    limits = sorted(int(name[11:]) for name in after if re.fullmatch(r"present-us-\d+", name))
    counts = [after[name] - before.get(name, 0)
              for name in (*(f"present-us-{limit}" for limit in limits), "present-us-more") if name in after]
    wanted = share * sum(counts)
    if not sum(counts):
        return None
    low = 0
    for high, count in zip(limits, counts):
        if count and wanted <= count:
            return low + (high - low) * wanted / count
        wanted -= count
        low = high
    return float(low)


# --- which accelerator ----------------------------------------------------------------------------

def pick_accel(qemu, image, arch="x86_64", in_root=()):
    """The accelerator to use and why: ("kvm" | "hvf" | "tcg", one line).

    That /dev/kvm opens says little: some machines have one that cannot run an ordinary kernel. So let it
    run the guest's kernel for a moment. What came out is kept for as long as this machine runs.
    """
    if arch != OURS:
        return "tcg", f"tcg: {arch} is emulated on {OURS} (slow)"
    wanted = os.environ.get("ACCEL")
    if wanted:
        return wanted, f"{wanted}: ACCEL says so"
    kernel = image / "vmlinuz"
    if os.uname().sysname == "Darwin":
        return "hvf", "hvf: this is a Mac"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg", "tcg: there is no /dev/kvm that we may open (slow)"
    memory = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "virtio-gpu-venus", "accel")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    key = f"{boot} {hashlib.sha256(kernel.read_bytes()).hexdigest()}"  # guests of one kernel are alike
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        if known["key"] == key:
            return known["accel"], known["why"]
    except (OSError, ValueError, KeyError):
        pass
    accel, why = "tcg", "tcg: KVM is there, but cannot run the guest's kernel (slow)"
    in_root = [SCRIPTS / "in-root.sh", "--die-with-parent", *in_root, "--"]
    if kernel_runs([*in_root, qemu], kernel, "kvm", MACHINES[arch]):
        accel, why = "kvm", "kvm: it runs the guest's kernel"
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({"key": key, "accel": accel, "why": why}), encoding="utf-8")
    return accel, why


def kernel_runs(qemu, kernel, accel, machine, timeout=10):
    """Whether a kernel gets as far as looking for its root, which there is none of. qemu: the words that run it."""
    command = [*qemu, "-nodefaults", "-M", machine["machine"], "-accel", accel, "-cpu", "host", "-m", "512M",
               "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", kernel, "-append", f"console={machine['console']} panic=-1"]
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline and child.poll() is None:
                time.sleep(0.1)
                output.seek(0)
                if b"Unable to mount root" in output.read():
                    return True
            output.seek(0)
            return b"Unable to mount root" in output.read()
        finally:
            child.kill()
            child.wait()


def frames_environment(log=None, hold=None):
    """The environment, as shell words, that counts the frames of a Vulkan program in the guest."""
    words = ["VK_LAYER_PATH=/opt/venus", "VK_INSTANCE_LAYERS=VK_LAYER_VENUS_frames"]
    if log:
        words.append(f"VENUS_FRAMES_LOG={shlex.quote(log)}")
    if hold:
        words.append(f"VENUS_FRAMES_HOLD={hold}")
    return "env " + " ".join(words)


def end_on_signals():
    """Makes SIGTERM and SIGHUP end the program as Ctrl-C does, so that guests are closed."""
    def interrupt(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
