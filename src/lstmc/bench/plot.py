"""A roofline as a picture: what the machine could do, where lstmc's cases are below it, and where the best peer is.

Each case stands at its arithmetic intensity: operations per byte of weights that its threads read. The roofs are those of
float32; float64 cases have the roof at half the height and are left out, as are other cells than LSTM, variants, and ragged and
checkpointed cases, which would stand on top of the plain ones. matplotlib is imported where it is used.
"""

import math

from lstmc.bench.roofline import LEVELS

COLOURS = {"forward": "#0072b2", "train": "#d55e00", "step": "#009e73"}      # told apart by colour-blind eyes too
MARKS = {"forward": "o", "train": "s", "step": "^"}
TEXTS = {"forward": "inference", "train": "forward + backward", "step": "one step of a stream"}
SIZE = 34               # of a mark
APART = 1.075           # factor between neighbours of one intensity
PLACES = {(6, 0): ("left", "center"), (-6, 0): ("right", "center"), (0, 6): ("center", "bottom"), (0, -6): ("center", "top")}


def library():
    """matplotlib.pyplot without a window, or an ImportError that says what to install."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(f'--plot needs matplotlib: pip install "lstmc[bench]" ({error})') from None
    return pyplot


def draw(facts, path):
    """Draw a report, as `Benchmark.facts` or a file of --json gives it, into a file whose name says the format.

    Raises
    ------
    LookupError
        It has no case to draw.
    """
    pyplot = library()
    rows = [r for r in facts["rows"] if r["dtype"] == "float32" and r.get("cell", "lstm") == "lstm"
            and not (r.get("settings") or r.get("ragged") or r.get("checkpoint"))]
    if not rows:
        raise LookupError("--plot: there is no plain float32 LSTM case to draw")
    figure, axes = pyplot.subplots(figsize=(11, 7), layout="constrained")
    spots = spread_out({r["case"]: (r["flops"] / r["weight_bytes"], r["gflops"]) for r in rows})
    roof = peak(facts)
    xs = [x for x, _ in spots.values()]
    ys = [r["gflops"] / max(1, r["best_ratio"] or 1) for r in rows]
    low, high = min(0.25, min(xs) / 1.6), max(100, max(xs) * 1.6)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(min(10, *ys) / 1.5, roof * 1.5))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    roofs(axes, facts, roof, low, high)
    points(axes, rows, spots)
    axes.set_xlabel("floating-point operations per byte of weights that the threads read (cases of one intensity are drawn side by side)")
    axes.set_ylabel("GFLOP/s")
    about = facts["about"]
    axes.set_title(f"lstmc {about['lstmc'].partition(',')[0]} under its roofline: {about['processor'].partition(',')[0]}, {about['isa']}, "
                   f"{about['threads']} threads, float32, {about['date'][:10]}", fontsize=11)
    axes.grid(which="major", alpha=0.25)
    axes.legend(loc="lower right", fontsize=9, framealpha=1)
    labels(axes, rows, spots)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def peak(facts):
    """GFLOP/s of all threads on the instruction set in use."""
    about = facts["about"]
    return next(f["best"] for f in facts["machine"]["fma_gflops"]
                if (f["isa"], f["dtype"], f["threads"]) == (about["isa"], "float32", about["threads"]))


def slopes(facts):
    """Level -> GB/s of all threads together, from a buffer of half the cache; four times the last cache for memory."""
    about, caches, n = facts["about"], facts["machine"]["caches"], facts["about"]["threads"]
    table = next(f["best"] for f in facts["machine"]["read_gbytes_per_thread"] if (f["isa"], f["threads"]) == (about["isa"], n))
    sizes = {int(size): rate * n for size, rate in table.items()}
    wanted = {level: caches[key] / 2 / (n if level == "L3" else 1) for level, key in zip(LEVELS, ("L1d", "L2", "L3"), strict=False) if key in caches}
    wanted["dram"] = max(sizes)
    found = {}
    for level, size in wanted.items():
        nearest = min(sizes, key=lambda s: abs(s - size))
        found[level] = max(rate for s, rate in sizes.items() if s >= nearest)
    return found


def roofs(axes, facts, roof, low, high):
    """The roof of multiply-adds and a slope for each level of the memory, with their figures on them."""
    axes.plot([low, high], [roof, roof], color="black", linewidth=1.6)
    axes.annotate(f"multiply-adds: {roof:.0f} GFLOP/s", (high, roof), xytext=(-6, 5), textcoords="offset points", ha="right", fontsize=9)
    bottom = axes.get_ylim()[0]
    for level, rate in slopes(facts).items():
        start, end = max(low, bottom / rate), roof / rate
        axes.plot([start, end], [start * rate, roof], color="0.45", linewidth=1, linestyle=(0, (6, 2)), zorder=1)
        x = start * 1.06
        axes.text(x, x * rate * 1.06, f"{level} {rate:.0f} GB/s", color="0.3", fontsize=8.5, rotation=axes_angle(axes), rotation_mode="anchor")


def axes_angle(axes):
    """Degrees on the page of a line y = a x in logarithmic axes."""
    box = axes.get_position()
    width, height = axes.figure.get_size_inches()
    decades = [math.log10(b / a) for a, b in (axes.get_xlim(), axes.get_ylim())]
    return math.degrees(math.atan2(box.height * height / decades[1], box.width * width / decades[0]))


def points(axes, rows, spots):
    """lstmc's cases, filled, and the best peer on the same case, hollow, joined to it."""
    for r in rows:
        x, y = spots[r["case"]]
        if r["best"]:
            axes.plot([x, x], [y, y / r["best_ratio"]], color=COLOURS[r["kind"]], linewidth=0.8, alpha=0.6, zorder=2)
    for kind, colour in COLOURS.items():
        mine = [spots[r["case"]] for r in rows if r["kind"] == kind]
        theirs = [(spots[r["case"]][0], spots[r["case"]][1] / r["best_ratio"]) for r in rows if r["kind"] == kind and r["best"]]
        if mine:
            axes.scatter(*zip(*mine, strict=True), s=SIZE, color=colour, marker=MARKS[kind], zorder=4, label=f"lstmc, {TEXTS[kind]}")
        if theirs:
            axes.scatter(*zip(*theirs, strict=True), s=SIZE, facecolor="white", edgecolor=colour, marker=MARKS[kind], zorder=3,
                         label=f"best peer, {TEXTS[kind]}")


def spread_out(spots):
    """Cases of one intensity side by side, in the order of their height: in logarithms, each moved a little."""
    moved, row = {}, []
    ordered = sorted(spots, key=lambda case: spots[case])
    for n, case in enumerate(ordered):
        row.append(case)
        if n + 1 == len(ordered) or spots[ordered[n + 1]][0] > 1.02 * spots[row[0]][0]:
            for i, one in enumerate(row):
                x, y = spots[one]
                moved[one] = x * APART ** (i - (len(row) - 1) / 2), y
            row = []
    return moved


def labels(axes, rows, spots):
    """Batch and units beside the points of lstmc, wherever that hides neither a point nor another label."""
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import Bbox

    axes.figure.canvas.draw()
    to_page = axes.transData.transform
    taken = [text.get_window_extent() for text in axes.texts] + [axes.get_legend().get_window_extent()]
    half = 5 * axes.figure.dpi / 72
    for r in rows:
        x, y = spots[r["case"]]
        ends = [to_page((x, height)) for height in ([y, y / r["best_ratio"]] if r["best"] else [y])]
        taken += [Bbox([[px - half, py - half], [px + half, py + half]]) for px, py in ends]
        taken.append(Bbox([ends[0], ends[-1]]))         # the line between them
    frame = axes.get_window_extent()
    for r in sorted(rows, key=lambda r: (r["L"] * r["D"], -r["H"])):
        text = f"H{r['H']}" if r["B"] == 1 else f"B{r['B']} H{r['H']}"
        for (dx, dy), (ha, va) in PLACES.items():
            label = axes.annotate(text, spots[r["case"]], xytext=(dx, dy), textcoords="offset points", ha=ha, va=va, fontsize=7.5,
                                  color="0.2", zorder=5, path_effects=[withStroke(linewidth=2.5, foreground="white")])
            area = label.get_window_extent().padded(1)
            if frame.contains(*area.min) and frame.contains(*area.max) and not any(area.overlaps(other) for other in taken):
                taken.append(area)
                break
            label.remove()
