"""What is said about measurements: rows with everything derived, and the table. `groups` has the means and what follows the table.

A ratio is the other's time over lstmc's, so that more than 1 means that lstmc is faster. A peer held to AVX2 is compared with
lstmc on AVX2 and counts as no best peer.
"""

import statistics

from lstmc.bench.roofline import bound
from lstmc.bench.truth import unverified

SELF, AVX2, ALONE = "lstmc", "lstmc avx2", "lstmc alone"      # the last: on one thread, beside busy processes
HELD = "-avx2"          # the end of a held peer's name


def rows(measured, machine, isa, average=statistics.median):
    """A row of each case, and beside which plain case of the run it stands."""
    found = [row(one, machine, isa, average) for one in measured]
    by_id = {r["case"]: r for r in found}
    for one, r in zip(measured, found, strict=True):
        plain = one.case.beside
        if plain and plain.id in by_id:
            r["beside"] = beside(r, by_id[plain.id], one.case)
    return found


def beside(r, plain, case):
    """Time over that of the plain case, by contender; of a ragged batch, over the part of it that its live steps are."""
    share = case.live / (case.T * case.B)
    return {"case": plain["case"], "share": share, "ratios": {name: t / plain["us"][name] / share for name, t in r["us"].items() if name in plain["us"]}}


def row(measured, machine, isa, average=statistics.median):
    """One case as JSON types: averages, ratios, the bound. With the machine's best figures so far."""
    case, peaks = measured.case, machine.peaks(isa, measured.case.dtype)
    us = {name: average(times) * 1e6 for name, times in measured.rounds.items()}
    own, limit = us[SELF] / 1e6, bound(case, peaks)
    ratios = {name: t / us[SELF] for name, t in us.items() if name not in (SELF, AVX2, ALONE) and not name.endswith(HELD)}
    held = {name: t / us.get(AVX2, us[SELF]) for name, t in us.items() if name.endswith(HELD)}
    best = min(ratios, key=ratios.get, default=None)
    return {
        "case": case.id, "kind": case.kind, "dtype": case.dtype,
        **{letter: getattr(case, letter) for letter in "TBIHLD"},
        "cell": case.cell, "settings": dict(case.settings), "ragged": case.ragged, "checkpoint": case.checkpoint, "live": case.live,
        "flops": case.flops,
        "us": us,
        "spread": {name: spread(times) for name, times in measured.rounds.items()},
        "gflops": case.flops / own / 1e9,
        "gbytes": limit.bytes / own / 1e9,
        "of_peak": case.flops / own / peaks.fma[machine.threads],
        "of_peak_then": case.flops / own / statistics.median(measured.peak),
        "bound_us": limit.seconds * 1e6, "binds": limit.binds, "weight_bytes": limit.bytes,
        "of_bound": limit.seconds / own,
        "ratios": ratios, "best": best, "best_ratio": ratios.get(best), "held_ratios": held,
        "errors": measured.errors, "unverified": unverified(case),
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

def columns(others, width=34):
    """The head of the table, for contenders beyond lstmc in the order of `others`."""
    heads = [f" {name:>11} {'ratio':>6}" for name in others]
    return f"{'case':<{width}} {'lstmc us':>10} {'spread':>6} {'rate':>9} {'of bound':>9}{''.join(heads)}  best peer"


def line(found, others, width=34):
    """A row of the table: each other's microseconds and ratio, "-" where it cannot, "wrong" or "failed" where it did not."""
    rate = f"{found['gflops']:.0f} GF/s" if found["binds"] == "fma" else f"{found['gbytes']:.0f} GB/s"
    cells = []
    for name in others:
        if name in found["us"]:
            ratio = found["held_ratios"].get(name, found["us"][name] / found["us"][SELF])
            text = f"{figure(found['us'][name]):>11} {ratio:>6.2f}"
        else:
            reason = found["errors"].get(name, "unsupported").partition(":")[0]
            text = "-" if reason == "unsupported" else reason
        cells.append(f" {text:>18}")
    best = f"{found['best_ratio']:.2f} {found['best']}" if found["best"] else "-"
    return (f"{found['case']:<{width}} {figure(found['us'][SELF]):>10} {found['spread'][SELF]:>6.0%} {rate:>9} "
            f"{found['of_bound']:>4.0%} {found['binds']:<4}{''.join(cells)}  {best}")


def figure(us):
    """Microseconds with three figures at least."""
    return f"{us:,.2f}" if us < 10 else f"{us:,.1f}" if us < 100 else f"{us:,.0f}"
