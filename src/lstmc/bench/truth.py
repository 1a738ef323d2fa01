"""What a case must compute, by the float64 reference, and whether a contender does.

The reference runs once for a case, in the process that directs the benchmark, on all of its steps and sequences; that takes
seconds for the largest cases. Settings that draw masks have no reference; their results must be finite.
"""

import numpy as np

from lstmc import reference
from lstmc.bench.cases import lengths, numbers
from lstmc.bench.contenders import Unsupported, WrongResult, module

# Layer normalisation divides by a spread at every step, so what rounding changes in one grows in the next: in float32, 4e-5 of the largest
# value to 2e-4 at 60 steps of 128 units, 1e-13 in float64.
NORMED = 20


def expected(case):
    """What the float64 reference says, by name; nothing of a case whose masks are drawn.

    Raises
    ------
    Unsupported
        The reference, or lstmc whose names a variant's weights have, lacks the cell or a keyword.
    """
    if case.random:
        return {}
    forward, backward = (getattr(reference, f"{case.cell}_{way}", None) for way in ("fwd", "bwd"))
    if forward is None or backward is None:
        raise Unsupported(f"the reference has no {case.cell}")
    weights, x, dy = numbers(case)
    if case.settings:
        weights = module(case).state_dict()
    if case.kind == "step":
        x = np.concatenate([x, x])
    try:
        y, _, tape = forward(x, weights, hidden_size=case.H, num_layers=case.L, bidirectional=case.D == 2, lengths=lengths(case),
                             **dict(case.settings))
    except TypeError as error:
        if "keyword" not in str(error):
            raise
        raise Unsupported(f"the reference: {error}") from None
    found = {"y": y[-1:] if case.kind == "step" else y}
    if case.kind == "train":
        g = backward(tape, dy)
        found |= {"dx": g.dx, **{f"d{key}": d for key, d in g.dparams.items()}}
    return found


def unverified(case):
    """Why a case's results are compared with nothing, "" where they are."""
    return f"{', '.join(case.random)} draws masks: checked to be finite only" if case.random else ""


def verify(side, want):
    """Raise WrongResult unless all results of a contender are finite and agree with `expected`; returns the largest relative error."""
    with side.ready():
        found = side.results()
    allowed = side.tolerance[side.case.dtype] * (NORMED if "layer_norm" in dict(side.case.settings) else 1)
    missing = sorted(want.keys() - found.keys() - getattr(side, "withheld", set()))
    if missing:
        raise WrongResult(f"no {', '.join(missing)}")
    worst = 0.0
    for key in want.keys() & found.keys():
        if found[key].shape != want[key].shape:
            raise WrongResult(f"{key} has shape {found[key].shape}, expected {want[key].shape}")
        error = np.abs(found[key] - want[key]).max() / np.abs(want[key]).max()
        if not error <= allowed:
            raise WrongResult(f"{key} is {error:.1e} of its largest value away from the reference, allowed {allowed:.0e}")
        worst = max(worst, float(error))
    for key in found:
        if not np.isfinite(found[key]).all():
            raise WrongResult(f"{key} is not finite")
    return worst
