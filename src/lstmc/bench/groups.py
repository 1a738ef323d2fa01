"""What follows the table: means per group of cases, what stands beside its plain case, what failed, whether the run was disturbed."""

import math
import statistics

from lstmc.bench.report import ALONE, AVX2, HELD, SELF

CALM = 0.8              # of its best rate: clocks drift by less, a lost core costs more


def plain(r):
    """Whether a row is of the cell itself, on a batch of equal lengths."""
    return not (r["settings"] or r["ragged"] or r["checkpoint"])


def of(cell, kind):
    """The condition of a group: plain float32 cases."""
    return lambda r: plain(r) and (r["cell"], r["kind"], r["dtype"]) == (cell, kind, "float32")


GROUPS = {
    "forward": of("lstm", "forward"),
    "train": of("lstm", "train"),
    "step": of("lstm", "step"),
    "float64": lambda r: r["dtype"] == "float64",
    "batch 1": lambda r: r["B"] == 1 and r["T"] > 1 and r["cell"] == "lstm",
    **{f"{cell} {kind}": of(cell, kind) for cell in ("gru", "rnn") for kind in ("forward", "train", "step")},
    "variants": lambda r: bool(r["settings"]),
    **{f"ragged {kind}": lambda r, kind=kind: r["ragged"] and r["kind"] == kind for kind in ("forward", "train")},
}


def groups(rows):
    """Geometric means of the ratios per group of cases, against each peer and the best one, and how often a peer is faster.

    Returns
    -------
    list of dict
        group, cases, best (None without peers), slower, peers (name -> mean over the cases that it runs).
    """
    found = []
    for name, belongs in GROUPS.items():
        if members := [r for r in rows if belongs(r)]:
            bests = [r["best_ratio"] for r in members if r["best"]]
            found.append({"group": name, "cases": len(members), "best": mean(bests), "slower": sum(ratio < 1 for ratio in bests),
                          "peers": _per_peer(r["ratios"] for r in members)})
    forced = [r for r in rows if GROUPS["train"](r) and AVX2 in r["us"] and "torch" in r["us"]]
    if forced:
        ratios = [r["us"]["torch"] / r["us"][AVX2] for r in forced]
        found.append({"group": "train on avx2", "cases": len(forced), "best": None, "slower": sum(ratio < 1 for ratio in ratios),
                      "peers": {"torch": mean(ratios)}})
    for kind in ("forward", "train", "step"):
        if members := [r["held_ratios"] for r in rows if GROUPS[kind](r) and r["held_ratios"]]:
            bests = [min(ratios.values()) for ratios in members]
            found.append({"group": f"{kind}{HELD} all", "cases": len(members), "best": mean(bests), "slower": sum(ratio < 1 for ratio in bests),
                          "peers": _per_peer(members)})
    return found


def _per_peer(ratios):
    values = {}
    for one in ratios:
        for name, ratio in one.items():
            values.setdefault(name, []).append(ratio)
    return {name: mean(v) for name, v in values.items()}


def mean(ratios):
    """The geometric mean, None of nothing."""
    return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None


def summary(rows):
    """Text after the table."""
    lines, found = [], groups(rows)
    names = list(dict.fromkeys(name for key in ("ratios", "held_ratios") for r in rows for name in r[key]))
    if names:
        lines += ["geometric means of the other's time over lstmc's:", "",
                  f"{'group':<17} {'cases':>5} {'best peer':>10} {'slower':>7} " + " ".join(f"{name:>12}" for name in names)]
        for g in found:
            cells = [f"{g['peers'][name]:.2f}" if name in g["peers"] else "-" for name in names]
            best = "-" if g["best"] is None else f"{g['best']:.2f}"
            lines.append(f"{g['group']:<17} {g['cases']:>5} {best:>10} {g['slower']:>7} " + " ".join(f"{cell:>12}" for cell in cells))
        slower = [r["case"] for r in rows if r["best"] and r["best_ratio"] < 1]
        compared = sum(r["best"] is not None for r in rows)
        lines += ["", f"slower than the best peer in {len(slower)} of {compared} cases" + (f": {', '.join(slower)}" if slower else "")]
    lines += [""] * bool(lines) + near if (near := _beside(rows)) else []
    if alone := [r["us"][SELF] / r["us"][ALONE] for r in rows if ALONE in r["us"]]:
        lines += ["", f"time over that of one thread beside the same busy processes: geometric mean {mean(alone):.2f}, at most {max(alone):.2f}"]
    lines += [f"{r['case']}: {r['unverified']}" for r in rows if r["unverified"]]
    reasons = {}
    for r in rows:
        for name, reason in r["errors"].items():
            if not reason.startswith("unsupported"):
                reasons.setdefault(f"{name}: {reason}", []).append(r["case"])
    lines += [f"{reason} ({', '.join(cases)})" for reason, cases in reasons.items()]
    low, rounds = disturbed(rows)
    if low > 0.1 * rounds:
        lines.append(f"DISTURBED: in {low} of {rounds} rounds the probe reached less than {CALM:.0%} of its best; something else was running")
    return "\n".join(lines)


def _beside(rows):
    """Lines about rows that have a plain case to stand beside."""
    lines = []
    for r in rows:
        if found := r.get("beside"):
            others = ", ".join(f"{name} {ratio:.2f}" for name, ratio in found["ratios"].items() if name != SELF)
            live = f", {found['share']:.0%} of the steps live" if r["ragged"] else ""
            lines.append(f"{r['case']}{live}: {found['ratios'][SELF]:.2f}" + (f" ({others})" if others else ""))
    head = "time over that of the plain case of the same shape; of a ragged batch, over the part of that time that its live steps are:"
    return [head, "", *lines] if lines else []


def disturbed(rows):
    """(rounds in which the probe of multiply-adds reached less than CALM of its best for that type, rounds)."""
    low = rounds = 0
    for dtype in {r["dtype"] for r in rows}:
        rates = [rate for r in rows if r["dtype"] == dtype for rate in r["peak_gflops"]]
        low, rounds = low + sum(rate < CALM * max(rates) for rate in rates), rounds + len(rates)
    return low, rounds
