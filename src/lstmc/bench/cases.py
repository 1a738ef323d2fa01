"""What is benchmarked: shapes, how much arithmetic they are, and the numbers to run them on. Nothing is timed here.

The command and the tests share this list. Shapes stand for a use each: sequences of speech and text, rows of sensors, one
sequence alone, a stream of single steps; sizes are both powers of two and not. A variant of a cell, a ragged batch and a
checkpointed tape each have a plain case of the same shape in the list, beside which they are read.
"""

from dataclasses import dataclass, replace

import numpy as np

KINDS = ("forward", "train", "step")
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
RANDOM = ("zoneout", "recurrent_dropout", "input_dropout")      # settings that draw masks when training
USUAL = ("sigmoid", "tanh", "tanh")                             # activations that an id does not repeat


@dataclass(frozen=True)
class Case:
    """One row: `kind` is inference over whole sequences, forward and backward, or one step of a stream.

    T time, B batch, I inputs, H hidden units, L layers, D directions. `settings` are the keywords of a variant of the cell as
    pairs; a ragged batch has lengths of its own (`lengths`); `checkpoint` is how many steps a tape leaves between kept states.
    """

    kind: str
    T: int
    B: int
    I: int
    H: int
    L: int = 1
    D: int = 1
    dtype: str = "float32"
    cell: str = "lstm"
    settings: tuple = ()
    ragged: bool = False
    checkpoint: int = 0

    @property
    def id(self):
        """Such as `train-gru-T100-B32-I256-H256`: the cell where it is no LSTM, and behind the shape all that is not plain."""
        cell = "" if self.cell == "lstm" else f"-{self.cell}"
        more = [f"L{self.L}"] * (self.L > 1) + [f"D{self.D}"] * (self.D > 1) + ["f64"] * (self.dtype == "float64")
        more += [text(*pair) for pair in self.settings] + ["ragged"] * self.ragged + [f"ckpt{self.checkpoint}"] * (self.checkpoint > 0)
        return "-".join([f"{self.kind}{cell}", f"T{self.T}", f"B{self.B}", f"I{self.I}", f"H{self.H}", *more])

    @property
    def beside(self):
        """The plain case that this one is read beside, None if it is plain itself."""
        plain = replace(self, settings=(), ragged=False, checkpoint=0)
        return None if plain == self else plain

    @property
    def random(self):
        """Names of settings whose results are drawn, so that no reference says what they must be."""
        return tuple(name for name, _ in self.settings if name in RANDOM and self.kind == "train")

    @property
    def P(self):
        """Of a projection, 0 without one."""
        return dict(self.settings).get("proj_size", 0)

    @property
    def R(self):
        """Values of h."""
        return self.P or self.H

    @property
    def gates(self):
        """Gates that need products: one less for each that is off or follows from another."""
        settings = dict(self.settings)
        return GATES[self.cell] - len(settings.get("gates_off", ())) - settings.get("coupled", False)

    @property
    def inputs(self):
        """Features that each layer reads."""
        return [self.I] + [self.D * self.R] * (self.L - 1)

    @property
    def live(self):
        """Pairs of a step and a sequence that has not ended: T*B, or the sum of the lengths."""
        return int(lengths(self).sum()) if self.ragged else self.T * self.B

    @property
    def flops(self):
        """Of the matrix products: 2*N*G*H*(I+R) for each layer and direction, N being `live` and G `gates`, and 2*N*P*H of a projection.

        Backward computes twice as much again. What a checkpointed tape computes a second time does not count.
        """
        forward = sum(2 * self.live * self.H * (self.gates * (I + self.R) + self.P) * self.D for I in self.inputs)
        return forward * (3 if self.kind == "train" else 1)


def text(name, value):
    """A setting as a part of an id: peephole, clip5, layer_norm_haste, gates_off_f, not_reset_after."""
    if isinstance(value, bool):
        return name if value else f"not_{name}"
    if isinstance(value, tuple):
        return "_".join([name, *(part for part in value if name != "activations" or part not in USUAL)])
    return f"{name}{value:g}" if isinstance(value, (int, float)) else f"{name}_{value}"


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

# GRU and plain RNN.
CELL_TRAIN = [
    (50, 24, 48, 96), (70, 32, 160, 160), (30, 32, 384, 384), (60, 1, 64, 128), (100, 32, 64, 64), (50, 64, 512, 512), (100, 32, 128, 128),
    (40, 8, 256, 256), (100, 1, 64, 64), (100, 64, 128, 256),
]
CELL_SHAPES = {
    ("forward", "gru"): [(100, 32, 128, 128), (100, 1, 128, 128), (100, 1, 256, 256), (50, 64, 512, 512)],
    ("train", "gru"): CELL_TRAIN,
    ("step", "gru"): [(1, 1, 40, 64), (1, 1, 128, 256)],
    ("forward", "rnn"): [(100, 32, 128, 128), (100, 1, 128, 128)],
    ("train", "rnn"): CELL_TRAIN,
}

# Variants, all trained on one shape; the first of a cell is the plain one.
VARIANTS = {
    "lstm": [
        {}, {"peephole": True}, {"coupled": True}, {"clip": 5.0}, {"activations": ("hard_sigmoid", "tanh", "tanh")}, {"gates_off": ("f",)},
        {"layer_norm": "haste"}, {"layer_norm": "tfa"}, {"zoneout": 0.1}, {"recurrent_dropout": 0.2}, {"input_dropout": 0.2}, {"proj_size": 64},
    ],
    "gru": [{}, {"reset_after": False}],
}

# Ragged batches and the padded ones of the same shapes, where these are not in the lists above.
RAGGED = [(100, 32, 64, 64), (200, 64, 128, 128), (400, 32, 256, 256)]

CASES = list(dict.fromkeys([
    *(Case(kind, *shape) for kind in KINDS for shape in SHAPES[kind]),
    *(Case(kind, *shape, cell=cell) for (kind, cell), shapes in CELL_SHAPES.items() for shape in shapes),
    *(Case("train", 60, 32, 128, 128, cell=cell, settings=tuple(one.items())) for cell, variants in VARIANTS.items() for one in variants),
    *(Case(kind, *shape, ragged=ragged) for kind in ("forward", "train") for shape in RAGGED for ragged in (False, True)),
    Case("train", 100, 32, 64, 64, cell="gru", ragged=True),
    *(Case("train", 400, 16, 128, 128, checkpoint=every) for every in (0, 20)),
]))

# A short list in which every kind, cell, type and limit occurs.
QUICK = [
    "forward-T100-B32-I64-H64", "forward-T100-B32-I256-H256", "forward-T60-B48-I200-H200", "forward-T100-B1-I64-H64",
    "forward-T100-B1-I256-H256", "forward-T60-B4-I128-H128-D2",
    "train-T100-B32-I10-H50", "train-T100-B32-I64-H64", "train-T40-B24-I144-H144", "train-T100-B1-I64-H64", "train-T28-B64-I28-H100-f64",
    "step-T1-B1-I40-H64", "step-T1-B1-I128-H256", "step-T1-B1-I512-H512",
    "train-gru-T100-B32-I64-H64", "step-gru-T1-B1-I128-H256", "train-rnn-T100-B32-I64-H64", "train-T100-B32-I64-H64-ragged",
]


def numbers(case):
    """Weights by PyTorch's names, x (T,B,I) and dy (T,B,D*R), of the size that trained networks have; the same each time."""
    rng = np.random.default_rng([case.T, case.B, case.I, case.H])
    bound, weights, rows = case.H**-0.5, {}, GATES[case.cell] * case.H
    for layer, I in enumerate(case.inputs):
        for way in ("", "_reverse")[: case.D]:
            shapes = {"weight_ih": (rows, I), "weight_hh": (rows, case.R), "bias_ih": (rows,), "bias_hh": (rows,)}
            if case.P:
                shapes["weight_hr"] = (case.P, case.H)
            for part, shape in shapes.items():
                weights[f"{part}_l{layer}{way}"] = rng.uniform(-bound, bound, shape).astype(case.dtype)
    x, dy = (rng.standard_normal((case.T, case.B, width)).astype(case.dtype) for width in (case.I, case.D * case.R))
    return weights, x, dy


def lengths(case):
    """Of a ragged batch, (B,) steps uniform in 1..T, the same each time; None of another."""
    return np.random.default_rng([case.T, case.B]).integers(1, case.T + 1, case.B) if case.ragged else None
