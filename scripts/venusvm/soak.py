# SPDX-License-Identifier: MIT
"""What a long run held, sample by sample: whether it stayed flat, and a picture of it.

A sample is taken while no program runs, so that one is like another. Memory is that of QEMU and its render server
without the guest's own, the translations of its code, and files; see venusvm.processes.
"""

from statistics import median
from xml.sax.saxutils import escape

HELD = {"memory": "MiB of QEMU and render server", "descriptors": "descriptors", "threads": "threads"}
WARM_UP = 120  # seconds in which drivers are loaded, caches filled, and the guest's code translated
MOST = 1.02    # the last quarter's median against the first one's
LEAST_SAMPLES = 8

WIDTH, ROW, LEFT = 900, 150, 60


def quarters(samples, name):
    """The medians of the first and of the last quarter after the warm-up."""
    after = [sample[name] for sample in samples if sample["seconds"] >= WARM_UP]
    quarter = max(1, len(after) // 4)
    return median(after[:quarter]), median(after[-quarter:])


def grown(samples):
    """What grew by more than MOST, a line each; a run that is too short to say so is one too."""
    after = [sample for sample in samples if sample["seconds"] >= WARM_UP]
    if len(after) < LEAST_SAMPLES:
        return [f"{len(after)} samples after {WARM_UP} s are too few to tell ({LEAST_SAMPLES})"]
    lines = []
    for name, what in HELD.items():
        first, last = quarters(samples, name)
        if last > MOST * first:
            lines.append(f"{what}: {last:.1f} in the last quarter, {first:.1f} in the first one")
    return lines


def curve(samples, name, top):
    """One of the three, over time, between its least and its most."""
    values = [sample[name] for sample in samples]
    low, high = min(values), max(values)
    end = max(sample["seconds"] for sample in samples) or 1
    span = (high - low) or 1
    points = " ".join(f"{LEFT + (WIDTH - LEFT - 20) * sample['seconds'] / end:.1f},"
                      f"{top + ROW - 30 - (ROW - 60) * (sample[name] - low) / span:.1f}" for sample in samples)
    return [f'<text x="{LEFT}" y="{top + 16}" font-weight="bold">{escape(HELD[name])}</text>',
            f'<text x="{LEFT - 6}" y="{top + 34}" text-anchor="end">{high:.0f}</text>',
            f'<text x="{LEFT - 6}" y="{top + ROW - 28}" text-anchor="end">{low:.0f}</text>',
            f'<polyline fill="none" stroke="#3060a0" stroke-width="1.5" points="{points}"/>']


def picture(samples, faults, title):
    """An SVG: what was held over time, and a mark for each fault. faults: (seconds, what it was)."""
    end = max(sample["seconds"] for sample in samples) or 1
    height = 40 + ROW * len(HELD) + 40
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
             'font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>', f'<text x="{LEFT}" y="24" font-size="15">{escape(title)}</text>']
    for seconds, what in faults:
        x = LEFT + (WIDTH - LEFT - 20) * seconds / end
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="40" y2="{height - 40}" stroke="#e0c0c0">'
                     f'<title>{escape(what)}</title></line>')
    for row, name in enumerate(HELD):
        lines += curve(samples, name, 40 + ROW * row)
    lines += [f'<text x="{LEFT}" y="{height - 14}">0</text>',
              f'<text x="{WIDTH - 20}" y="{height - 14}" text-anchor="end">{end / 60:.1f} min; a line is a fault</text>', "</svg>"]
    return "\n".join(lines) + "\n"
