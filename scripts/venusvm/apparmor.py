# SPDX-License-Identifier: MIT
"""Which files a program may open by the text of an AppArmor profile, on a machine whose kernel has no AppArmor.

This is not what the kernel does, but what a profile says of files: paths with their permissions. Rules that deny are
left out, and so is who owns a file.
"""

import re

# What the profile's variables stand for on this machine; apparmor_parser leaves them as they are in what it prints.
VARIABLES = {"@{multiarch}": "*-linux-gnu*", "@{HOME}": "/root", "@{etc_ro}": "/etc", "@{PROC}": "/proc",
             "@{sys}": "/sys", "@{run}": "/run", "@{pid}": "*", "@{tid}": "*", "@{pids}": "*"}
RULE = re.compile(r'(?P<owner>owner\s+)?(?P<path>"?[/@]\S*)\s+(?P<permissions>[rwmixkaPUuCcpl]+)\s*,')
WRITES = re.compile("O_WRONLY|O_RDWR|O_CREAT")


def alternatives(path):
    """A path without braces for each choice that those leave: /{usr/,}bin is two."""
    braces = re.search(r"\{([^{}]*)\}", path)
    if not braces:
        return [path]
    return [other for word in braces[1].split(",")
            for other in alternatives(path[:braces.start()] + word + path[braces.end():])]


def pattern(path):
    """A regular expression of a path with *, **, ? and [...]."""
    forms = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(forms.get(part) or (part if part.startswith("[") else re.escape(part))
                              for part in re.findall(r"\*\*|\*|\?|\[[^]]*\]|[^*?[]+", path)))


def rules(text):
    """(pattern, permissions) of each rule about files in a profile without includes."""
    found = []
    for line in text.splitlines():
        rule = RULE.match(line.strip())
        if rule:
            path = rule["path"].strip('"')
            for name, value in VARIABLES.items():
                path = path.replace(name, value)
            found += [(pattern(one.replace("//", "/")), rule["permissions"]) for one in alternatives(path)]
    return found


def is_allowed(found, path, wanted):
    """wanted: r, w or x."""
    return any(one.fullmatch(path) and wanted in permissions for one, permissions in found)


def opened(trace):
    """(path, r, w or x) of each file that programs opened, ran, made or connected to: what strace -y has printed."""
    files = set()
    for call, arguments, result in re.findall(r"^\d+ +(\w+)\((.*)\) += (\S+)", trace, re.MULTILINE):
        named = re.search(r'"(/[^"]*)"', arguments)
        if not named or result.startswith("-1"):
            continue
        path = named[1]
        kind = {"execve": "x", "openat": "w" if WRITES.search(arguments) else "r"}.get(call, "w")
        if call == "mkdir" or "O_DIRECTORY" in arguments:
            path = path.rstrip("/") + "/"  # as rules have it
        files.add((path, kind))
    return files
