"""What is benchmarked: shapes, how much arithmetic they are, and the numbers to run them on. Nothing is timed here."""

from dataclasses import dataclass

import numpy as np

KINDS = ("forward", "train", "step")


@dataclass(frozen=True)
class Case:
    """One row: `kind` is inference over whole sequences, forward and backward, or one step of a stream."""

    kind: str
    T: int
    B: int
    I: int
    H: int

    @property
    def id(self):
        """Such as `train-T100-B32-I256-H256`."""
        return f"{self.kind}-T{self.T}-B{self.B}-I{self.I}-H{self.H}"

    @property
    def flops(self):
        """Of the matrix products: 2*T*B*4H*(I+H) forward; backward computes twice as much again."""
        return 2 * self.T * self.B * 4 * self.H * (self.I + self.H) * (3 if self.kind == "train" else 1)


SHAPES = {
    "forward": [
        (100, 32, 64, 64),
        (100, 32, 128, 128),
        (100, 32, 256, 256),
        (100, 32, 512, 512),
        (28, 256, 28, 128),
        (50, 128, 256, 256),
        (50, 64, 1024, 1024),
        (100, 1, 64, 64),
        (100, 1, 128, 128),
        (100, 1, 256, 256),
        (100, 1, 512, 512),
    ],
    "train": [
        (100, 32, 10, 50),
        (28, 128, 28, 128),
        (100, 32, 64, 64),
        (100, 32, 128, 128),
        (100, 32, 256, 256),
        (100, 32, 512, 512),
        (50, 128, 256, 256),
        (35, 20, 650, 650),
        (50, 64, 1024, 1024),
        (100, 1, 64, 64),
    ],
    "step": [
        (1, 1, 40, 64),
        (1, 1, 128, 256),
        (1, 1, 512, 512),
    ],
}
CASES = [Case(kind, *shape) for kind in KINDS for shape in SHAPES[kind]]


def numbers(case, dtype):
    """Weights by PyTorch's names, x (T,B,I) and dy (T,B,H), of the size that trained networks have; the same each time."""
    rng = np.random.default_rng([case.T, case.B, case.I, case.H])
    bound = case.H**-0.5
    shapes = {"weight_ih_l0": (4 * case.H, case.I), "weight_hh_l0": (4 * case.H, case.H), "bias_ih_l0": (4 * case.H,), "bias_hh_l0": (4 * case.H,)}
    weights = {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}
    x, dy = (rng.standard_normal((case.T, case.B, width)).astype(dtype) for width in (case.I, case.H))
    return weights, x, dy
