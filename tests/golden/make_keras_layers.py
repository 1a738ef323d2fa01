"""Writes `keras_layers.npz`: what layers of Keras compute, in float64, forward and backward, for the cases below.

To regenerate, from the root of the repository, in an environment that has Keras 3.15, JAX and NumPy::

    python tests/golden/make_keras_layers.py

With names of cases behind it, those alone are made anew.

A case has "spec", the layer as JSON, {"class": ..., "config": ...}, where a layer inside another one is a spec too; "x", its input; "w0", "w1", ...,
its weights in Keras's order and layout; "y0", its output, and "y1", ..., the outputs or states after it; "dy0", ... gradients of a scalar with
respect to these; "dx", "dw0", ... the gradients that follow. Where a layer takes a list, there are "x0", "x1", ..., "dx0", .... What it keeps
without training it is "k0", ... before and "kept0", ... after the call, which is one of training if there is such. Some have "mask" (B, T), with
padding on both sides and holes, or "mask0", ... of a list, with "merged", the mask of the output; and "s0", ..., the initial state, with "ds0", ....
"z" is what a layer of noise draws in training: the normal numbers, or the uniform ones of AlphaDropout.
The default activation is given as JAX's tanh, because Keras 3.15 rounds its own to float32 on JAX.
"""

import json
import os
import sys
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


PAIR = [(B, T, I), (B, T, I)]
BOTH = [MASK, MASK[[1, 0, 3, 4, 2]]]
FUNCTIONS = ("gelu", "silu", "selu", "celu", "softplus", "mish", "relu6", "hard_tanh", "hard_silu", "log_sigmoid", "log_softmax", "tanh_shrink",
             "hard_shrink", "soft_shrink", "squareplus", "sparse_plus", "sparse_sigmoid")
CASES |= {name: (spec("Activation", activation=name), 8 * np.linspace(-1, 1, 42).reshape(6, 7) + 0.01, False, 0) for name in FUNCTIONS}
for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    CASES |= {
        kind: (spec(kind), PAIR, False, 0),
        f"{kind}_mask": (spec(kind), PAIR, BOTH, 0),
        f"{kind}_shapes": (spec(kind), [(B, T, I), (B, I)], False, 0),
    }
    if kind != "Subtract":
        CASES |= {f"{kind}_three": (spec(kind), [*PAIR, (B, 1, I)], [MASK, None, None], 0)}
CASES |= {
    "Multiply_one_mask": (spec("Multiply"), PAIR, [None, MASK], 0),
    "Maximum_one_mask": (spec("Maximum"), PAIR, [None, MASK], 0),
    "Maximum_three_masks": (spec("Maximum"), [*PAIR, (B, T, I)], [*BOTH, MASK[::-1]], 0),
    "Concatenate": (spec("Concatenate"), [(B, T, 2), (B, T, 3), (B, T, 1)], False, 0),
    "Concatenate_mask": (spec("Concatenate"), PAIR, BOTH, 0),
    "Concatenate_time": (spec("Concatenate", axis=1), [(B, T, I), (B, 2, I)], [MASK, None], 0),
    "Dot": (spec("Dot", axes=1), [(B, I), (B, I)], False, 0),
    "Dot_matrix": (spec("Dot", axes=[2, 1]), [(B, T, I), (B, I, 2)], False, 0),
    "Dot_cosine": (spec("Dot", axes=-1, normalize=True), [(B, T, I), (B, 2, I)], False, 0),
    "LayerNormalization": (spec("LayerNormalization", axis=-1), (B, T, I), False, 0),
    "LayerNormalization_axes": (spec("LayerNormalization", axis=[1, 2], epsilon=0.1), (B, T, I), False, 0),
    "LayerNormalization_time": (spec("LayerNormalization", axis=1, center=False), (B, T, I), False, 0),
    "BatchNormalization": (spec("BatchNormalization", momentum=0.9), (B, T, I), False, 0),
    "BatchNormalization_mask": (spec("BatchNormalization"), (B, T, I), True, 0),
    "BatchNormalization_flat": (spec("BatchNormalization", scale=False, epsilon=0.01), (B, I), False, 0),
    "BatchNormalization_time": (spec("BatchNormalization", axis=1, center=False), (B, T, I), False, 0),
    "BatchNormalization_frozen": (spec("BatchNormalization", trainable=False), (B, T, I), False, 0),
    "ReLU": (spec("ReLU", max_value=0.75, negative_slope=0.25, threshold=0.125), (B, T, I), False, 0),
    "LeakyReLU": (spec("LeakyReLU"), (B, T, I), False, 0),
    "ELU": (spec("ELU", alpha=0.5), (B, T, I), False, 0),
    "PReLU": (spec("PReLU"), (B, T, I), False, 0),
    "PReLU_shared": (spec("PReLU", shared_axes=[1]), (B, T, I), False, 0),
    "Softmax": (spec("Softmax"), (B, T, I), False, 0),
    "Softmax_time": (spec("Softmax", axis=1), (B, T, I), False, 0),
    "Softmax_mask": (spec("Softmax"), (B, T), True, 0),
    "Permute": (spec("Permute", dims=[2, 1]), (B, T, I), False, 0),
    "LSTM_zeros": (spec("LSTM", units=H, zero_output_for_mask=True, **SEQUENCES), (B, T, I), True, 0),
    "GRU_zeros_backwards": (spec("GRU", units=H, zero_output_for_mask=True, **SEQUENCES | BACKWARDS), (B, T, I), True, 1),
    "GRU_linear": (spec("GRU", units=H, activation=None), (B, T, I), False, 0),
    "both_LSTM_two": (spec("Bidirectional", spec("LSTM", units=H, **SEQUENCES | STATE), merge_mode=None), (B, T, I), True, 4),
    "both_GRU_two": (spec("Bidirectional", spec("GRU", units=H), merge_mode=None), (B, T, I), True, 0),
    "Cropping1D": (spec("Cropping1D", cropping=[2, 1]), (B, T, I), False, 0),
    "ZeroPadding1D": (spec("ZeroPadding1D", padding=2), (B, T, I), False, 0),
    "UpSampling1D": (spec("UpSampling1D", size=3), (B, T, I), False, 0),
    "UnitNormalization": (spec("UnitNormalization"), (B, T, I), False, 0),
    "UnitNormalization_axes": (spec("UnitNormalization", axis=[1, 2]), (B, T, I), False, 0),
    "ActivityRegularization": (spec("ActivityRegularization", l1=0.125, l2=0.25), (B, T, I), False, 0),
    "GaussianNoise": (spec("GaussianNoise", stddev=0.25), (B, T, I), False, 0),
    "GaussianDropout": (spec("GaussianDropout", rate=0.25), (B, T, I), False, 0),
    "AlphaDropout": (spec("AlphaDropout", rate=0.25), (B, T, I), False, 0),
}
# A ramp with equal steps: windows whose largest value is there twice.
STEPS = np.array([[[n // 2 % 3, -n % 4] for n in range(m, m + 9)] for m in (0, 3, 5)], float)
for name, settings in (("valid", {"kernel_size": 3, "activation": "relu"}), ("same", {"kernel_size": 4, "padding": "same", "use_bias": False}),
                       ("same_strides", {"kernel_size": 3, "strides": 2, "padding": "same"}), ("strides", {"kernel_size": 2, "strides": 3}),
                       ("causal", {"kernel_size": 3, "padding": "causal", "activation": "softsign"}),
                       ("dilation", {"kernel_size": 3, "dilation_rate": 2}), ("causal_dilation", {"kernel_size": 2, "padding": "causal", "dilation_rate": 3}),
                       ("one", {"kernel_size": 1, "strides": 2})):
    CASES |= {f"Conv1D_{name}": (spec("Conv1D", filters=4, **settings), (B, 7, I), False, 0)}
CASES |= {"steps_conv": (spec("TimeDistributed", spec("Conv1D", filters=4, kernel_size=2, activation="relu")), (2, 3, T, I), False, 0)}
for kind in ("MaxPooling1D", "AveragePooling1D"):
    for name, settings in (("valid", {"pool_size": 2}), ("same", {"pool_size": 4, "padding": "same"}), ("strides", {"pool_size": 4, "strides": 1}),
                           ("same_strides", {"pool_size": 2, "strides": 4, "padding": "same"})):
        CASES |= {f"{kind}_{name}": (spec(kind, **settings), STEPS, False, 0)}
RANDOM = ("GaussianNoise", "GaussianDropout", "AlphaDropout")


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
    several = isinstance(x, list)
    x = [draw(rng, shape) for shape in x] if several else draw(rng, x) if isinstance(x, tuple) else np.array(x)
    layer = built(found)
    mask = with_mask if isinstance(with_mask, (np.ndarray, list)) else MASK if with_mask else None
    layer.build([a.shape for a in x] if several else x.shape)
    weights = [draw(rng, tuple(v.shape), 0.8) for v in layer.trainable_variables]
    initial = [draw(rng, (len(x), H)) for _ in range(states)]
    keeps = [draw(rng, tuple(v.shape), 0.8) ** 2 for v in layer.non_trainable_variables] if found["class"] == "BatchNormalization" else []
    others = keeps or [v.value for v in layer.non_trainable_variables]

    random, z = found["class"] in RANDOM, None
    if random:
        z = draw(rng, x.shape) if found["class"] != "AlphaDropout" else np.abs(draw(rng, x.shape))
        keras.src.backend.random.normal = lambda shape, mean, stddev, **others: mean + stddev * z
        keras.src.ops.random.uniform = lambda *arguments, **others: z

    def results(weights, x, initial, kept=False):
        arguments = ({} if mask is None or several else {"mask": mask}) | ({"initial_state": initial} if initial else {})
        if several:
            x = [a + 0 for a in x]
            for a, m in zip(x, mask or (), strict=False):
                if m is not None:
                    keras.src.backend.set_keras_mask(a, m)
        y, after = layer.stateless_call(weights, others, x, **arguments, **{"training": True} if keeps or random else {})
        return after if kept else list(y) if isinstance(y, (tuple, list)) else [y]

    y = results(weights, x, initial)
    dy = [draw(rng, a.shape) for a in y]
    whole = not several and x.dtype.kind == "i"

    def loss(*arguments):
        return sum((d * v).sum() for d, v in zip(dy, results(*arguments), strict=True))

    dweights, dx, dinitial = jax.grad(loss, (0, 1, 2), allow_int=whole)(weights, x, initial)
    arrays = {} if several else {"x": x} if whole else {"x": x, "dx": dx}
    arrays |= {"z": z} if random else {}
    numbered = {"w": weights, "dw": dweights, "s": initial, "ds": dinitial, "y": y, "dy": dy} | ({"x": x, "dx": dx} if several else {})
    if several and mask:
        merged = layer.compute_mask(x, mask)
        arrays |= {f"mask{n}": m for n, m in enumerate(mask) if m is not None} | ({} if merged is None else {"merged": merged})
    elif mask is not None:
        arrays |= {"mask": mask}
    if keeps:
        numbered |= {"k": keeps, "kept": results(weights, x, initial, kept=True)}
    for name, some in numbered.items():
        arrays |= {f"{name}{n}": a for n, a in enumerate(some)}
    arrays = {name: np.asarray(a) for name, a in arrays.items()}
    assert all(a.dtype in (np.float64, np.int64, np.bool_) for a in arrays.values())
    return arrays | {"spec": np.array(json.dumps(found))}


def main():
    keras.config.set_floatx("float64")
    path, chosen = Path(__file__).with_name("keras_layers.npz"), sys.argv[1:] or list(CASES)
    golden = {key: a for key, a in np.load(path).items() if key.partition("/")[0] not in chosen} if sys.argv[1:] else {}
    golden["keras_version"] = np.array(keras.__version__)
    for number, (case, arguments) in enumerate(CASES.items()):
        if case in chosen:
            golden |= {f"{case}/{name}": a for name, a in run(number, *arguments).items()}
    np.savez_compressed(path, **golden)
    print(f"{path.name}: {len(CASES)} cases, {path.stat().st_size} bytes, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
