"""Writes `keras_layers.npz`: what layers of Keras compute, in float64, forward and backward, for the cases below.

To regenerate, from the root of the repository, in an environment that has Keras 3.15, JAX and NumPy::

    python tests/golden/make_keras_layers.py

A case has "spec", the layer as JSON, {"class": ..., "config": ...}, where a layer inside another one is a spec too; "x", its input; "w0", "w1", ...,
its weights in Keras's order and layout; "y0", its output, and "y1", ..., the states after it; "dy0", ... gradients of a scalar with respect to
these; "dx", "dw0", ... the gradients that follow. Some have "mask" (B, T), with padding on both sides and holes, and "s0", ..., the initial
state, with "ds0", .... The default activation is given as JAX's tanh, because Keras 3.15 rounds its own to float32 on JAX.
"""

import json
import os
from pathlib import Path

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}

import jax
import keras
import numpy as np

B, T, I, H = 5, 6, 3, 4
MASK = np.array([[1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 1, 0], [1, 1, 1, 0, 0, 0]], bool)
SEQUENCES, STATE, BACKWARDS = {"return_sequences": True}, {"return_state": True}, {"go_backwards": True}


def spec(kind, inner=None, **config):
    """The description of a layer."""
    return {"class": kind, "config": config if inner is None else {"layer": inner, **config}}


# name: (spec, shape of x or x itself, whether there is a mask, number of initial states)
CASES = {}
for kind, parts, more in (("LSTM", 2, {}), ("GRU", 1, {}), ("GRU", 1, {"reset_after": False}), ("SimpleRNN", 1, {})):
    for settings, mask, state in (
        ({}, True, 0), (SEQUENCES, True, 0), (BACKWARDS, True, 0), (SEQUENCES | BACKWARDS, True, 0), (SEQUENCES | STATE, True, 1),
        (STATE | BACKWARDS, True, 1), (SEQUENCES | {"use_bias": False}, False, 0), ({"activation": "relu"}, True, 0),
    ):
        settings = settings | more
        name = "_".join([kind, *settings, *["mask"] * mask, *["initial"] * state])
        CASES[name] = (spec(kind, units=H, **settings), (B, T, I), mask, parts * state)
CASES |= {
    "LSTM_hard": (spec("LSTM", units=H, recurrent_activation="hard_sigmoid", activation="softsign"), (B, T, I), False, 0),
    "GRU_hard": (spec("GRU", units=H, recurrent_activation="hard_sigmoid", activation="elu"), (B, T, I), False, 0),
    "RNN_leaky": (spec("SimpleRNN", units=H, activation="leaky_relu"), (B, T, I), False, 0),
    "both_LSTM_concat": (spec("Bidirectional", spec("LSTM", units=H, **SEQUENCES)), (B, T, I), True, 0),
    "both_LSTM_sum_states": (spec("Bidirectional", spec("LSTM", units=H, **STATE), merge_mode="sum"), (B, T, I), True, 4),
    "both_GRU_ave": (spec("Bidirectional", spec("GRU", units=H), merge_mode="ave"), (B, T, I), True, 0),
    "both_GRU_mul": (spec("Bidirectional", spec("GRU", units=H, **SEQUENCES), merge_mode="mul"), (B, T, I), True, 0),
    "both_GRU_before": (spec("Bidirectional", spec("GRU", units=H, reset_after=False, **SEQUENCES | STATE)), (B, T, I), False, 2),
    "both_RNN": (spec("Bidirectional", spec("SimpleRNN", units=H)), (B, T, I), True, 0),
}


NUMBERS = np.array([[0, 3, 6, 3, 3, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], [6, 5, 4, 3, 2, 1], [2, 0, 2, 0, 2, 5]])
SOME = MASK[[0, 1, 3, 3, 4]]      # no sequence without a valid step, for which Keras divides by 0
CASES |= {
    "embedding": (spec("Embedding", input_dim=7, output_dim=3, mask_zero=True), NUMBERS, False, 0),
    "embedding_one": (spec("Embedding", input_dim=8, output_dim=1), NUMBERS[:, :1], False, 0),
    "steps_dense": (spec("TimeDistributed", spec("Dense", units=4, activation="softmax")), (B, T, I), True, 0),
    "steps_rnn": (spec("TimeDistributed", spec("SimpleRNN", units=H, **SEQUENCES)), (2, 3, T, I), False, 0),
    "steps_embedding": (spec("TimeDistributed", spec("Embedding", input_dim=7, output_dim=3)), NUMBERS.reshape(B, 3, 2), False, 0),
    "repeat": (spec("RepeatVector", n=3), (B, I), False, 0),
    "reshape": (spec("Reshape", target_shape=[-1, 2]), (B, T, I), False, 0),
    "reshape_whole": (spec("Reshape", target_shape=[I, 2, 3]), (B, T, I), False, 0),
    "average": (spec("GlobalAveragePooling1D"), (B, 4, I), False, 0),      # the gradient of a mean of 6 is rounded to float32
    "average_mask": (spec("GlobalAveragePooling1D", keepdims=True), (B, T, I), SOME, 0),
    "max": (spec("GlobalMaxPooling1D"), (B, T, I), False, 0),
    "max_ties": (spec("GlobalMaxPooling1D", keepdims=True), np.array([[[1.0], [2.0], [2.0]], [[0.0], [0.0], [0.0]]]), False, 0),
    "activation": (spec("Activation", activation="softsign"), (B, I), False, 0),
}


@keras.saving.register_keras_serializable()
def tanh(a):
    return jax.numpy.tanh(a)


def draw(rng, shape, scale=1.0):
    """Multiples of 2^-12 that are not zero."""
    return np.rint(rng.choice([-scale, scale], shape) * rng.uniform(0.05, 1.0, shape) * 4096) / 4096


def built(found):
    """Keras's layer of a spec."""
    config = dict(found["config"])
    if "layer" in config:
        return getattr(keras.layers, found["class"])(built(config.pop("layer")), **config, dtype="float64")
    if found["class"] in ("LSTM", "GRU", "SimpleRNN"):
        config = {"activation": tanh, **config}
    return getattr(keras.layers, found["class"])(**config, dtype="float64")


def run(number, found, x, with_mask, states):
    """One case as a dict of arrays."""
    rng = np.random.default_rng([number, 12])
    x = draw(rng, x) if isinstance(x, tuple) else np.array(x)
    layer = built(found)
    mask = with_mask if isinstance(with_mask, np.ndarray) else MASK if with_mask else None
    layer.build(x.shape)
    weights = [draw(rng, tuple(v.shape), 0.8) for v in layer.trainable_variables]
    initial = [draw(rng, (len(x), H)) for _ in range(states)]
    others = [v.value for v in layer.non_trainable_variables]

    def results(weights, x, initial):
        arguments = ({} if mask is None else {"mask": mask}) | ({"initial_state": initial} if initial else {})
        y = layer.stateless_call(weights, others, x, **arguments)[0]
        return list(y) if isinstance(y, (tuple, list)) else [y]

    y = results(weights, x, initial)
    dy = [draw(rng, a.shape) for a in y]
    whole = x.dtype.kind == "i"

    def loss(*arguments):
        return sum((d * v).sum() for d, v in zip(dy, results(*arguments), strict=True))

    dweights, dx, dinitial = jax.grad(loss, (0, 1, 2), allow_int=whole)(weights, x, initial)
    arrays = {"x": x} if whole else {"x": x, "dx": dx}
    for name, several in {"w": weights, "dw": dweights, "s": initial, "ds": dinitial, "y": y, "dy": dy}.items():
        arrays |= {f"{name}{n}": a for n, a in enumerate(several)}
    arrays |= {} if mask is None else {"mask": mask}
    arrays = {name: np.asarray(a) for name, a in arrays.items()}
    assert all(a.dtype in (np.float64, np.int64, np.bool_) for a in arrays.values())
    return arrays | {"spec": np.array(json.dumps(found))}


def main():
    keras.config.set_floatx("float64")
    golden = {"keras_version": np.array(keras.__version__)}
    for number, (case, arguments) in enumerate(CASES.items()):
        golden |= {f"{case}/{name}": a for name, a in run(number, *arguments).items()}
    path = Path(__file__).with_name("keras_layers.npz")
    np.savez_compressed(path, **golden)
    print(f"{path.name}: {len(CASES)} cases, {path.stat().st_size} bytes, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
