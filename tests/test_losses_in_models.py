"""Losses and metrics in a model: names, reductions, what is ignored or masked, and those of a user."""

import numpy as np
import pytest

from lstmc import Input, Sequential, callbacks, load, losses, metrics, optimizers
from lstmc.layers import Dense
from lstmc.utils import set_random_seed
from recipes import LABELS, PADDED, SPARSE, STEPS, X, bits, build

pytestmark = pytest.mark.once


def trained(loss, x=X, y=LABELS, recipe="last", **fit):
    model, *_ = build(recipe)
    model.compile(optimizers.SGD(0.1), loss)
    return model, model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, **fit).history["loss"]


def test_names_functions_and_classes_train_alike():
    want, history = trained(SPARSE)
    for loss in (losses.sparse_categorical_crossentropy, losses.SparseCategoricalCrossentropy, losses.SparseCategoricalCrossentropy(),
                 losses.SparseCategoricalCrossentropy(reduction="mean"), losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight")):
        model, found = trained(loss)
        assert bits(model) == bits(want)
        assert found == history


@pytest.mark.parametrize(("units", "y", "loss"), [
    (1, LABELS % 2, "binary_crossentropy"), (3, LABELS % 3, "sparse_categorical_crossentropy"), (3, LABELS[:, None] % 3, "sparse_categorical_crossentropy"),
    (3, np.eye(3)[LABELS % 3], "categorical_crossentropy"),
])
def test_a_name_that_stands_for_the_cross_entropy_of_the_targets(units, y, loss, tmp_path):
    results = []
    for name in (loss, "crossentropy", "CE"):
        set_random_seed(1)
        model = Sequential([Input((2,)), Dense(units, "sigmoid" if units == 1 else "softmax")])
        model.compile(optimizers.SGD(0.1), name, metrics=["accuracy"])
        model.shuffle_seed = 3
        model.save(tmp_path / "m.safetensors")          # before there are targets
        for same in (model, load(tmp_path / "m.safetensors")):
            results.append((same.fit(X[:, 0, :2], y, verbose=0).history["loss"], bits(same)))
            same.save(tmp_path / "m.safetensors")
            assert load(tmp_path / "m.safetensors").evaluate(X[:, 0, :2], y, verbose=0, return_dict=True) == same.evaluate(
                X[:, 0, :2], y, verbose=0, return_dict=True)
    assert all(r == results[0] for r in results)
    with pytest.raises(ValueError, match="loss: expected one that does not depend on targets"):
        losses.get("ce")


def test_reductions_of_a_model():
    weights = np.arange(11) / 4
    sums, history = trained(losses.SparseCategoricalCrossentropy(reduction="sum"), X[:8], LABELS[:8])
    model, found = trained(SPARSE, X[:8], LABELS[:8], sample_weight=np.full(8, 4.0))       # 4 to a batch
    assert np.allclose(history, found, 1e-14)
    assert all(np.allclose(a, b, 1e-5) for a, b in zip(sums.get_weights(), model.get_weights(), strict=True))
    loss = losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight")
    model, _ = trained(loss)
    assert model.evaluate(X, LABELS, batch_size=11, sample_weight=weights, verbose=0) == pytest.approx(
        np.average(losses.sparse_categorical_crossentropy(LABELS, model.predict(X, verbose=0)), weights=weights))
    assert loss(LABELS[:2], model.predict(X[:2], verbose=0), sample_weight=[0, 0]) == 0
    for none in (None, "none"):
        model, *_ = build("last")
        model.compile("sgd", losses.SparseCategoricalCrossentropy(reduction=none))
        before = bits(model)
        with pytest.raises(ValueError, match=r"reduction: expected one to a number, such as 'sum_over_batch_size', for a model; received "):
            model.train_on_batch(X, LABELS)
        assert bits(model) == before


def test_what_is_ignored_is_as_if_it_weighed_nothing():
    ignored, history = trained(losses.SparseCategoricalCrossentropy(ignore_class=-1), y=np.where(STEPS == 3, -1, STEPS), recipe="steps-masked")
    weighed, found = trained(losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight"), y=STEPS, recipe="steps-masked",
                             sample_weight=(STEPS != 3).astype(float))
    assert np.allclose(history, found, 1e-6)
    assert all(np.allclose(a, b, 1e-5, 1e-7) for a, b in zip(ignored.get_weights(), weighed.get_weights(), strict=True))


class Cubic(losses.Loss):
    """A loss of a user."""

    def values(self, y, p):
        return (np.abs(p.astype(np.float64) - y) ** 3).mean(-1)

    def gradient(self, y, p, fused=False):
        return (3 * (p - y) * np.abs(p - y) / p.shape[-1]).astype(p.dtype)


def test_a_loss_of_a_user():
    y = np.eye(4)[LABELS]
    model, history = trained(Cubic(), y=y)
    assert history[1] < history[0]
    assert Cubic(reduction="sum")(y, y + 2) == pytest.approx(88)
    assert not Cubic.uses_mask
    with pytest.raises(TypeError, match=r"loss: expected a name or an lstmc.losses.Loss, .* a subclass of Loss gives `values` and `gradient`"):
        model.compile("sgd", lambda y, p: (y - p) ** 2)


def test_training_leaves_out_what_is_masked():
    chosen = ["accuracy", metrics.SparseTopKCategoricalAccuracy(2, "top"), metrics.SparseCategoricalCrossentropy("ce"), losses.sparse_categorical_crossentropy]
    model, x, y, _ = build("steps-masked")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=chosen)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    p, mask = model.predict(x, verbose=0), (x != 0).any(-1)
    assert found["accuracy"] == pytest.approx((p.argmax(-1) == y)[mask].mean())
    assert found["top"] == pytest.approx(metrics.sparse_top_k_categorical_accuracy(y, p, 2)[mask].mean())
    assert found["ce"] == pytest.approx(found["loss"])
    assert found["sparse_categorical_crossentropy"] == pytest.approx(found["loss"])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[lambda y, p: (p.argmax(-1) == y).any(-1)])
    assert model.evaluate(x, y, verbose=0)[1] == (p.argmax(-1) == y).any(-1).mean()     # a value per sample has no steps to leave out
    one_hot = np.eye(4)[STEPS]
    model.compile("sgd", "categorical_crossentropy", metrics=["auc", "Precision", metrics.F1Score("macro"), "r2_score", "root_mean_squared_error"])
    found = model.evaluate(PADDED, one_hot, verbose=0, return_dict=True)
    for name, kind in (("auc", metrics.AUC()), ("Precision", metrics.Precision()), ("f1_score", metrics.F1Score("macro")), ("r2_score", metrics.R2Score()),
                       ("root_mean_squared_error", metrics.RootMeanSquaredError())):
        assert found[name] == pytest.approx(kind(one_hot[mask], p[mask]))


def test_a_metric_with_a_value_for_each_output(capsys):
    model, *_ = build("last")
    model.compile("sgd", "categorical_crossentropy", metrics=[metrics.F1Score()])
    y = np.eye(4)[LABELS]
    history = model.fit(X, y, epochs=2, verbose=2).history
    assert [a.shape for a in history["f1_score"]] == [(4,), (4,)]
    assert "f1_score: " in capsys.readouterr().out
    assert np.array_equal(model.evaluate(X, y, verbose=0)[1], metrics.F1Score()(y, model.predict(X, verbose=0)))


def test_early_stopping_knows_what_is_better():
    model, x, y, _ = build("last")
    for name, better in (("auc", "max"), ("r2_score", "max"), ("f1_score", "max"), ("mape", "min"), ("logcosh", "min"), (losses.huber, "min")):
        metric = metrics.LogCoshError() if name == "logcosh" else name
        model.compile("sgd", "categorical_crossentropy", metrics=[metric])
        stop = callbacks.EarlyStopping(getattr(name, "__name__", name))
        stop.set_model(model)
        model.test_on_batch(x, np.eye(4)[y])
        assert stop.direction() == better


class Largest(metrics.Metric):
    """A metric of a user."""

    state = ("largest",)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest = max(self.largest, float(np.abs(y_true - y_pred).max()))

    def result(self):
        return self.largest


def test_a_metric_of_a_user():
    model, *_ = build("backwards-flat")
    y = np.zeros((11, 2))
    model.compile("sgd", "mse", metrics=[Largest(name="worst")])
    found = model.evaluate(X, y, batch_size=4, verbose=0, return_dict=True)
    assert found["worst"] == np.abs(model.predict(X, verbose=0)).max()
    other = Largest()
    other.set_state(model.metrics[0].get_state())
    assert other.result() == found["worst"]
