"""What is said about measurements: rows with everything derived, the table, the means per group.

A ratio is the other's time over lstmc's, so that more than 1 means that lstmc is faster.
"""

import math
import statistics

from lstmc.bench.roofline import bound

SELF, AVX2 = "lstmc", "lstmc avx2"
CALM = 0.8              # of its best rate: clocks drift by less, a lost core costs more


def row(measured, machine, isa):
    """One case as JSON types: medians, ratios, the bound. With the machine's best figures so far."""
    case, peaks = measured.case, machine.peaks(isa, measured.case.dtype)
    us = {name: statistics.median(times) * 1e6 for name, times in measured.rounds.items()}
    own, limit = us[SELF] / 1e6, bound(case, peaks)
    ratios = {name: t / us[SELF] for name, t in us.items() if name not in (SELF, AVX2)}
    best = min(ratios, key=ratios.get, default=None)
    return {
        "case": case.id, "kind": case.kind, "dtype": case.dtype,
        **{letter: getattr(case, letter) for letter in "TBIHLD"},
        "flops": case.flops,
        "us": us,
        "spread": {name: spread(times) for name, times in measured.rounds.items()},
        "gflops": case.flops / own / 1e9,
        "gbytes": limit.bytes / own / 1e9,
        "of_peak": case.flops / own / peaks.fma[machine.threads],
        "of_peak_then": case.flops / own / statistics.median(measured.peak),
        "bound_us": limit.seconds * 1e6, "binds": limit.binds, "weight_bytes": limit.bytes,
        "of_bound": limit.seconds / own,
        "ratios": ratios, "best": best, "best_ratio": ratios.get(best),
        "errors": measured.errors,
        "rounds_us": {name: [t * 1e6 for t in times] for name, times in measured.rounds.items()},
        "peak_gflops": [rate / 1e9 for rate in measured.peak],
    }


def spread(times):
    """How far apart the middle half of the rounds is, over the median: one disturbed round does not matter."""
    if len(times) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(times, method="inclusive")
    return (high - low) / middle


# The table --------------------------------------------------------------------------------------------------

def columns(others):
    """The head of the table, for contenders beyond lstmc in the order of `others`."""
    heads = [f" {name:>11} {'ratio':>6}" for name in others]
    return f"{'case':<34} {'lstmc us':>10} {'spread':>6} {'rate':>9} {'of bound':>9}{''.join(heads)}  best peer"


def line(found, others):
    """A row of the table: each other's microseconds and ratio, "-" where it cannot, "wrong" or "failed" where it did not."""
    rate = f"{found['gflops']:.0f} GF/s" if found["binds"] == "fma" else f"{found['gbytes']:.0f} GB/s"
    cells = []
    for name in others:
        if name in found["us"]:
            text = f"{figure(found['us'][name]):>11} {found['us'][name] / found['us'][SELF]:>6.2f}"
        else:
            reason = found["errors"].get(name, "unsupported").partition(":")[0]
            text = "-" if reason == "unsupported" else reason
        cells.append(f" {text:>18}")
    best = f"{found['best_ratio']:.2f} {found['best']}" if found["best"] else "-"
    return (f"{found['case']:<34} {figure(found['us'][SELF]):>10} {found['spread'][SELF]:>6.0%} {rate:>9} "
            f"{found['of_bound']:>4.0%} {found['binds']:<4}{''.join(cells)}  {best}")


def figure(us):
    """Microseconds with three figures at least."""
    return f"{us:,.2f}" if us < 10 else f"{us:,.1f}" if us < 100 else f"{us:,.0f}"


# Groups -----------------------------------------------------------------------------------------------------

GROUPS = {
    "forward": lambda r: r["kind"] == "forward",
    "train": lambda r: r["kind"] == "train" and r["dtype"] == "float32",
    "step": lambda r: r["kind"] == "step",
    "float64": lambda r: r["dtype"] == "float64",
    "batch 1": lambda r: r["B"] == 1 and r["T"] > 1,
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
    names = list(dict.fromkeys(name for r in rows for name in r["ratios"]))
    if names:
        lines += ["geometric means of the other's time over lstmc's:", "",
                  f"{'group':<14} {'cases':>5} {'best peer':>10} {'slower':>7} " + " ".join(f"{name:>12}" for name in names)]
        for g in found:
            cells = [f"{g['peers'][name]:.2f}" if name in g["peers"] else "-" for name in names]
            best = "-" if g["best"] is None else f"{g['best']:.2f}"
            lines.append(f"{g['group']:<14} {g['cases']:>5} {best:>10} {g['slower']:>7} " + " ".join(f"{cell:>12}" for cell in cells))
        slower = [r["case"] for r in rows if r["best"] and r["best_ratio"] < 1]
        compared = sum(r["best"] is not None for r in rows)
        lines += ["", f"slower than the best peer in {len(slower)} of {compared} cases" + (f": {', '.join(slower)}" if slower else "")]
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


def disturbed(rows):
    """(rounds in which the probe of multiply-adds reached less than CALM of its best for that type, rounds)."""
    low = rounds = 0
    for dtype in {r["dtype"] for r in rows}:
        rates = [rate for r in rows if r["dtype"] == dtype for rate in r["peak_gflops"]]
        low, rounds = low + sum(rate < CALM * max(rates) for rate in rates), rounds + len(rates)
    return low, rounds
