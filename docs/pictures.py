"""Writes docs/pictures/*.svg: `python docs/pictures.py`; boxes, arrows and curves in a few lines each, without a package."""

import math
from pathlib import Path

INK, FILL, ACCENT = "#1f2a36", "#e8eef6", "#f7e3c8"
FOLDER = Path(__file__).with_name("pictures")


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


def seconds(ranks, units, batch, bytes_a_second, latency, steps=100, flops=50e9):
    """The formula of distributed.md: a training step on so many ranks."""
    weights = 4 * units * (2 * units + 2)
    alone, traffic = 6 * weights * batch * steps / flops, 2 * weights * 4 / bytes_a_second
    return traffic + (alone - traffic) / ranks + 2 * (ranks - 1) * latency


def projection():
    left, top, size, most, batch = 70, 66, 360, 64, 512

    def at(ranks, gain):
        return left + math.log2(ranks) * 500 / 6, top + size * (1 - gain / most)

    def line(points, more=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        return f'<polyline points="{path}" fill="none" stroke="{INK}" {more}/>'

    def words(x, y, text, anchor="start", more=""):
        return f'<text x="{x:.1f}" y="{y:.1f}" font-size="13" text-anchor="{anchor}" {more}>{text}</text>'

    parts = [words(left, 26, "SIMULATED, not measured: the gain of a training step over one machine", more='font-weight="bold"'),
             words(left, 46, f"T = 100, B = {batch}, I = H, float32, F = 50 GFLOP/s on each machine, whatever its share")]
    for n in (1, 2, 4, 8, 16, 32, 64):
        x, y = at(n, 0)
        parts += [words(x, y + 20, str(n), "middle"), line([(x, y), (x, y + 5)])]
    for gain in (0, 16, 32, 48, 64):
        parts += [words(left - 10, at(1, gain)[1] + 4, str(gain), "end"), line([at(1, gain), at(most, gain)], 'stroke-opacity="0.2"')]
    parts += [words(left + 250, top + size + 42, "machines", "middle"),
              line([at(n, n) for n in range(1, most + 1)], 'stroke-opacity="0.4" stroke-dasharray="1 4"'),
              words(*at(46, 56), "as many times as machines", "end", 'fill-opacity="0.7" font-style="italic"')]
    for gigabits, latency, dash in ((10, 50e-6, ""), (1, 200e-6, 'stroke-dasharray="6 4"')):
        for units, color in ((64, "#b4531c"), (256, "#2f7d4f"), (1024, "#2b5c9e")):
            gains = [seconds(1, units, batch, gigabits * 1e9 / 8, latency) / seconds(n, units, batch, gigabits * 1e9 / 8, latency) for n in range(1, most + 1)]
            parts += [line([at(n, gain) for n, gain in enumerate(gains, 1)], f'{dash} style="stroke:{color};stroke-width:2"'),
                      words(578, at(1, gains[-1])[1] + 4, f"H = {units}: {gains[-1]:.0f}", more=f'style="fill:{color}"')]
    for n, (text, dash) in enumerate((("10 Gbit/s, 50 µs", ""), ("1 Gbit/s, 200 µs", 'stroke-dasharray="6 4"'))):
        parts += [line([(left + 20, top + 24 + 22 * n), (left + 60, top + 24 + 22 * n)], f'{dash} stroke-width="2"'), words(left + 70, top + 28 + 22 * n, text)]
    picture("projection", 680, top + size + 58, "Simulated gain of 1 to 64 machines", *parts)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    faces()
    lstm()
    projection()
