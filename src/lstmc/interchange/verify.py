"""Proof that an imported model computes what its source computes: both run on the same generated inputs, and their outputs are compared.

For every source the same three steps. An importer describes what goes in, wraps both engines as functions from a dict of arrays to a dict of
arrays, and calls `verify`, which prints a table of the differences and raises where one is too large::

    specs = {"x": Spec(("T", "B", 12)), "lengths": Spec(("B",), lengths=True), "h_0": Spec((2, "B", 64), optional=True)}
    verify(theirs, ours, specs, dtype, what="torch.nn.GRU against lstmc.nn.GRU")

    def ours(inputs):               # without the optional inputs in every other case, and without lengths where nothing is ragged
        y, h_n = m(inputs["x"], inputs.get("h_0"), inputs.get("lengths"))
        return {"y": y, "h_n": h_n}

"T" and "B" in a shape are free and become one and several. Whole numbers, such as those an Embedding takes, are `Spec(("B", "T"), below=1000)`.
A source that marks padding by a value, not by lengths, gives that value as `padding` of its input: ragged cases end with it.
`compare` returns the same numbers as a `Report`, prints nothing and raises nothing: who wants them calls it.

Functions get arrays of their own, which they may keep or write to. Both must return the same names and shapes; what a source leaves undefined
(say, its output past a sequence's length) its function sets to 0. That of the source runs several times on every case, see `compare`.
"""

import math
from typing import NamedTuple

import numpy as np

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
MARGIN = 16     # differences of engines were up to 8 times what the last digit of their inputs changes, over modules with weights up to 30 times as usual
PROBES = 3      # changes of the last digit that are tried, since those of one can cancel each other: one in twenty did, where terms of 1e3 are summed
SEQUENCES, STEPS = (1, 5), (1, 9)       # what B and T become


class Spec(NamedTuple):
    """What an input is like.

    shape: numbers, "B" and "T". dtype: that of the comparison if None, int64 for whole numbers. below: for whole numbers from `low` to below - 1.
    lengths: (B,) whole numbers from 1 to T, of the ragged cases alone. padding: value of x from its length on, in the ragged cases; the axes
    begin with B and T, or T and B. optional: left out of every other case. scaled: False for an input that stays what it is in the extreme cases.
    """

    shape: tuple
    dtype: str | None = None
    below: int | None = None
    low: int = 0
    lengths: bool = False
    padding: float | None = None
    optional: bool = False
    scaled: bool = True


class Case(NamedTuple):
    """Inputs by name; usual: whether their values are of the size of 1 or less."""

    name: str
    inputs: dict
    usual: bool


class Row(NamedTuple):
    """The worst case of one output: the difference there, and what is allowed there."""

    output: str
    difference: float
    allowed: float
    case: str

    @property
    def ratio(self):
        return self.difference / self.allowed


class Report(NamedTuple):
    """All outputs of a comparison, as its `print` shows them; `ok` if no difference is larger than allowed."""

    what: str
    dtype: str
    tolerance: float
    cases: int
    rows: tuple

    @property
    def ok(self):
        return all(row.ratio <= 1 for row in self.rows)

    def __str__(self):
        lines = [("output", "difference", "allowed", "in the case"), *((r.output, f"{r.difference:.2g}", f"{r.allowed:.2g}", r.case) for r in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        head = f"{self.what}: {self.cases} cases in {self.dtype}, {'no difference is' if self.ok else 'DIFFERENCES ARE'} larger than rounding"
        return "\n".join([head, *("  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip() for line in lines)])

    def check(self):
        """Raise ValueError, naming output, case and difference, unless `ok`."""
        if not self.ok:
            worst = max(self.rows, key=lambda row: row.ratio)
            raise ValueError(f"verify: {self.what}: expected output {worst.output!r} within {worst.allowed:.2g} of the source's in {self.dtype}, received a "
                             f"difference of {worst.difference:.3g} in the case {worst.case!r}")


def verify(theirs, ours, specs, dtype="float32", *, what="source against lstmc", tolerance=None, print_fn=print):
    """`compare`, print its table, and raise ValueError where a difference is too large; returns the Report."""
    report = compare(theirs, ours, specs, dtype, what=what, tolerance=tolerance)
    print_fn(str(report))
    report.check()
    return report


def compare(theirs, ours, specs, dtype="float32", *, what="source against lstmc", tolerance=None):
    """The largest difference of every output over all generated cases, as a Report.

    Parameters
    ----------
    theirs, ours : callable
        dict of arrays -> dict of arrays, of the same names and shapes.
    specs : dict
        name of an input -> Spec.
    dtype : {"float32", "float64"}
    what : str
        For the table's head and the message.
    tolerance : float, optional
        2e-5 in float32, 1e-12 in float64.

    Notes
    -----
    A difference is the largest absolute one, over the output's largest absolute value or 1 if that is larger. Equal infinities and NaN in the same
    places are no difference.

    A network can amplify what every engine rounds in its own way: by large weights, or where large terms of a sum cancel. So the source also runs on
    inputs that differ in their last digit, and MARGIN times what that changes (in the same case, or the most in any usual one) is allowed where it is
    more than the tolerance. Inputs that are all whole numbers cannot be changed so; the tolerance alone is allowed then.
    """
    dtype = str(np.dtype(dtype))
    tolerance = TOLERANCE[dtype] if tolerance is None else tolerance
    rng, found, floor, n = np.random.default_rng(1), [], {}, 0
    for case in cases(specs, dtype):
        n += 1
        want, got = (run({name: a.copy() for name, a in case.inputs.items()}) for run in (theirs, ours))
        if want.keys() != got.keys():
            raise ValueError(f"verify: {what}: expected the outputs {', '.join(want)}, received {', '.join(got)}")
        near = [theirs({name: beside(a, specs[name].padding, rng) for name, a in case.inputs.items()}) for _ in range(PROBES)]
        for output in want:
            a, b = np.asarray(want[output]), np.asarray(got[output])
            if a.shape != b.shape:
                raise ValueError(f"verify: {what}: expected output {output!r} of shape {a.shape}, as the source's, received {b.shape}, "
                                 f"in the case {case.name!r}")
            moved = max((d for other in near if math.isfinite(d := difference(a, np.asarray(other[output])))), default=0.0)
            if case.usual:
                floor[output] = max(floor.get(output, 0.0), moved)
            found.append((output, difference(a, b), moved, case.name))
    worst = {}
    for output, d, moved, name in found:
        row = Row(output, d, max(tolerance, MARGIN * max(moved, floor.get(output, 0.0))), name)
        if output not in worst or row.ratio > worst[output].ratio:
            worst[output] = row
    return Report(what, dtype, tolerance, n, tuple(worst.values()))


def difference(want, got):
    """The largest absolute difference of two arrays over the largest absolute value of the first, or 1; infinite where only one is finite or a number."""
    want, got = (a.astype(np.float64) for a in (want, got))
    finite = np.isfinite(want) & np.isfinite(got)
    if not np.array_equal(want[~finite], got[~finite], equal_nan=True):
        return math.inf
    if not finite.any():
        return 0.0
    return float(np.abs(want[finite] - got[finite]).max() / max(1.0, np.abs(want[finite]).max()))


def beside(a, padding, rng):
    """A copy of an input in which floats differ in their last digit, up or down, but for those that say where a sequence ends."""
    if a.dtype.kind != "f":
        return a.copy()
    near = (a * (1 + float(np.finfo(a.dtype).eps) * rng.choice((-1.0, 1.0), a.shape))).astype(a.dtype)
    return near if padding is None else np.where(a == padding, a, near)


# Inputs -----------------------------------------------------------------------------------------------------


def random(shape, dtype, rng):
    return rng.standard_normal(shape)


def large(shape, dtype, rng):
    return 1e3 * rng.uniform(-1, 1, shape)


def zeros(shape, dtype, rng):
    return np.zeros(shape)


def denormal(shape, dtype, rng):
    return float(np.finfo(dtype).smallest_normal) * rng.uniform(-0.5, 0.5, shape)


def alternating(shape, dtype, rng):
    return np.where(np.indices(shape).sum(0) % 2, -1.0, 1.0)


VALUES = (random, large, zeros, denormal, alternating)


def cases(specs, dtype, seed=0):
    """Every case, the same ones for the same specs and seed: each kind of values in each size, ragged ones where the source can have them."""
    rng = np.random.default_rng(seed)
    letters = {n for spec in specs.values() for n in spec.shape if isinstance(n, str)}
    ragged = [False, True] if any(s.lengths or s.padding is not None for s in specs.values()) else [False]
    sizes = [(B, T) for B in SEQUENCES[:2 if "B" in letters else 1] for T in STEPS[:2 if "T" in letters else 1]]
    optional = any(s.optional for s in specs.values())
    for i, (B, T) in enumerate(sizes):
        for k, values in enumerate(VALUES):
            for some in ragged:
                if some and T == 1:
                    continue
                left_out = optional and (i + k) % 2 == 0
                inputs = made(specs, dtype, values, {"B": B, "T": T}, some, left_out, rng)
                named = [f"{letter}={n}" for letter, n in (("B", B), ("T", T)) if letter in letters]
                words = [values.__name__, *named, *["ragged"] * some, *["without optional inputs"] * left_out]
                yield Case(" ".join(words), inputs, values is not large)


def made(specs, dtype, values, sizes, ragged, left_out, rng):
    """The inputs of one case."""
    T, found = sizes["T"], {}
    ends = rng.integers(1, T + 1, sizes["B"])
    for name, spec in specs.items():
        if (spec.lengths and not ragged) or (spec.optional and left_out):
            continue
        shape = tuple(sizes[n] if isinstance(n, str) else n for n in spec.shape)
        if spec.lengths:
            a = ends.astype(spec.dtype or "int64")
        elif spec.below is not None:
            a = rng.integers(spec.low, spec.below, shape).astype(spec.dtype or "int64")
        else:
            a = (values if spec.scaled else random)(shape, dtype, rng).astype(spec.dtype or dtype)
        if ragged and spec.padding is not None:
            over = np.arange(T)[:, None] >= ends
            a[over if spec.shape[0] == "T" else over.T] = spec.padding
        found[name] = a
    return found
