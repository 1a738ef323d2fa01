"""The bound on errors that the README states, on random networks with few units, where sums cancel most; weights are as modules draw them.

An error is measured by the largest value of its kind: of an output or a state, at least 1; of the gradients of x and of states, or of those of all
parameters, together with the gradients given. By its own size alone a gradient can be far less exact: with one unit it is one sum over all
steps and sequences, and what is left of that after its terms have cancelled may be as small as it likes.
"""

import numpy as np
import pytest

from cases import Case
from cells import VARIANTS, expected
from conftest import DTYPES, MODULES, TOLERANCE, named, state_in

UNITS = (1, 1, 1, 1, 2, 3, 5, 17)
# Seeds of networks of one unit with a gradient of which so little is left that its error in float32 is more than 1e-4 of it.
CANCELLING = {"rnn": (107, 488, 615, 702, 795, 1312)}


def drawn(name, dtype, seed):
    """(case, module, numbers) of a random network and a random call."""
    rng, variant = np.random.default_rng(seed), VARIANTS[name]
    T, B, I, H = (int(rng.choice(sizes)) for sizes in ((1, 3, 10, 30, 100), (1, 2, 5, 16), (1, 2, 5), UNITS))
    case = Case(T, B, I, H, L=int(rng.integers(1, 3)), D=int(rng.integers(1, 3)))
    m = MODULES[variant.cell](I, H, case.L, bidirectional=case.D == 2, dtype=dtype, seed=seed, **variant.settings)
    shapes = {"x": (T, B, I), "dy": (T, B, case.D * H)}
    shapes |= {name.format(part): (case.L * case.D, B, H) for part in variant.parts for name in ("{}0", "d{}_n")}
    numbers = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    return case, m, numbers | {"params": m.state_dict(), "lengths": None}


def scales(want, numbers):
    """The size by which the error of each result is measured."""
    def largest(*arrays):
        return max(np.max(np.abs(a), initial=0) for a in arrays)

    given = [a for name, a in numbers.items() if name[0] == "d"]
    inputs = [name for name in ("dx", "dh0", "dc0") if name in want]
    parameters = [name for name in want if name[0] == "d" and name not in inputs]
    found = {name: max(1.0, largest(a)) for name, a in want.items() if name[0] != "d"}
    for names in (inputs, parameters):
        found |= dict.fromkeys(names, largest(*given, *(want[name] for name in names)))
    return found


def errors(name, dtype, seed):
    """result -> (error, largest value, size by which it is measured)."""
    case, m, n = drawn(name, dtype, seed)
    y, state, tape = m.forward(n["x"], state_in(n))
    got = named(y, state, m.backward(tape, n["dy"], state_in(n, "d{}_n")))
    want = expected(case, VARIANTS[name], n)
    sizes = scales(want, n)
    return {key: (np.max(np.abs(got[key] - w)), np.max(np.abs(w)), sizes[key]) for key, w in want.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "gru-before", "lstm-peephole-all", "lstm-coupled", "rnn-relu"])
def test_errors_are_within_the_bound(name, dtype):
    for seed in [*range(16), *CANCELLING.get(name, ())]:
        for key, (error, _, size) in errors(name, dtype, seed).items():
            assert error <= TOLERANCE[dtype] * size, (seed, key, error / size)


def test_the_seeds_that_cancel_do():
    for name, seeds in CANCELLING.items():
        for seed in seeds:
            assert min(own / size for _, own, size in errors(name, "float64", seed).values()) < 0.01, seed
