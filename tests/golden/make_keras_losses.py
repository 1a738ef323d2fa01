"""Writes `keras_losses.npz`: what losses and metrics of Keras give, in float64, for the cases below.

To regenerate, from the root of the repository, in an environment that has Keras 3.15, JAX and NumPy::

    python tests/golden/make_keras_losses.py

Data come in kinds, three batches of different sizes each: "KIND/y0", "KIND/p0", ... targets and predictions, "KIND/w0", ... a weight for each
sample, and "KIND/s0", ... for each step where there are steps, some of them 0.

"losses" is JSON, name -> {"class", "config", "data"}; the first batch of the data goes through a loss. "NAME/values" has its values, "NAME/gradient" the
gradient of their sum, "NAME/reduced" what the reductions in `REDUCTIONS` make of them with the weights of samples, and of steps. Where there are
steps, "NAME/masked" is the same under the mask "KIND/m0".

"metrics" is JSON, name -> {"class", "config", "data", "weights"}; all three batches go into a metric, and "NAME" has the result after each.

"names" is JSON, class -> [its own name, its name for compile], of metrics; "loss_names" of losses.

Means are taken by JAX's function, because Keras 3.15 rounds its own to float32 on JAX. Where it has a corner, JAX takes a half of the gradient on
either side: data are off corners, but for the kind "edge".
"""

import json
import os
from pathlib import Path

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}

import jax
import keras
import numpy as np
from keras.src.losses.loss import reduce_weighted_values
from keras.src.utils.naming import to_snake_case

SIZES, STEPS, C = (5, 3, 4), (4, 2, 3), 4
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight")

LOSSES = {
    "mse": ("MeanSquaredError", {}, "real"), "mse_column": ("MeanSquaredError", {}, "column"), "mse_steps": ("MeanSquaredError", {}, "real_steps"),
    "mae": ("MeanAbsoluteError", {}, "real"), "mape": ("MeanAbsolutePercentageError", {}, "real"),
    "msle": ("MeanSquaredLogarithmicError", {}, "real"), "msle_counts": ("MeanSquaredLogarithmicError", {}, "counts"),
    "huber": ("Huber", {}, "real"), "huber_half": ("Huber", {"delta": 0.5}, "real_steps"), "log_cosh": ("LogCosh", {}, "real"),
    "cosine": ("CosineSimilarity", {}, "real"), "cosine_steps": ("CosineSimilarity", {}, "real_steps"),
    "hinge": ("Hinge", {}, "yes_no_logits"), "hinge_signs": ("Hinge", {}, "signs"), "squared_hinge": ("SquaredHinge", {}, "signs"),
    "categorical_hinge": ("CategoricalHinge", {}, "one_hot"),
    "poisson": ("Poisson", {}, "counts"), "kl": ("KLDivergence", {}, "soft"), "kl_edge": ("KLDivergence", {}, "edge"),
    "binary": ("BinaryCrossentropy", {}, "yes_no"), "binary_column": ("BinaryCrossentropy", {}, "yes_no_column"),
    "binary_smooth": ("BinaryCrossentropy", {"label_smoothing": 0.25}, "yes_no"),
    "binary_logits": ("BinaryCrossentropy", {"from_logits": True}, "yes_no_logits"), "binary_edge": ("BinaryCrossentropy", {}, "edge"),
    "categorical": ("CategoricalCrossentropy", {}, "one_hot"), "categorical_soft": ("CategoricalCrossentropy", {"label_smoothing": 0.25}, "soft"),
    "categorical_logits": ("CategoricalCrossentropy", {"from_logits": True}, "one_hot_logits"),
    "sparse": ("SparseCategoricalCrossentropy", {}, "labels"), "sparse_steps": ("SparseCategoricalCrossentropy", {}, "labels_steps"),
    "sparse_logits": ("SparseCategoricalCrossentropy", {"from_logits": True}, "labels_logits"),
    "sparse_ignore": ("SparseCategoricalCrossentropy", {"ignore_class": -1}, "holes"),
    "sparse_ignore_logits": ("SparseCategoricalCrossentropy", {"ignore_class": -1, "from_logits": True}, "holes"),
    "sparse_ignore_0": ("SparseCategoricalCrossentropy", {"ignore_class": 0}, "labels_steps"),
    "binary_focal": ("BinaryFocalCrossentropy", {}, "yes_no"),
    "binary_focal_all": ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.75, "gamma": 3.0, "label_smoothing": 0.25}, "yes_no"),
    "binary_focal_logits": ("BinaryFocalCrossentropy", {"from_logits": True}, "yes_no_logits"),
    "categorical_focal": ("CategoricalFocalCrossentropy", {}, "one_hot"),
    "categorical_focal_all": ("CategoricalFocalCrossentropy", {"alpha": [0.25, 0.5, 1.0, 2.0], "gamma": 3.0, "label_smoothing": 0.25}, "one_hot"),
    "categorical_focal_logits": ("CategoricalFocalCrossentropy", {"from_logits": True}, "one_hot_logits"),
}

METRICS = {}
for kind, config, data in (
    ("Accuracy", {}, "same"), ("BinaryAccuracy", {}, "yes_no"), ("BinaryAccuracy", {"threshold": 0.25}, "yes_no_column"),
    ("BinaryAccuracy", {}, "yes_no_steps"), ("CategoricalAccuracy", {}, "one_hot"), ("SparseCategoricalAccuracy", {}, "labels"),
    ("SparseCategoricalAccuracy", {}, "labels_steps"), ("TopKCategoricalAccuracy", {"k": 2}, "one_hot"),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, "labels"), ("SparseTopKCategoricalAccuracy", {"k": 2}, "labels_steps"),
    ("MeanSquaredError", {}, "real"), ("MeanSquaredError", {}, "column"), ("MeanSquaredError", {}, "real_steps"),
    ("RootMeanSquaredError", {}, "real"), ("RootMeanSquaredError", {}, "column"), ("MeanAbsoluteError", {}, "real_steps"),
    ("MeanAbsolutePercentageError", {}, "real"), ("MeanSquaredLogarithmicError", {}, "counts"), ("LogCoshError", {}, "real"),
    ("CosineSimilarity", {}, "real_steps"), ("Hinge", {}, "signs"), ("SquaredHinge", {}, "signs"), ("CategoricalHinge", {}, "one_hot"),
    ("Poisson", {}, "counts"), ("KLDivergence", {}, "soft"), ("BinaryCrossentropy", {}, "yes_no_steps"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.25}, "yes_no_logits"), ("CategoricalCrossentropy", {}, "one_hot"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.25}, "one_hot_logits"), ("SparseCategoricalCrossentropy", {}, "labels_steps"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "labels_logits"),
    ("R2Score", {}, "real"), ("R2Score", {"class_aggregation": None}, "real"), ("R2Score", {"class_aggregation": "variance_weighted_average"}, "real"),
    ("R2Score", {"num_regressors": 2}, "column"),
    ("Precision", {}, "yes_no"), ("Precision", {"thresholds": [0.75, 0.25, 0.5, 0.125]}, "yes_no"), ("Precision", {"top_k": 2}, "one_hot"),
    ("Precision", {"class_id": 1, "thresholds": 0.25}, "one_hot"), ("Precision", {"top_k": 2, "class_id": 1}, "one_hot"),
    ("Recall", {}, "yes_no_column"), ("Recall", {"thresholds": [0.0, 0.5, 1.0]}, "yes_no"), ("Recall", {"top_k": 3, "class_id": 2}, "one_hot"),
    ("TruePositives", {}, "yes_no"), ("FalsePositives", {"thresholds": [0.25, 0.5]}, "yes_no"), ("TrueNegatives", {}, "yes_no"),
    ("FalseNegatives", {}, "yes_no"),
    ("F1Score", {}, "one_hot"), ("F1Score", {"average": "macro", "threshold": 0.25}, "yes_no"), ("F1Score", {"average": "micro"}, "one_hot"),
    ("F1Score", {"average": "weighted"}, "one_hot"), ("FBetaScore", {"beta": 2.0, "average": "macro"}, "one_hot"),
    ("AUC", {}, "yes_no"), ("AUC", {"num_thresholds": 7}, "yes_no_column"), ("AUC", {"from_logits": True}, "yes_no_logits"),
    ("AUC", {"summation_method": "minoring", "num_thresholds": 9}, "yes_no"), ("AUC", {"summation_method": "majoring", "num_thresholds": 9}, "yes_no"),
    ("AUC", {"curve": "PR"}, "yes_no"), ("AUC", {"curve": "PR", "num_thresholds": 9}, "yes_no"),
    ("AUC", {"curve": "PR", "summation_method": "minoring"}, "yes_no"), ("AUC", {"curve": "PR", "summation_method": "majoring"}, "yes_no"),
    ("AUC", {"thresholds": [0.125, 0.5, 0.625]}, "yes_no"), ("AUC", {"multi_label": True}, "yes_no"), ("AUC", {"label_weights": [1, 2, 0.5, 0.25]}, "yes_no"),
    ("AUC", {"multi_label": True, "curve": "PR", "num_labels": C, "label_weights": [1, 2, 0.5, 0.25]}, "yes_no"),
):
    for weights in ("", "w", *["s"] * data.endswith("_steps")):
        if not (weights == "w" and data.endswith("_steps")):
            METRICS[f"{kind} {json.dumps(config)} {data} {weights}"] = (kind, config, data, weights)


def grid(rng, low, high, shape):
    """Multiples of 2^-10."""
    return np.rint(rng.uniform(low, high, shape) * 1024) / 1024


def batch(rng, kind, size, steps):
    """Targets, predictions, and weights of a kind."""
    shape = (size, steps, C) if kind.endswith("_steps") or kind == "holes" else (size, 1) if kind.endswith("column") else (size, C)
    real, shares = grid(rng, -2, 2, shape) + 2**-11, grid(rng, 0.05, 0.95, shape)
    labels = rng.integers(0, C, shape[:-1])
    y, p = {
        "real": (grid(rng, -2, 2, shape), real), "column": (grid(rng, -2, 2, shape[:-1]), real),
        "counts": (rng.integers(0, 5, shape), 4 * shares), "signs": (rng.choice([-1, 1], shape), real),
        "soft": (grid(rng, 0.05, 0.25, shape), shares), "edge": (np.eye(C)[labels], np.eye(C)[labels[::-1]] * 1.0),
        "yes_no": (rng.integers(0, 2, shape), shares), "yes_no_logits": (rng.integers(0, 2, shape), real),
        "yes_no_column": (rng.integers(0, 2, shape[:-1]), shares), "one_hot": (np.eye(C, dtype=int)[labels], shares),
        "one_hot_logits": (np.eye(C, dtype=int)[labels], real), "labels": (labels, shares), "labels_logits": (labels, real),
        "holes": (np.where(rng.uniform(size=labels.shape) < 0.3, -1, labels), shares), "same": (rng.integers(0, 2, shape), rng.integers(0, 2, shape) * 1.0),
    }[kind.removesuffix("_steps")]
    found = {"y": y, "p": p, "w": grid(rng, 0.25, 2, size)}
    if len(shape) == 3:
        found["m"] = np.arange(shape[1]) < rng.integers(1, shape[1] + 1, (size, 1))
        found["s"] = grid(rng, 0.25, 2, shape[:2]) * (rng.uniform(size=shape[:2]) < 0.7)
    return found


def loss_case(kind, config, found):
    """Values, gradients and reductions."""
    y, p = found["y0"], found["p0"]
    make = getattr(keras.losses, kind)
    each = make(**config, reduction=None, dtype="float64")
    weights = [found[name] for name in ("w0", "s0") if name in found and (p.ndim == 2) == (name == "w0")]
    masked = {} if "m0" not in found else {"masked": [
        reduce_weighted_values(each(y, p), w, found["m0"], r, "float64") for w in (None, found["s0"]) for r in REDUCTIONS]}
    return masked | {
        "values": each(y, p),
        "gradient": jax.grad(lambda p: each(y, p).sum())(p),
        "reduced": [make(**config, reduction=r, dtype="float64")(y, p, sample_weight=w) for w in (None, *weights) for r in REDUCTIONS],
    }


def metric_case(kind, config, found, weights):
    """Results after each batch."""
    metric = getattr(keras.metrics, kind)(**config, dtype="float64")
    results = []
    for n in range(len(SIZES)):
        metric.update_state(found[f"y{n}"], found[f"p{n}"], **({"sample_weight": found[f"{weights}{n}"]} if weights else {}))
        results.append(metric.result())
    return np.stack(results)


def main():
    keras.config.set_floatx("float64")
    keras.src.backend.numpy.mean = lambda x, axis=None, keepdims=False: jax.numpy.mean(x, axis, keepdims=keepdims)
    golden, data = {"keras_version": np.array(keras.__version__)}, {}
    for number, kind in enumerate(dict.fromkeys(case[2] for case in (*LOSSES.values(), *METRICS.values()))):
        rng = np.random.default_rng([number, 15])
        data[kind] = {f"{name}{n}": a for n in range(3) for name, a in batch(rng, kind, SIZES[n], STEPS[n]).items()}
        golden |= {f"{kind}/{name}": a for name, a in data[kind].items()}
    for name, (kind, config, of) in LOSSES.items():
        golden |= {f"loss {name}/{part}": np.asarray(a) for part, a in loss_case(kind, config, data[of]).items()}
    golden |= {name: metric_case(kind, config, data[of], weights) for name, (kind, config, of, weights) in METRICS.items()}
    assert all(a.dtype in (np.float64, np.int64, np.bool_) for name, a in golden.items() if name != "keras_version"), "an array lost its precision"
    golden["losses"] = np.array(json.dumps({name: dict(zip(("class", "config", "data"), case, strict=True)) for name, case in LOSSES.items()}))
    golden["metrics"] = np.array(json.dumps({n: dict(zip(("class", "config", "data", "weights"), case, strict=True)) for n, case in METRICS.items()}))
    for name, module, cases in (("names", keras.metrics, METRICS), ("loss_names", keras.losses, LOSSES)):
        keras.backend.clear_session()
        kinds = dict.fromkeys(case[0] for case in cases.values())
        golden[name] = np.array(json.dumps({kind: [getattr(module, kind)().name, to_snake_case(kind)] for kind in kinds}))
    path = Path(__file__).with_name("keras_losses.npz")
    np.savez_compressed(path, **golden)
    print(f"{path.name}: {len(LOSSES)} losses, {len(METRICS)} cases of metrics, {path.stat().st_size} bytes, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
