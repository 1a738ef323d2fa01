"""Writes `keras.npz`: what the recurrent layers of Keras compute, in float64, forward and backward, for the cases below.

To regenerate, from the root of the repository, in an environment that has Keras 3.15, JAX and NumPy::

    python tests/golden/make_keras.py

Keys are those of the files of `make_golden.py`, in PyTorch's names, shapes and gate order, with "keras_version"; the
"config" also names the cell. Where Keras has one bias it is bias_ih, bias_hh is 0, and both have its gradient. A
"mask" is (T,B), with padding on the left and holes. At masked steps Keras repeats an output; y is 0 there in the
file, and no gradient comes from there. With "reverse" in its config a case has the backward direction alone
(go_backwards), and its y is in the order of time, not in the order in which Keras returns it. The default
activation is given as JAX's tanh, because Keras 3.15 rounds its own to float32 on JAX.
"""

import json
import os
from pathlib import Path

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}

import jax
import keras
import numpy as np

T, B, I, H = 6, 4, 3, 5
LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
STATES = {"lstm": "hc", "gru": "h", "rnn": "h"}
# Where the gates of PyTorch's order stand in Keras's.
ORDER = {"lstm": [0, 1, 2, 3], "gru": [1, 0, 2], "rnn": [0]}
HARD = ["hard_sigmoid", 1 / 6, 0.5]
GRU_BEFORE = ("gru", {"reset_after": False}, {"reset_after": False})

# name: (cell, settings in Keras, the same settings of the reference, one way or both, whether there is a mask)
CASES = {
    "lstm": ("lstm", {}, {}, "forward", False),
    "lstm_hard_sigmoid": ("lstm", {"recurrent_activation": "hard_sigmoid"},
                          {"activations": [HARD, "tanh", "tanh"]}, "forward", False),
    "lstm_relu": ("lstm", {"activation": "relu"}, {"activations": ["sigmoid", "relu", "relu"]}, "forward", False),
    "lstm_backwards": ("lstm", {}, {}, "backward", False),
    "lstm_mask": ("lstm", {}, {}, "forward", True),
    "lstm_backwards_mask": ("lstm", {}, {}, "backward", True),
    "lstm_bidirectional_mask": ("lstm", {}, {}, "both", True),
    "gru": ("gru", {}, {}, "forward", False),
    "gru_before": (*GRU_BEFORE, "forward", False),
    "gru_hard_sigmoid": ("gru", {"recurrent_activation": "hard_sigmoid"}, {"activations": [HARD, "tanh"]}, "forward", False),
    "gru_bidirectional_mask": ("gru", {}, {}, "both", True),
    "gru_before_backwards_mask": (*GRU_BEFORE, "backward", True),
    "rnn": ("rnn", {}, {}, "forward", False),
    "rnn_relu": ("rnn", {"activation": "relu"}, {"nonlinearity": "relu"}, "forward", False),
    "rnn_backwards_mask": ("rnn", {}, {}, "backward", True),
}


@keras.saving.register_keras_serializable()
def tanh(a):
    return jax.numpy.tanh(a)


def draw(rng, shape, scale=1.5):
    """Multiples of 2^-12 that are not zero."""
    return np.rint(rng.choice([-scale, scale], shape) * rng.uniform(0.05, 1.0, shape) * 4096) / 4096


def gates(cell, array, axis):
    """Keras's gates in PyTorch's order."""
    blocks = np.split(array, len(ORDER[cell]), axis)
    return np.concatenate([blocks[k] for k in ORDER[cell]], axis)


def named(cell, suffix, kernel, recurrent, bias, gradient):
    """One direction's weights, or their gradients, under PyTorch's names."""
    other = bias if gradient else 0 * bias
    b_ih, b_hh = bias if bias.ndim == 2 else (bias, other)
    parts = {"weight_ih": kernel.T, "weight_hh": recurrent.T, "bias_ih": b_ih, "bias_hh": b_hh}
    return {f"{part}_l0{suffix}": gates(cell, a, 0) for part, a in parts.items()}


def run(number, cell, keras_settings, settings, way, with_mask):
    """One case as a dict of arrays."""
    rng = np.random.default_rng([number, 315])
    keras_settings = {"activation": tanh, **keras_settings}
    layer = LAYERS[cell](H, return_sequences=True, return_state=True, go_backwards=way == "backward", dtype="float64",
                         **keras_settings)
    if way == "both":
        layer = keras.layers.Bidirectional(layer, dtype="float64")
    layer.build((B, T, I))
    D, parts = 1 + (way == "both"), STATES[cell]
    weights = [draw(rng, tuple(v.shape), 1.5 / np.sqrt(H)) for v in layer.trainable_variables]
    x, dy = draw(rng, (T, B, I)), draw(rng, (T, B, D * H))
    state, dstate = draw(rng, (len(parts), D, B, H)), draw(rng, (len(parts), D, B, H))
    mask = None
    if with_mask:
        mask = rng.random((T, B)) < 0.6
        mask[:2, 0], mask[:, 1], mask[0, 2:] = False, True, (False, True)
        mask[2, 0], mask[3, 0], mask[4, 0] = True, False, True
        dy = dy * mask[:, :, None]
    others = [v.value for v in layer.non_trainable_variables]

    def results(weights, x, state):
        initial = [state[n, d] for d in range(D) for n in range(len(parts))]
        keras_mask = None if mask is None else mask.T
        (y, *last), _ = layer.stateless_call(weights, others, x.swapaxes(0, 1), initial_state=initial, mask=keras_mask)
        y = y.swapaxes(0, 1)
        y = y[::-1] if way == "backward" else y
        last = jax.numpy.stack(last).reshape(D, len(parts), B, H).swapaxes(0, 1)
        return y, last

    def loss(*arguments):
        y, last = results(*arguments)
        return (dy * y).sum() + (dstate * last).sum()

    y, last = results(weights, x, state)
    dweights, dx, dstate0 = jax.grad(loss, (0, 1, 2))(weights, x, state)
    y = np.asarray(y) if mask is None else np.asarray(y) * mask[:, :, None]
    arrays = {"x": x, "dy": dy, "y": y, "dx": dx}
    for n, part in enumerate(parts):
        arrays |= {f"{part}0": state[n], f"d{part}_n": dstate[n], f"{part}_n": last[n], f"d{part}0": dstate0[n]}
    for d, suffix in enumerate(("", "_reverse")[:D]):
        own, grads = weights[3 * d : 3 * d + 3], map(np.asarray, dweights[3 * d : 3 * d + 3])
        arrays |= {f"params/{name}": w for name, w in named(cell, suffix, *own, gradient=False).items()}
        arrays |= {f"dparams/{name}": w for name, w in named(cell, suffix, *grads, gradient=True).items()}
    arrays |= {} if mask is None else {"mask": mask}
    config = {"cell": cell, "hidden_size": H, "bidirectional": way == "both", "reverse": way == "backward", **settings}
    arrays = {name: np.asarray(a) for name, a in arrays.items()}
    assert all(a.dtype in (np.float64, np.bool_) for a in arrays.values())
    return arrays | {"config": np.array(json.dumps(config))}


def main():
    keras.config.set_floatx("float64")
    golden = {"keras_version": np.array(keras.__version__)}
    for number, (case, spec) in enumerate(CASES.items()):
        golden |= {f"{case}/{name}": a for name, a in run(number, *spec).items()}
    path = Path(__file__).with_name("keras.npz")
    np.savez_compressed(path, **golden)
    print(f"{path.name}: {len(CASES)} cases, {path.stat().st_size} bytes, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
