"""Writes docs/pictures/*.svg: `python docs/pictures.py`; boxes, arrows and curves in a few lines each, without a package.

What was measured is in benchmarks/ranks.json, which benchmarks/ranks.py wrote.
"""

import json
import math
import statistics
from pathlib import Path

INK, FILL, ACCENT = "#1f2a36", "#e8eef6", "#f7e3c8"
FOLDER = Path(__file__).with_name("pictures")
RANKS = Path(__file__).parents[1] / "benchmarks" / "ranks.json"


def box(x, y, width, height, text, fill=FILL, size=14):
    lines = text.split("\n")
    first = y + height / 2 - (len(lines) - 1) * size * 0.6
    words = "".join(f'<text x="{x + width / 2:g}" y="{first + n * size * 1.2:g}" font-size="{size}" text-anchor="middle" '
                    f'dominant-baseline="central">{line}</text>' for n, line in enumerate(lines))
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" fill="{fill}" stroke="{INK}"/>{words}'


def arrow(*points, label="", at=(0, 0)):
    path = " ".join(f"{x},{y}" for x, y in points)
    words = f'<text x="{at[0]}" y="{at[1]}" font-size="13" font-style="italic" text-anchor="middle">{label}</text>' if label else ""
    return f'<polyline points="{path}" fill="none" stroke="{INK}" marker-end="url(#tip)"/>{words}'


def line(points, more=""):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{INK}" {more}/>'


def words(x, y, text, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="13" text-anchor="{anchor}" {more}>{text}</text>'


def picture(name, width, height, title, *parts):
    text = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            f'font-family="Helvetica, Arial, sans-serif" fill="{INK}">\n<title>{title}</title>\n'
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0,0 L8,4 L0,8 z" fill="{INK}"/></marker></defs>\n<rect width="{width}" height="{height}" rx="10" fill="#ffffff"/>\n')
    (FOLDER / f"{name}.svg").write_text(text + "\n".join(parts) + "\n</svg>\n", encoding="utf-8", newline="\n")


def faces():
    above = ["lstmc.layers\nSequential, Model", "lstmc.sklearn\nestimators", "lstmc.torch\nautograd", "from_torch, from_keras\nfrom_onnx, to_onnx"]
    parts = []
    for n, text in enumerate(above):
        x = 20 + 185 * n
        parts += [box(x, 20, 170, 56, text, size=13), arrow((x + 85, 76), (x + 85, 118))]
    parts += [box(20, 120, 725, 46, "lstmc.nn: LSTM, GRU, RNN on NumPy arrays; sessions", ACCENT, 15), arrow((382, 166), (382, 198)),
              box(20, 200, 725, 46, "lstmc.kernels: threads and the loop over time", size=15), arrow((382, 246), (382, 278)),
              box(20, 280, 725, 46, "one kernel text in C, for the baseline, AVX2, AVX-512 and NEON", size=15)]
    picture("faces", 765, 346, "The faces of lstmc around its engine", *parts)


def lstm():
    parts = [arrow((20, 50), (268, 50), label="c (t-1)", at=(50, 40)), box(270, 30, 40, 40, "×"), arrow((310, 50), (398, 50)), box(400, 30, 40, 40, "+"),
             arrow((440, 50), (708, 50), label="c (t)", at=(680, 40))]
    for x, letter, function in ((265, "f", "σ"), (345, "i", "σ"), (415, "g", "tanh"), (495, "o", "σ")):
        parts += [box(x, 200, 50, 36, function, ACCENT), f'<text x="{x + 25}" y="254" font-size="14" text-anchor="middle">{letter}</text>',
                  arrow((x + 25, 290), (x + 25, 262))]
    parts += [arrow((290, 200), (290, 72)), box(400, 120, 40, 40, "×"), arrow((370, 200), (370, 140), (398, 140)),
              arrow((440, 200), (440, 180), (420, 180), (420, 162)),
              arrow((420, 120), (420, 72)), arrow((590, 50), (590, 98)), box(560, 100, 60, 36, "tanh"),
              arrow((590, 136), (590, 168)), box(570, 170, 40, 40, "×"),
              arrow((520, 200), (520, 190), (568, 190)), arrow((610, 190), (708, 190), label="h (t)", at=(680, 180)),
              arrow((20, 290), (520, 290), label="h (t-1) and x (t), their products and biases", at=(140, 282))]
    picture("lstm", 728, 312, "An LSTM cell", *parts)


def scaling():
    left, top, width, size = 70, 66, 430, 330
    times = json.loads(RANKS.read_text(encoding="utf-8"))["times"]

    def at(ranks, speed):
        return left + math.log2(ranks) * width / 4, top + size * (1 - math.log2(speed / 350) / math.log2(8000 / 350))

    def speeds(name, each=False):
        return [(n, 256 * (n if each and n > 1 else 1) / statistics.median(times[found])) for n in (1, 2, 4, 8, 16)
                if (found := name(n) if n > 1 or not each else "1 rank") in times]

    parts = [words(left, 26, "Measured: training on 1 to 16 CPUs of one machine, sequences a second", more='font-weight="bold"'),
             words(left, 46, "LSTM, T = 100, I = H = 256, float32; medians of two runs; both axes logarithmic")]
    for n in (1, 2, 4, 8, 16):
        x, y = at(n, 350)
        parts += [words(x, y + 20, str(n), "middle"), line([(x, y), (x, y + 5)])]
    for speed in (500, 1000, 2000, 4000, 8000):
        parts += [words(left - 10, at(1, speed)[1] + 4, f"{speed:,}", "end"), line([at(1, speed), at(16, speed)], 'stroke-opacity="0.2"')]
    contenders = [(lambda n: f"{n} ranks, B = 64 each", True, "ranks, B = 64 each", "#2b5c9e", -4),
                  (lambda n: f"{n} rank{'s' * (n > 1)}", False, "ranks, B = 64 together", "#2f7d4f", 16),
                  (lambda n: f"1 process of {n} thread{'s' * (n > 1)}", False, "threads of one process, B = 64", "#8a5a9e", -4),
                  (lambda n: f"torch DDP, {n} processes", False, "torch DDP on gloo, together", "#b4531c", 4)]
    for name, each, text, color, down in contenders:
        points = [at(n, speed) for n, speed in speeds(name, each)]
        parts += [line(points, f'style="stroke:{color};stroke-width:2"'), *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points),
                  words(points[-1][0] + 10, points[-1][1] + down, text, more=f'style="fill:{color}"')]
    first = speeds(contenders[1][0])[0][1]
    parts += [line([at(1, first), at(8000 / first, 8000)], 'stroke-opacity="0.4" stroke-dasharray="1 4"'),
              words(at(8, 6000)[0] - 30, at(8, 6000)[1], "as many times as CPUs", "end", 'fill-opacity="0.7" font-style="italic"'),
              words(left + width / 2, top + size + 42, "CPUs: ranks of one thread, or threads", "middle")]
    picture("scaling", left + width + 240, top + size + 58, "Measured speed of training on 1 to 16 ranks", *parts)


# What benchmarks/ranks.json says of one machine: a number sent takes 1 / 1.7 GB/s and a message 48 microseconds, beside what a network adds; and 16 threads
# make 2000 sequences of T = 100, I = H = 256 a second.
FLOPS, BYTES_A_SECOND, LATENCY = 630e9, 1.7e9, 48e-6


def seconds(machines, units, batch, network, wire, steps=100):
    """The formula of distributed.md: a training step on so many machines; network: bytes a second; wire: seconds of a message."""
    weights = 4 * units * (2 * units + 2)
    alone, traffic = 6 * weights * batch * steps / FLOPS, 2 * weights * 4 * (1 / BYTES_A_SECOND + 1 / network)
    return traffic + (alone - traffic) / machines + 2 * (machines - 1) * (LATENCY + wire)


def projection():
    left, top, size, most, batch = 70, 66, 360, 64, 1024

    def at(ranks, gain):
        return left + math.log2(ranks) * 500 / 6, top + size * (1 - gain / most)

    parts = [words(left, 26, "SIMULATED, not measured: the gain of a training step over one machine", more='font-weight="bold"'),
             words(left, 46, f"T = 100, B = {batch}, I = H, float32, F = {FLOPS / 1e9:.0f} GFLOP/s on a machine of 16 CPUs")]
    for n in (1, 2, 4, 8, 16, 32, 64):
        x, y = at(n, 0)
        parts += [words(x, y + 20, str(n), "middle"), line([(x, y), (x, y + 5)])]
    for gain in (0, 16, 32, 48, 64):
        parts += [words(left - 10, at(1, gain)[1] + 4, str(gain), "end"), line([at(1, gain), at(most, gain)], 'stroke-opacity="0.2"')]
    parts += [words(left + 250, top + size + 42, "machines", "middle"),
              line([at(n, n) for n in range(1, most + 1)], 'stroke-opacity="0.4" stroke-dasharray="1 4"'),
              words(*at(46, 56), "as many times as machines", "end", 'fill-opacity="0.7" font-style="italic"')]
    for gigabits, wire, dash in ((10, 20e-6, ""), (1, 100e-6, 'stroke-dasharray="6 4"')):
        for units, color in ((64, "#b4531c"), (256, "#2f7d4f"), (1024, "#2b5c9e")):
            gains = [seconds(1, units, batch, gigabits * 1e9 / 8, wire) / seconds(n, units, batch, gigabits * 1e9 / 8, wire) for n in range(1, most + 1)]
            parts += [line([at(n, gain) for n, gain in enumerate(gains, 1)], f'{dash} style="stroke:{color};stroke-width:2"'),
                      words(578, at(1, gains[-1])[1] + (9 if dash and units == 64 else 4), f"H = {units}: {gains[-1]:.1f}", more=f'style="fill:{color}"')]
    for n, (text, dash) in enumerate((("10 Gbit/s, 20 µs", ""), ("1 Gbit/s, 100 µs", 'stroke-dasharray="6 4"'))):
        parts += [line([(left + 20, top + 24 + 22 * n), (left + 60, top + 24 + 22 * n)], f'{dash} stroke-width="2"'), words(left + 70, top + 28 + 22 * n, text)]
    picture("projection", 690, top + size + 58, "Simulated gain of 1 to 64 machines", *parts)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    faces()
    lstm()
    scaling()
    projection()
