# SPDX-License-Identifier: MIT
"""The sanitizers of a QEMU whose device they watch: that they do, and that what they say is heard."""

import os
import subprocess
import tempfile
from pathlib import Path

from venusvm.harness import expect, in_root, on_host, qemu_of, root_of
from venusvm.sanitized import Reports

# Loaded into QEMU, it copies SIZE bytes into 8, and shifts an int by SHIFT. The shell that starts QEMU is none.
FAULT = r"""
#include <stdlib.h>
#include <string.h>
void register_module_init(void) __attribute__((weak));
static char from[9];
static void __attribute__((constructor)) fault(void)
{
    char *volatile to = malloc(8);
    size_t volatile size = SIZE;
    int volatile shift = SHIFT;

    if (register_module_init) {
        memcpy(to, from, size);
        shift = 1 << shift;
    }
    free(to);
}
"""


def test_compiled(case):
    """the device's modules and the library are compiled with both sanitizers"""
    modules = Path(qemu_of(case)).parents[1] / "lib" / "qemu-venus"
    device = modules / "hw-display-virtio-gpu-venus.so"
    loaded = on_host(["ldd", device], root=root_of(case))
    library = next(line.split()[2] for line in loaded.splitlines() if "libvenusgpu" in line)
    for file in (device, modules / "hw-display-virtio-gpu-venus-pci.so", library):
        symbols = on_host(["nm", "-D", file], root=root_of(case))
        for name in ("__asan_report_load", "__ubsan_handle_"):
            expect(name in symbols, f"{name}... in {file}", f"{len(symbols.splitlines())} other symbols")


def test_heard(case):
    """a fault in QEMU ends it, and is reported where the tests look; without one there is no report"""
    with tempfile.TemporaryDirectory(prefix="venus-sanitized-") as folder:
        source, fault = Path(folder, "fault.c"), Path(folder, "fault.so")
        source.write_text(FAULT, encoding="utf-8")
        for size, shift, ends, words in ((8, 4, 0, ()), (9, 4, 99, ("heap-buffer-overflow", "fault.so")),
                                         (8, 40, 99, ("__ubsan_handle_shift_out_of_bounds", "fault.so"))):
            on_host(["gcc", f"-DSIZE={size}", f"-DSHIFT={shift}", "-fsanitize=undefined", "-shared", "-fPIC", "-o", fault, source],
                    root=root_of(case))
            reports = Reports(folder)
            done = subprocess.run([str(word) for word in (*in_root(*root_of(case)), "env", f"LD_PRELOAD={fault}",
                                                          qemu_of(case), "--version")],
                                  env={**os.environ, **reports.environment()}, capture_output=True, text=True, timeout=120,
                                  check=False)
            found = reports.new()
            expect(done.returncode == ends and bool(found) == bool(words) and all(word in found for word in words),
                   f"status {ends} and a report with {words or 'nothing'}",
                   f"{done.returncode}: {found}\n{done.stdout}{done.stderr}")
