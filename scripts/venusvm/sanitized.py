# SPDX-License-Identifier: MIT
"""A QEMU whose device AddressSanitizer and UndefinedBehaviorSanitizer watch: how they are set, and what they say.

The device's modules and the library are compiled with them (scripts/build-module.sh --sanitize), QEMU and drivers are
not: of those they see what goes through malloc(), memcpy() and their like. They write into files, one for each process,
and end it at once. A process may end with nobody looking, or by somebody's wish, so the files are what counts.
"""

import re
from pathlib import Path

LIST = "address,undefined"
# What begins a report. QEMU's coroutines change stacks, of which the sanitizer warns in the same files.
BEGINS = re.compile(r"^==\d+==ERROR: ")
MOST = 40  # lines of a report; the file has all of them
# What glib allocates is QEMU's, and of those who ask glib nothing is known, since it keeps no frame pointers.
SUPPRESSED = "leak:libglib-2.0.so\n"


class Reports:
    """What sanitizers report in a folder, which is emptied."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob("report.*"):
            old.unlink()
        (self.folder / "leaks").write_text(SUPPRESSED, encoding="utf-8")
        self.told = set()

    def environment(self):
        """What the sanitizers are to be told. QEMU has stacks of its own for signals and for coroutines; and a driver that is
        loaded stays so, for what it keeps in its variables is a leak once it is unloaded."""
        file = f"log_path={self.folder}/report"
        return {"ASAN_OPTIONS": f"{file}:exitcode=99:handle_abort=1:detect_leaks=1:use_sigaltstack=0:"
                                "detect_stack_use_after_return=0",
                # Of the two libraries in one process this one sets the file of the other, and writes to stderr itself. So
                # it aborts, which the other one reports.
                "UBSAN_OPTIONS": f"{file}:halt_on_error=1:abort_on_error=1",
                "LSAN_OPTIONS": f"suppressions={self.folder}/leaks:print_suppressions=0",
                "VK_LOADER_DISABLE_DYNAMIC_LIBRARY_UNLOADING": "1"}

    def new(self):
        """What was reported since this was asked last, as lines of text; None: nothing."""
        lines = []
        for report in sorted(self.folder.glob("report.*")):
            text = report.read_text(encoding="utf-8", errors="replace").splitlines()
            begin = next((number for number, line in enumerate(text) if BEGINS.search(line)), None)
            if begin is not None and report not in self.told:
                self.told.add(report)
                lines += [f"sanitizers: {report}", *text[begin:begin + MOST]]
        return "\n".join(lines) or None
