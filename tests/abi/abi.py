# SPDX-License-Identifier: MIT
"""What the public header promises, read out of its text, for the tests of it.

usage: abi.py stub HEADER            a library in C that has the header's functions, to link with
       abi.py newer HEADER           the header of a release to come: a member more in each of the caller's structures
       abi.py layout HEADER          a program in C that prints where each member is
       abi.py compare OLD NEW OLD-LAYOUT NEW-LAYOUT
                                     whether programs compiled with the old header can go on (two headers, two
                                     such programs)
       abi.py symbols LIBRARY MAP HEADER VERSION=OLD-HEADER...
                                     whether the library exports what the map and the headers say

The last two print TAP. The header is ours, so this reads just as much of C as that has in it.
"""

import re
import subprocess
import sys
from pathlib import Path

# Those that a front end fills in; the others are the library's.
OF_THE_CALLER = ("config", "ops", "output", "request", "stat", "target")
NOT_THE_SAME = {"VENUS_GPU_MAJOR", "VENUS_GPU_MINOR", "VENUS_GPU_MICRO"}


class Header:
    """What is declared in one."""

    def __init__(self, path):
        self.path = path
        text = Path(path).read_text(encoding="utf-8")
        self.text = text
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.S)
        self.numbers = re.findall(r"^#define (VENUS_GPU_\w+) \d+$", text, re.M)
        text = re.sub(r"^\s*#.*$", "", text, flags=re.M)
        self.structs, self.enumerators = {}, []
        self.exported, self.inline = {}, {}
        for head, body in self.declarations(text):
            self.add(head, body)

    @staticmethod
    def declarations(text):
        """Each one as what is before its braces, and in them: None where it has none."""
        at = 0
        while match := re.compile(r"\s*([^;{}]*)([;{])").match(text, at):
            head, at = " ".join(match[1].split()), match.end()
            if match[2] == ";":
                if head:
                    yield head, None
                continue
            begin, depth = at, 1
            while depth:
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            yield head, text[begin:at - 1]

    def add(self, head, body):
        function = re.fullmatch(r"(static inline )?(.*?)\b(\w+)(\(.*\))", head)
        if function:
            inline, returns, name, arguments = function.groups()
            (self.inline if inline else self.exported)[name] = f"{returns}{name}{arguments}"
        elif head.startswith("struct ") and body is not None:
            self.structs[head.split()[1]] = dict(self.members(body))
        elif head.startswith("enum ") and body is not None:
            self.enumerators += re.findall(r"\b(VENUS_GPU_\w+)", body)

    @staticmethod
    def members(body):
        """Each member's name and how it is declared."""
        for declaration in body.split(";"):
            declaration = " ".join(declaration.split())
            callback = re.fullmatch(r".*?\(\*(\w+)\)\(.*\)", declaration)
            if callback:
                yield callback[1], declaration
            elif declaration:
                kind, first, others = re.fullmatch(r"(.*?[ *])(\w+(?:\[\w+\])?)((?:, \w+)*)", declaration).groups()
                for name in [first, *others.split(", ")[1:]]:
                    yield name.split("[")[0], kind + name

    def functions(self):
        return {**self.exported, **self.inline}


def stub(path):
    for name in Header(path).exported:
        print(f"void {name}(void);\nvoid {name}(void)\n{{\n}}")


def newer(path):
    text = Header(path).text
    for name in OF_THE_CALLER:
        text, count = re.subn(rf"^(struct venus_gpu_{name} {{\n.*?)^}};", r"\1    uint64_t unknown;\n};", text,
                              count=1, flags=re.M | re.S)
        assert count == 1, name
    print(text, end="")


def layout(path):
    header = Header(path)
    print(f'#include <stdio.h>\n#include "{Path(path).resolve()}"\n\nint main(void)\n{{')
    for struct, members in header.structs.items():
        print(f'    printf("{struct} %zu %zu\\n", (size_t)0, sizeof(struct {struct}));')
        for member in members:
            print(f'    printf("{struct}.{member} %zu %zu\\n", offsetof(struct {struct}, {member}), '
                  f"sizeof(((struct {struct} *)0)->{member}));")
    for name in header.enumerators + header.numbers:
        print(f'    printf("{name} %lld 0\\n", (long long){name});')
    print("    return 0;\n}")


class Points:
    """TAP."""

    def __init__(self):
        self.count = self.failed = 0

    def ok(self, name, wrong):
        """wrong: lines; none of them if all is well."""
        self.count += 1
        self.failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {self.count} - {name}")
        for line in wrong:
            print(f"# {line}")

    def end(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def places(program):
    printed = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: (int(a), int(b)) for name, a, b in map(str.split, printed.splitlines())}


def appended(old, new, struct, was, now):
    """What is wrong with the members that a structure has got since."""
    size = was[struct][1]
    more = [member for member in new.structs[struct] if member not in old.structs[struct]]
    end = size
    for member in more:
        offset, bytes_of_it = now[f"{struct}.{member}"]
        if offset < size:
            yield f"{struct}.{member} lies where {old.path} has other members, or padding"
        elif struct.removeprefix("venus_gpu_") in OF_THE_CALLER and offset != end:
            yield f"there is padding before {struct}.{member}, which an older library takes for something set"
        end = offset + bytes_of_it
    if more and struct.removeprefix("venus_gpu_") in OF_THE_CALLER and end != now[struct][1]:
        yield f"there is padding at the end of {struct}, which an older library takes for something set"


def compare(old_path, new_path, old_layout, new_layout):
    old, new = Header(old_path), Header(new_path)
    was, now = places(old_layout), places(new_layout)
    points = Points()
    assert old.structs and old.enumerators and old.exported and old.numbers
    points.ok("members are where they were",
              [f"{name} was at {was[name]} and is at {now.get(name)} (offset, size)" for name in was
               if "." in name and was[name] != now.get(name)])
    points.ok("members are of the type that they were",
              [f"{struct} had: {declared}" for struct, members in old.structs.items()
               for name, declared in members.items() if new.structs.get(struct, {}).get(name) != declared])
    points.ok("new members are behind the old ones, without gaps in what callers own",
              [line for struct in old.structs if struct in new.structs
               for line in appended(old, new, struct, was, now)])
    points.ok("no structure has shrunk",
              [struct for struct in old.structs if now.get(struct, (0, 0))[1] < was[struct][1]])
    points.ok("constants have the values that they had",
              [f"{name} was {was[name][0]}" for name in old.enumerators + old.numbers
               if name not in NOT_THE_SAME and now.get(name) != was[name]])
    points.ok("functions take and return what they did",
              [f"there was: {declared}" for name, declared in old.functions().items()
               if new.functions().get(name) != declared])
    return points.end()


def read_map(path):
    """Which node each function is in."""
    text = re.sub(r"#.*", "", Path(path).read_text(encoding="utf-8"))
    nodes = {}
    for node, body in re.findall(r"(VENUSGPU_[\d.]+)\s*{(.*?)}", text, re.S):
        body = body.split("local:")[0].replace("global:", "")
        nodes.update((name.strip(), node) for name in body.split(";") if name.strip())
    return nodes


def symbols(library, map_path, header_path, *releases):
    listed = read_map(map_path)
    printed = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", library],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
    exported = {}
    for line in printed.splitlines():
        _, kind, symbol = line.split()
        name, _, node = symbol.partition("@")
        if kind != "A":  # a node itself
            exported[name] = node.lstrip("@")
    points = Points()
    points.ok("the library exports what the map lists, under the same release",
              [f"{name}: the map has {listed.get(name)}, the library {exported.get(name)}"
               for name in sorted(listed.keys() | exported.keys()) if listed.get(name) != exported.get(name)])
    header, former = Header(header_path), {}
    for release in releases:
        version, path = release.split("=")
        node = "VENUSGPU_0" if version == "0.1.0" else "VENUSGPU_" + version.rpartition(".")[0]
        for name in Header(path).exported:
            former.setdefault(name, node)
    points.ok("the map lists what the header declares, and what older ones did",
              sorted(listed.keys() ^ (header.exported.keys() | former.keys())))
    points.ok("each function is under the release that had it first",
              [f"{name} is in {listed.get(name)}, not {node}" for name, node in former.items()
               if listed.get(name) != node] +
              [f"{name} is new, and in {node}" for name, node in listed.items()
               if name not in former and node in set(former.values()) - {list(former.values())[-1]}])
    return points.end()


if __name__ == "__main__":
    sys.exit({function.__name__: function for function in (stub, newer, layout, compare, symbols)}[sys.argv[1]](
        *sys.argv[2:]))
