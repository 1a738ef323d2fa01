"""What is benchmarked: shapes, how much arithmetic they are, and the numbers to run them on. Nothing is timed here.

The command and the tests share this list. Shapes stand for a use each: sequences of speech and text, rows of sensors, one
sequence alone, a stream of single steps; sizes are both powers of two and not.
"""

from dataclasses import dataclass

import numpy as np

KINDS = ("forward", "train", "step")


@dataclass(frozen=True)
class Case:
    """One row: `kind` is inference over whole sequences, forward and backward, or one step of a stream.

    T time, B batch, I inputs, H hidden units, L layers, D directions.
    """

    kind: str
    T: int
    B: int
    I: int
    H: int
    L: int = 1
    D: int = 1
    dtype: str = "float32"

    @property
    def id(self):
        """Such as `train-T100-B32-I256-H256`; -L2, -D2 and -f64 follow where they are not 1, 1 and float32."""
        more = f"-L{self.L}" * (self.L > 1) + f"-D{self.D}" * (self.D > 1) + "-f64" * (self.dtype == "float64")
        return f"{self.kind}-T{self.T}-B{self.B}-I{self.I}-H{self.H}{more}"

    @property
    def inputs(self):
        """Features that each layer reads."""
        return [self.I] + [self.D * self.H] * (self.L - 1)

    @property
    def flops(self):
        """Of the matrix products: 2*T*B*4H*(I+H) for each layer and direction; backward computes twice as much again."""
        forward = sum(2 * self.T * self.B * 4 * self.H * (I + self.H) * self.D for I in self.inputs)
        return forward * (3 if self.kind == "train" else 1)


SHAPES = {
    "forward": [
        (100, 32, 64, 64), (100, 32, 128, 128), (100, 32, 256, 256), (100, 32, 512, 512),
        (28, 256, 28, 128), (50, 128, 256, 256), (50, 64, 1024, 1024),
        (25, 24, 160, 160), (60, 48, 200, 200), (80, 40, 300, 320), (40, 64, 80, 384), (30, 100, 240, 512),
        # one sequence: bound by reading the recurrent weights
        (100, 1, 64, 64), (100, 1, 128, 128), (100, 1, 256, 256), (100, 1, 512, 512), (50, 1, 1024, 1024),
        (120, 1, 40, 96), (80, 1, 100, 200), (60, 1, 128, 384), (50, 1, 300, 768),
        # layers and directions
        (100, 1, 64, 64, 1, 2), (60, 4, 128, 128, 1, 2), (100, 32, 128, 128, 1, 2),
        (100, 16, 64, 128, 2), (100, 1, 128, 128, 2),
    ],
    "train": [
        (100, 32, 10, 50), (28, 128, 28, 128), (100, 32, 64, 64), (100, 32, 128, 128), (100, 32, 256, 256), (100, 32, 512, 512),
        (50, 128, 256, 256), (35, 20, 650, 650), (50, 64, 1024, 1024), (100, 1, 64, 64),
        (40, 24, 144, 144), (30, 64, 200, 200), (60, 32, 100, 320), (25, 48, 384, 384),
        (60, 4, 128, 128, 1, 2), (100, 16, 64, 128, 2),
        (100, 32, 64, 64, 1, 1, "float64"), (100, 32, 128, 128, 1, 1, "float64"), (28, 64, 28, 100, 1, 1, "float64"),
        (50, 16, 256, 256, 1, 1, "float64"), (100, 1, 64, 64, 1, 1, "float64"),
    ],
    "step": [
        (1, 1, 40, 48), (1, 1, 40, 64), (1, 1, 64, 128), (1, 1, 100, 200), (1, 1, 128, 256), (1, 1, 400, 400), (1, 1, 512, 512),
        (1, 1, 512, 1024),
    ],
}
CASES = [Case(kind, *shape) for kind in KINDS for shape in SHAPES[kind]]

# A short list in which every kind, type and limit occurs.
QUICK = [
    "forward-T100-B32-I64-H64", "forward-T100-B32-I256-H256", "forward-T60-B48-I200-H200", "forward-T100-B1-I64-H64",
    "forward-T100-B1-I256-H256", "forward-T60-B4-I128-H128-D2",
    "train-T100-B32-I10-H50", "train-T100-B32-I64-H64", "train-T40-B24-I144-H144", "train-T100-B1-I64-H64", "train-T28-B64-I28-H100-f64",
    "step-T1-B1-I40-H64", "step-T1-B1-I128-H256", "step-T1-B1-I512-H512",
]


def numbers(case):
    """Weights by PyTorch's names, x (T,B,I) and dy (T,B,D*H), of the size that trained networks have; the same each time."""
    rng = np.random.default_rng([case.T, case.B, case.I, case.H])
    bound, weights = case.H**-0.5, {}
    for layer, I in enumerate(case.inputs):
        for way in ("", "_reverse")[: case.D]:
            shapes = {"weight_ih": (4 * case.H, I), "weight_hh": (4 * case.H, case.H), "bias_ih": (4 * case.H,), "bias_hh": (4 * case.H,)}
            for part, shape in shapes.items():
                weights[f"{part}_l{layer}{way}"] = rng.uniform(-bound, bound, shape).astype(case.dtype)
    x, dy = (rng.standard_normal((case.T, case.B, width)).astype(case.dtype) for width in (case.I, case.D * case.H))
    return weights, x, dy
