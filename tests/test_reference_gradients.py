"""Proves that the reference's backward is the derivative of its forward, by central differences.

For every variant of `cells.VARIANTS`: every element of every argument at a small size, and one random direction
through all arguments at once with several layers, both directions, lengths, a mask with holes, and the masks of
dropout and zoneout. The cells without options pass the same at every awkward size, and every element at more small ones.
"""

import math

import numpy as np
import pytest

from cases import AWKWARD, Case
from cells import VARIANTS, expected, kinks, make, make_mask, make_masks, name_of, variants_on

pytestmark = pytest.mark.reference

PLAIN = ("lstm", "lstm-peephole", "gru", "gru-before", "rnn")
SMALL = [
    Case(2, 2, 2, 2),
    Case(1, 1, 1, 1),
    Case(2, 1, 2, 3, P=2, bias=False),
]
RAGGED = [Case(3, 2, 2, 2, D=2, ragged=True), Case(0, 2, 2, 2, L=2)]
LAYERS = [
    Case(5, 4, 3, 3, L=2, D=2, ragged=True),
    Case(4, 3, 3, 4, L=2, D=2, P=2),
]
WAYS = ("lengths", "mask", "masks", "mask and masks")


class Run:
    """A case with its numbers, every argument by the name of its gradient, to be moved and differentiated."""

    def __init__(self, case, variant, way="lengths"):
        self.case, self.variant = case, VARIANTS[variant]
        numbers = make(case, self.variant)
        self.dout = {name: a for name, a in numbers.items() if name.startswith("d")}
        self.more = {}
        if "mask" in way.split():
            self.more["mask"] = make_mask(case)
            numbers["lengths"] = None
        if "masks" in way:
            self.more["masks"] = make_masks(case, self.variant)
        self.lengths = numbers["lengths"]
        self.arrays = {f"d{name}": a for name, a in numbers["params"].items()}
        self.arrays |= {f"d{name}": numbers[name] for name in ("x", *(f"{s}0" for s in self.variant.parts))}
        # Roundoff grows as the step shrinks; a kink must not lie within it.
        self.step, self.tolerance = (1e-4, 1e-9) if kinks(self.variant) is None else (2e-6, 1e-7)

    def results(self):
        a = {name.removeprefix("d"): array for name, array in self.arrays.items()}
        inputs = {name: a.pop(name) for name in ("x", "h0", "c0") if name in a}
        return expected(self.case, self.variant, inputs | self.dout | {"params": a, "lengths": self.lengths}, **self.more)

    def grads(self):
        results = self.results()
        assert set(results) == set(self.arrays) | {name.removeprefix("d") for name in self.dout}
        return {name: results[name] for name in self.arrays}

    def loss(self):
        """The number whose gradients `dout` are."""
        results = self.results()
        return sum(float((d * results[name.removeprefix("d")]).sum()) for name, d in self.dout.items())

    def slope(self, moved):
        """The derivative of `moved` at 0, to fourth order: the error is step**4 / 30 times the fifth derivative."""
        s = self.step
        return (8 * (moved(s) - moved(-s)) - (moved(2 * s) - moved(-2 * s))) / (12 * s)

    def slope_along(self, along):
        still = self.arrays

        def moved(step):
            self.arrays = {name: a + step * along[name] for name, a in still.items()}
            value = self.loss()
            self.arrays = still
            return value

        return self.slope(moved)


@pytest.mark.parametrize(("case", "variant"), variants_on(SMALL[:1]) + variants_on(SMALL[1:] + RAGGED, PLAIN), ids=name_of)
def test_every_element(case, variant):
    run = Run(case, variant)
    for name, grad in run.grads().items():
        array, numeric = run.arrays[name], np.empty(grad.shape)
        for index in np.ndindex(array.shape):
            value = array[index]

            def moved(step, array=array, index=index, value=value):
                array[index] = value + step
                return run.loss()

            numeric[index] = run.slope(moved)
            array[index] = value
        assert grad.shape == array.shape, name
        error = np.max(np.abs(grad - numeric), initial=0.0)
        assert error <= run.tolerance * max(1.0, np.max(np.abs(numeric), initial=0.0)), f"{name}: {error}"


def check_along_a_random_direction(run):
    """All arguments move at once: one derivative, at sizes where every element would take too long."""
    grads, rng = run.grads(), np.random.default_rng(1)
    along = {name: rng.choice([-1.0, 1.0], g.shape) / np.sqrt(sum(v.size for v in grads.values()))
             for name, g in grads.items()}
    expected_slope = sum(float((grads[name] * v).sum()) for name, v in along.items())
    size = math.sqrt(sum(float((g**2).sum()) for g in grads.values()))
    assert abs(run.slope_along(along) - expected_slope) <= 0.1 * run.tolerance * size


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("case", "variant"), variants_on(LAYERS), ids=name_of)
def test_layers_and_masks_along_a_random_direction(case, variant, way):
    check_along_a_random_direction(Run(case, variant, way))


@pytest.mark.parametrize(("case", "variant"), variants_on(AWKWARD, PLAIN), ids=name_of)
def test_awkward_sizes_along_a_random_direction(case, variant):
    check_along_a_random_direction(Run(case, variant))
