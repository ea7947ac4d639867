# SPDX-License-Identifier: MIT
"""Where the payload is, and how its programs run on a machine that is not ours.

The host's Vulkan driver is loaded into our programs, so whatever both may need (C++, X11, DRM) is the host's where
the host has it, and ours only where it has not. What only our programs need is always ours. The C library is the
host's, unless it is too old: then it is ours, with our dynamic linker in front of every program.
"""

import ctypes.util
import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

GLIBC_LEAST = (2, 38)
# Where drivers are that the loader does not look for.
MORE_DRIVERS = ("/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json",)


class Missing(Exception):
    """Something that this machine lacks; says what, in one line."""


def version(text):
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])


class Place:
    """The payload's folder, and a temporary one for all that is written while it runs."""

    def __init__(self, top, driver=None, own_c=False):
        self.top = Path(top)
        self.folder = tempfile.TemporaryDirectory(prefix="venus-gpu-")
        self.tmp = Path(self.folder.name)
        name, found = platform.libc_ver()
        if name != "glibc":
            raise Missing(f"the programs here are for glibc, and this machine's C library is {name or 'another one'}")
        self.glibc, self.own_c = found, own_c or version(found) < GLIBC_LEAST
        system = self.tmp / "lib"
        system.mkdir()
        known = self.known_to_linker()
        for path in sorted((self.top / "lib-system").iterdir()):
            # With our C library comes our C++ library: drivers ask for older versions of it, ours may not.
            if path.name not in known or (self.own_c and path.name.startswith(("libstdc++", "libgcc_s"))):
                (system / path.name).symlink_to(path)
        self.lent = sorted(path.name for path in system.iterdir())
        of_c = [self.top / "lib-c"] if self.own_c else []
        self.for_host = [system, *of_c]
        self.for_ours = [self.top / "modules", self.top / "lib", system, *of_c]
        self.environment = self.clean_environment(driver)
        self.server = self.tmp / "virgl_render_server"
        self.server.write_text("#!/bin/sh\n" + self.shell(self.command(self.top / "bin" / "virgl_render_server")) +
                               ' "$@"\n', encoding="utf-8")
        self.server.chmod(0o755)

    def close(self):
        self.folder.cleanup()

    @staticmethod
    def known_to_linker():
        """The names of the libraries that the host has."""
        for program in ("/sbin/ldconfig", "/usr/sbin/ldconfig", "ldconfig"):
            try:
                listed = subprocess.run([program, "-p"], capture_output=True, text=True, check=True).stdout
            except (OSError, subprocess.CalledProcessError):
                continue
            return set(re.findall(r"^\s+(\S+) \(libc6,x86-64", listed, re.M))
        return {name for name in ("libstdc++.so.6",) if ctypes.util.find_library(name[3:-5])}

    def clean_environment(self, driver):
        """This one, with caches where they are removed, and the driver that was asked for."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("LD_")}
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "__GL_SHADER_DISK_CACHE_PATH", "MESA_SHADER_CACHE_DIR", "TMPDIR"):
            path = self.tmp / name.strip("_").lower()
            path.mkdir()
            env[name] = str(path)
        old = os.environ.get("LD_LIBRARY_PATH")  # where the host's driver may be
        self.before = [Path(path) for path in old.split(":") if path] if old else []
        if driver:
            if not Path(driver).is_file():
                raise Missing(f"there is no file {driver}, which --driver names")
            env["VK_DRIVER_FILES"] = env["VK_ICD_FILENAMES"] = driver
        elif not self.has_driver(env):
            found = [path for path in MORE_DRIVERS if Path(path).exists()]
            if not found:
                raise Missing("there is no Vulkan driver here: no file in /usr/share/vulkan/icd.d, /etc/vulkan/icd.d or VK_DRIVER_FILES")
            env["VK_DRIVER_FILES"] = env["VK_ICD_FILENAMES"] = ":".join(found)
        return env

    @staticmethod
    def has_driver(env):
        if env.get("VK_DRIVER_FILES") or env.get("VK_ICD_FILENAMES"):
            return True
        homes = [os.environ.get("XDG_DATA_HOME", os.path.expanduser("~/.local/share"))]
        places = ["/etc", "/usr/local/etc", "/usr/local/share", "/usr/share", *homes,
                  *os.environ.get("XDG_DATA_DIRS", "").split(":")]
        return any(list(Path(place, "vulkan", "icd.d").glob("*.json")) for place in places if place)

    def command(self, program, ours=True, preload=()):
        """The words that run a program: one of ours, or one whose libraries are the host's but for what it lacks."""
        folders = self.for_ours if ours else [program.parent, *self.for_host]
        folders = ":".join(map(str, [*folders, *self.before]))
        loaded = ":".join(map(str, preload))
        if self.own_c:
            return [str(self.top / "lib-c" / "ld-linux-x86-64.so.2"), "--library-path", folders,
                    *(["--preload", loaded] if loaded else []), str(program)]
        return ["env", f"LD_LIBRARY_PATH={folders}", *([f"LD_PRELOAD={loaded}"] if loaded else []), str(program)]

    @staticmethod
    def shell(words):
        return "exec " + " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)

    def run(self, words, timeout, env=None, cwd=None):
        """Runs a command to its end in a session of its own; returns (status, stdout, stderr), status None if it is late."""
        words = [*(["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []), *map(str, words)]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", env={**self.environment, **(env or {})}, cwd=cwd) as child:
            try:
                out, err = child.communicate(timeout=timeout)
                return child.returncode, out, err
            except subprocess.TimeoutExpired:
                child.kill()
                out, err = child.communicate()
                return None, out, err
            except BaseException:
                child.kill()
                raise
