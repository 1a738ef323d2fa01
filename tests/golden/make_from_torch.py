"""Writes `from_torch.npz`: names and shapes of the weights of torch's recurrent modules, and what they compute of drawn ones, in float64.

To regenerate, from the root of the repository, in an environment that has torch 2.13 and NumPy::

    python tests/golden/make_from_torch.py

Every kind, with one layer and two, in one direction and both, with and without biases and a projection, and the cells. Weights and inputs are
drawn by `drawn`, which the tests use, too: multiples of 2^-12, which float32 holds exactly. Keys are "case/y", "case/h_n", "case/c_n"; "cases" is a
JSON text, case -> [[name, shape], ...] as in the module's state_dict, "torch_version" that of the file.
"""

import json
from itertools import product
from pathlib import Path

import numpy as np

T, B, I, H, P = 3, 2, 3, 4, 2
PATH = Path(__file__).with_name("from_torch.npz")


def drawn(number, shapes):
    """Arrays of these shapes: those of the weights of a case, then its x."""
    rng = np.random.default_rng([13, number])
    return [np.rint(rng.uniform(-1, 1, shape) * 4096) / 4096 for shape in shapes]


def cases():
    """name -> (class in torch.nn, arguments)."""
    for kind, more in (("LSTM", {}), ("LSTM", {"proj_size": P}), ("GRU", {}), ("RNN", {}), ("RNN", {"nonlinearity": "relu"})):
        for L, D, bias in product((1, 2), (1, 2), (True, False)):
            yield "-".join([kind, *map(str, more.values()), f"L{L}", f"D{D}", "bias" if bias else "plain"]), \
                (kind, {"num_layers": L, "bidirectional": D == 2, "bias": bias, **more})
    for kind in ("LSTMCell", "GRUCell", "RNNCell"):
        yield kind, (kind, {})


def run(number, kind, settings):
    """(names and shapes of the weights, results) of a case."""
    import torch

    module = getattr(torch.nn, kind)(I, H, **settings, dtype=torch.float64)
    shapes = [[name, list(w.shape)] for name, w in module.state_dict().items()]
    *weights, x = map(torch.from_numpy, drawn(number, [shape for _, shape in shapes] + [(T, B, I)]))
    module.load_state_dict({name: w for (name, _), w in zip(shapes, weights, strict=True)})
    with torch.no_grad():
        if kind.endswith("Cell"):
            state, ys = None, []
            for x_t in x:
                state = module(x_t, state)
                ys.append(state[0] if isinstance(state, tuple) else state)
            y, state = torch.stack(ys), tuple(a[None] for a in state) if isinstance(state, tuple) else state[None]
        else:
            y, state = module(x)
    state = state if isinstance(state, tuple) else (state,)
    return shapes, {name: a.numpy() for name, a in zip(("y", "h_n", "c_n"), (y, *state), strict=False)}


def main():
    import torch

    golden, names = {"torch_version": np.array(str(torch.__version__))}, {}
    for number, (case, (kind, settings)) in enumerate(cases()):
        names[case], results = run(number, kind, settings)
        golden |= {f"{case}/{name}": a for name, a in results.items()}
    np.savez_compressed(PATH, cases=np.array(json.dumps(names)), **golden)
    print(f"{PATH.name}: {len(names)} cases, {PATH.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
