# SPDX-License-Identifier: MIT
"""The table for a person, out of what gpu.json holds."""


def number(value):
    if value is None:
        return "-"
    return f"{value:.4g}" if value < 1000 else f"{value:.0f}"


def of_side(side):
    if not side:
        return "-", "-", "-", "-"
    clocks = side.get("clocks") or {}
    return number(side["median"]), number(side.get("p99")), number(side.get("gpu_ms")), number(clocks.get("sm"))


def row(item):
    """The cells: what, unit; median, 99th percentile, the device's own time and its clock of host and guest; ratio."""
    return [item["what"], item["unit"], *of_side(item.get("host")), *of_side(item.get("guest")),
            "-" if item.get("ratio") is None else f"{item['ratio']:.2f}"]


def line(item):
    cells = row(item)
    return f"{cells[0]}: host {cells[2]} {cells[1]} (99 %: {cells[3]}; {cells[5]} MHz), guest {cells[6]} {cells[1]} " \
           f"(99 %: {cells[7]}; {cells[9]} MHz), {cells[10]} of the host's speed"


HEAD = ["", "", "host: median", "99 %", "gpu", "MHz", "guest: median", "99 %", "gpu", "MHz", "host/guest"]


def whole(found):
    rows = [HEAD, *map(row, [*found["figures"], *found["ggml"]])]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                       for column, (cell, width) in enumerate(zip(cells, widths))) for cells in rows] if len(rows) > 1 else []
    passed = sum(suite["passed"] for suite in found["suites"])
    failed = sum(len(suite["failed"]) for suite in found["suites"])
    skipped = sum(suite["skipped"] for suite in found["suites"])
    ran = sum(1 for item in found["programs"] if item["host"] and item["guest"])
    vulkan = found["guest"].get("vulkan") or {}
    return "\n".join(["", *lines, "",
                      f"host: {found['host'].get('device')}, {found['host'].get('driver')}; {found['host']['processor']}",
                      f"guest: {vulkan.get('deviceName')}, Vulkan {vulkan.get('apiVersion')}; {found['guest'].get('accel')}",
                      f"renderer tests: {passed} passed, {failed} failed, {skipped} skipped; "
                      f"programs that ran on both: {ran} of {len(found['programs'])}",
                      *(f"FAILED {item['what']}: {item['why']}" for item in found["failures"])])
