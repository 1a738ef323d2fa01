"""Two files of `bench --json`, an older and a newer one: what has become slower or faster.

Clock rates drift between runs, so a case's change is taken relative to what stayed the same: with f the median of the
factors by which the times of the multiply-add probe and of the peers of the same version changed on that case,

    change = (new / old) / f - 1        noise = the spreads of both files' rounds and that of the factors, added up

Peers say nothing between a file in which all contenders shared a process, as they once did, and one in which each has its own.
It counts if it is more than the noise and the time itself went the same way: what took less time than before is not called
slower because others gained more.
"""

import json
import math
import statistics
import sys

from lstmc.bench.report import SELF, spread

SETTINGS = ("processor", "isa", "threads")


class NotComparable(ValueError):
    """The files are no reports, or of different machines or settings."""


def run(old, new, tolerance=0.1, force=False):
    """Print the comparison of two paths.

    Returns
    -------
    int
        0; 1 if a case became slower by more than `tolerance` and more than the noise; 2 if the files cannot be compared.
    """
    try:
        rows, other = compared(load(old), load(new), force)
    except NotComparable as error:
        print(f"python -m lstmc bench: {error}", file=sys.stderr)
        return 2
    width = max(34, *(len(r["case"]) for r in rows))
    print(f"{'case':<{width}} {'old us':>11} {'new us':>11} {'drift':>7} {'change':>8} {'noise':>6}")
    for r in rows:
        print(f"{r['case']:<{width}} {r['old_us']:>11,.2f} {r['new_us']:>11,.2f} {r['drift']:>+7.1%} {r['change']:>+8.1%} {r['noise']:>6.1%}  "
              f"{verdict(r)}".rstrip())
    slower = [r for r in rows if verdict(r) == "slower" and r["change"] > tolerance]
    total = math.exp(statistics.fmean(math.log1p(r["change"]) for r in rows)) - 1
    print(f"\n{len(rows)} cases, {total:+.1%} on (geometric) average; slower by more than {tolerance:.0%} and the noise: "
          f"{', '.join(r['case'] for r in slower) or 'none'}")
    if other:
        print(f"in one of the files only: {', '.join(other)}")
    return 1 if slower else 0


def load(path):
    """The report in a file."""
    try:
        facts = json.loads(path.read_text())
    except ValueError as error:
        raise NotComparable(f"{path}: expected a file that --json wrote, but it is not JSON: {error}") from None
    if not isinstance(facts, dict) or facts.get("format") != 1 or not {"about", "rows"} <= facts.keys():
        raise NotComparable(f"{path}: expected a file that --json of this version wrote")
    return facts


def compared(old, new, force=False):
    """(a dict for each case of both files: case, old_us, new_us, drift, change, noise; names of cases in one file only)."""
    differ = [f"{key}: {old['about'].get(key)} and {new['about'].get(key)}" for key in SETTINGS if old["about"].get(key) != new["about"].get(key)]
    if differ and not force:
        raise NotComparable(f"the files are not comparable, {'; '.join(differ)} (--force compares them all the same)")
    before, after = ({r["case"]: r for r in facts["rows"]} for facts in (old, new))
    alike = old["about"].get("processes") == new["about"].get("processes")
    same = {name for r in old["rows"] for name in r["ratios"] if alike and old["about"].get(name) == new["about"].get(name)}
    rows = [_row(before[case], after[case], same) for case in after if case in before]
    if not rows:
        raise NotComparable("the files have no case in common")
    return rows, sorted(before.keys() ^ after.keys())


def _row(old, new, same):
    factors = [new["us"][name] / old["us"][name] for name in sorted(same) if name in new["us"] and name in old["us"]]
    if old["peak_gflops"] and new["peak_gflops"]:
        factors.append(statistics.median(old["peak_gflops"]) / statistics.median(new["peak_gflops"]))
    drift = statistics.median(factors) if factors else 1.0
    return {"case": new["case"], "old_us": old["us"][SELF], "new_us": new["us"][SELF], "drift": drift - 1,
            "change": new["us"][SELF] / old["us"][SELF] / drift - 1, "noise": old["spread"][SELF] + new["spread"][SELF] + spread(factors)}


def verdict(r):
    """"slower", "faster", or "" if the change does not count."""
    if abs(r["change"]) <= r["noise"] or (r["new_us"] > r["old_us"]) != (r["change"] > 0):
        return ""
    return "slower" if r["change"] > 0 else "faster"
