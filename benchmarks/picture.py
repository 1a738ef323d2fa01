"""Draws `speed.svg`, the picture of the README, from what `python -m lstmc bench --filter train --json FILE` wrote::

    python benchmarks/picture.py FILE

A bar is how many times longer torch takes for forward and backward of a case; cases below one another, groups apart.
Standard library only, so that the same file gives the same bytes everywhere.
"""

import json
import math
import sys
from pathlib import Path

GROUPS = {
    "LSTM": ("#0072b2", lambda r: r["cell"] == "lstm" and not r["ragged"] and r["dtype"] == "float32"),
    "GRU": ("#d55e00", lambda r: r["cell"] == "gru" and not r["ragged"]),
    "RNN": ("#009e73", lambda r: r["cell"] == "rnn"),
    "ragged batches": ("#cc79a7", lambda r: r["ragged"]),
}
ROW, BAR, LEFT, WIDTH = 15, 11, 190, 760        # pixels
LARGEST = 128                                   # of the axis, which is logarithmic


def place(ratio):
    """Horizontal position of a ratio."""
    return LEFT + (WIDTH - LEFT - 60) * math.log2(min(max(ratio, 1), LARGEST)) / math.log2(LARGEST)


def picture(rows, about):
    """The SVG of the rows that torch takes part in and that are plain training."""
    rows = [r for r in rows if r["kind"] == "train" and "torch" in r["ratios"] and not r["settings"] and not r["checkpoint"]]
    parts, y = [], 34
    for name, (colour, belongs) in GROUPS.items():
        found = sorted((r for r in rows if belongs(r)), key=lambda r: r["ratios"]["torch"])
        if not found:
            continue
        mean = math.exp(sum(math.log(r["ratios"]["torch"]) for r in found) / len(found))
        parts.append(f'<text x="8" y="{y + 11}" font-weight="bold">{name}, geometric mean {mean:.1f}</text>')
        y += ROW + 4
        for r in found:
            ratio, label = r["ratios"]["torch"], f"T{r['T']} B{r['B']} I{r['I']} H{r['H']}" + f" D{r['D']}" * (r["D"] > 1) + f" L{r['L']}" * (r["L"] > 1)
            parts.append(f'<text x="{LEFT - 6}" y="{y + 9}" text-anchor="end">{label}</text>')
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{place(ratio) - LEFT:.1f}" height="{BAR}" fill="{colour}"/>')
            parts.append(f'<text x="{place(ratio) + 4:.1f}" y="{y + 9}">{ratio:.3g}</text>')
            y += ROW
        y += 8
    lines = [f'<line x1="{place(n):.1f}" x2="{place(n):.1f}" y1="26" y2="{y}" stroke="#ccc"/><text x="{place(n):.1f}" y="22" text-anchor="middle">{n}</text>'
             for n in (1, 2, 4, 8, 16, 32, 64, 128)]
    head = f"torch {about['torch'].split(',')[0]}: its time over that of lstmc, forward and backward, {about['threads']} threads"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 6}" font-family="sans-serif" font-size="10">',
        f'<rect width="{WIDTH}" height="{y + 6}" fill="white"/>', f'<text x="8" y="10">{head}</text>', *lines, *parts, "</svg>"]) + "\n"


def main():
    found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(__file__).with_name("speed.svg").write_text(picture(found["rows"], found["about"]), encoding="utf-8")


if __name__ == "__main__":
    main()
