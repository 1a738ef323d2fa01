"""The one list of awkward cases; `cells` has the numbers to run them on.

A kernel that is right on all of `AWKWARD` has met every tail: sizes of 1, one below, at and one above
the vector widths (8 and 16 lanes), primes, empty axes, ragged batches with empty sequences, projections,
both directions and several layers. Letters as in `lstmc.reference`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """Sizes of one run: D directions (1 or 2), P = 0 for no projection, ragged if `lengths` is given."""

    T: int
    B: int
    I: int
    H: int
    L: int = 1
    D: int = 1
    P: int = 0
    bias: bool = True
    ragged: bool = False

    @property
    def id(self):
        """A name for pytest and for tables, such as ``T7-B3-I5-H17-L2-D2-P3-nobias-ragged``."""
        parts = [f"T{self.T}", f"B{self.B}", f"I{self.I}", f"H{self.H}"]
        parts += [f"L{self.L}"] * (self.L > 1) + [f"D{self.D}"] * (self.D > 1) + [f"P{self.P}"] * (self.P > 0)
        return "-".join(parts + ["nobias"] * (not self.bias) + ["ragged"] * self.ragged)

    @property
    def R(self):
        """Width of h: P with a projection, H without one."""
        return self.P or self.H

    @property
    def suffixes(self):
        """(layer, direction, the end of its parameters' names), in the order of the state's axis L*D."""
        return [(layer, d, f"l{layer}{'_reverse' * d}") for layer in range(self.L) for d in range(self.D)]


AWKWARD = [
    # the smallest there is, then one axis at a time
    Case(1, 1, 1, 1),
    Case(5, 1, 1, 1),
    Case(1, 5, 1, 1),
    Case(3, 2, 5, 1),
    Case(3, 2, 1, 5),
    # around 8 lanes
    Case(4, 3, 7, 7),
    Case(4, 3, 8, 8),
    Case(4, 3, 9, 9),
    Case(3, 7, 9, 8),
    Case(3, 8, 7, 9),
    Case(3, 9, 8, 7),
    # around 16 lanes
    Case(4, 2, 15, 15),
    Case(4, 2, 16, 16),
    Case(4, 2, 17, 17),
    Case(2, 15, 16, 17),
    Case(2, 16, 17, 15),
    Case(2, 17, 15, 16),
    # several full tiles and a tail; primes everywhere
    Case(3, 33, 31, 65),
    Case(2, 67, 3, 47),
    Case(11, 5, 13, 23),
    # chains that are cut into strips, forward and backward, and tiles of one row beside others
    Case(2, 13, 1450, 9),
    Case(3, 7, 3, 187),
    Case(5, 5, 4, 131, ragged=True),
    # one sequence, one step, long and thin
    Case(19, 1, 13, 29),
    Case(1, 13, 11, 19),
    Case(101, 2, 3, 5),
    # empty axes
    Case(0, 3, 5, 7),
    Case(4, 0, 5, 7),
    Case(0, 0, 5, 7),
    Case(0, 3, 5, 7, L=2, D=2, P=3),
    # ragged
    Case(7, 5, 4, 9, ragged=True),
    Case(9, 17, 5, 16, ragged=True),
    Case(6, 1, 3, 8, ragged=True),
    Case(7, 6, 5, 17, D=2, ragged=True),
    Case(0, 3, 5, 7, ragged=True),
    Case(4, 0, 5, 7, D=2, ragged=True),
    # no bias, projection
    Case(5, 3, 7, 17, bias=False),
    Case(5, 3, 5, 17, P=3),
    Case(4, 9, 8, 16, P=15),
    Case(5, 4, 3, 9, P=1, bias=False),
    # layers and directions
    Case(5, 3, 6, 11, D=2),
    Case(5, 3, 6, 11, L=2),
    Case(4, 5, 3, 7, L=3, bias=False),
    Case(6, 4, 5, 9, L=2, D=2, ragged=True),
    Case(5, 7, 5, 17, L=3, D=2, P=3, ragged=True),
]


def nonzero(rng, shape, dtype, scale=1.5):
    """Uniform magnitudes in [scale/20, scale) with random signs."""
    return (rng.choice([-scale, scale], shape) * rng.uniform(0.05, 1.0, shape)).astype(dtype)


def ragged_lengths(rng, T, B):
    """Lengths in no order; a full one, an empty one and one between are among them if B >= 3 and T >= 2."""
    lengths = rng.integers(0, T + 1, B)
    lengths[:3] = [T // 2, 0, T][:B]
    return rng.permutation(lengths)
