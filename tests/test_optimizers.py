"""Optimizers: Keras' trajectories, equal bits for any number of threads, clipping, learning rates, arguments."""

import functools
import itertools
import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest

import lstmc
from lstmc import optimizers
from lstmc.kernels import core
from lstmc.layers.rows import Rows
from lstmc.optimizers import schedules
from lstmc.optimizers.base import CLIPS

SHAPES = [(3, 4), (5,)]
KINDS = optimizers.CLASSES.values()


@functools.cache
def golden():
    with np.load(Path(__file__).parent / "golden" / "keras_optimizers.npz") as f:
        return dict(f)


def described(name):
    return json.loads(str(golden()[name]))


def arrays(flat, dtype):
    cut = math.prod(SHAPES[0])
    return [a.reshape(s).astype(dtype) for a, s in zip((flat[:cut], flat[cut:]), SHAPES, strict=True)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", optimizers.CLASSES)
def test_steps_are_keras(kind, dtype):
    names = [name for name in described("optimizers") if name.startswith(f"{kind}-")]
    assert len(names) > 2
    for name in names:
        entry = described("optimizers")[name]
        optimizer = optimizers.CLASSES[entry["class"]].from_config(entry["config"])
        weights = arrays(golden()["w"], dtype)
        for step, want in zip(golden()["g"], golden()[name], strict=True):
            grads = arrays(step, dtype)
            optimizer.apply(grads, weights)
            assert all(np.array_equal(a, b) for a, b in zip(grads, arrays(step, dtype), strict=True))
            got = np.concatenate([w.ravel() for w in weights])
            assert got.dtype == dtype
            # One block of a squared norm is summed in the array's precision, so factors of clipping carry its rounding.
            assert np.abs(got - want).max() <= (2e-6 if dtype == np.float32 else 1e-13), name
        assert optimizer.iterations == len(golden()["g"])


SETTINGS = [(kind, {}) for kind in KINDS] + [
    (optimizers.SGD, {"momentum": 0.9}), (optimizers.RMSprop, {"momentum": 0.5, "centered": True, "weight_decay": 0.1}), (optimizers.Adam, {"amsgrad": True}),
    (optimizers.Adam, {"clipnorm": 0.5}), (optimizers.AdamW, {"global_clipnorm": 0.5}), (optimizers.Nadam, {"clipvalue": 0.5}),
]


def ids(setting):
    return "-".join([setting[0].__name__, *setting[1]])


@pytest.mark.parametrize("setting", SETTINGS, ids=ids)
def test_bits_do_not_depend_on_threads_or_machines(setting):
    kind, arguments = setting
    isa, found = core.isa(), {}
    rng = np.random.default_rng(1)
    start, steps = rng.standard_normal((3, 301, 333)), rng.standard_normal((2, 3, 301, 333))
    try:
        for machine, threads in itertools.product([name for name in core.usable_isas() if name != "baseline"] or ["baseline"], (1, 2, 3)):
            core.use_isa(machine)
            weights, optimizer = [w.astype(np.float32) for w in start], kind(0.01, **arguments)
            with lstmc.threads(threads):
                for grads in steps:
                    optimizer.apply([g.astype(np.float32) for g in grads], weights)
            found[machine, threads] = b"".join(a.tobytes() for a in [*weights, *(a for slots in optimizer.state for a in slots.values())])
    finally:
        core.use_isa(isa)
    assert len(set(found.values())) == 1


@pytest.mark.parametrize("setting", SETTINGS, ids=ids)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_gradient_of_rows_is_that_of_the_dense_table(setting, threads):
    """For rows of no whole vector, too; several threads divide a table within a row."""
    kind, arguments = setting
    results = []
    for dense in (False, True):
        rng = np.random.default_rng(3)
        w, optimizer = rng.standard_normal((1003, 7)).astype(np.float32), kind(0.1, **arguments)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(optimizers.base.train, "apply", functools.partial(optimizers.base.train.apply, threads=threads))
            for size in (1, 17, 500, 1003, 0):
                numbers = np.sort(rng.choice(1003, size, replace=False))
                g = Rows(numbers, rng.standard_normal((size, 7)).astype(np.float32), w.shape)
                optimizer.apply([g.dense() if dense else g], [w])
        results.append([w, *optimizer.state[0].values()])
    for a, b in zip(*results, strict=True):
        if "clipnorm" in arguments or "global_clipnorm" in arguments:       # other blocks of the squared norm
            assert np.allclose(a, b, rtol=1e-5, atol=1e-7)
        else:
            assert a.tobytes() == b.tobytes()


def test_a_gradient_that_is_not_finite_shows():
    for clipping in CLIPS[:2]:
        for bad in (np.nan, np.inf):
            weights = [np.ones(3, np.float32), np.ones(2, np.float32)]
            optimizers.SGD(0.1, **{clipping: 1.0}).apply([np.array([bad, 1, 1], np.float32), np.ones(2, np.float32)], weights)
            assert np.isnan(weights[0][0])
            assert np.isnan(weights[1]).all() == (clipping == "global_clipnorm")
    for kind in KINDS:
        w = np.ones(20, np.float32)
        kind(0.1, clipvalue=1.0).apply([np.array([np.nan] + [1] * 19, np.float32)], [w])
        assert np.isnan(w[0]), kind
        assert not np.isnan(w[1:]).any(), kind


ONE = [np.ones(2, np.float32)]


def read_only(a):
    a.flags.writeable = False
    return a


@pytest.mark.parametrize(("grads", "weights", "error", "message"), [
    ([np.ones(3, np.float32)], ONE, ValueError, r"grads\[0\]: expected the shape of its weight, \(2,\), received float32 of shape \(3,\)"),
    ([np.ones((2, 1), np.float32)], ONE, ValueError, r"grads\[0\]: expected the shape of its weight, \(2,\), received float32 of shape \(2, 1\)"),
    ([np.ones(2)], ONE, TypeError, r"grads\[0\]: expected float32 of this machine's byte order, received float64"),
    ([np.ones(2, np.int32)], ONE, TypeError, r"grads\[0\]: expected float32 of .* received int32"),
    ([np.ones(2, ">f4")], ONE, TypeError, r"grads\[0\]: expected float32 of this machine's byte order, received >f4"),
    ([b"12345678"], ONE, TypeError, r"grads\[0\]: expected float32 of this machine's byte order, received bytes"),
    ([np.ones(4, np.float32)[::2]], ONE, ValueError, r"grads\[0\]: expected a C-contiguous array, received .* strides \(8,\)"),
    ([None], ONE, TypeError, r"grads\[0\]: expected an array, received NoneType"),
    (ONE, [read_only(np.ones(2, np.float32))], ValueError, r"weights\[0\]: expected a C-contiguous and writable array, received .*, read-only"),
    (ONE, [np.ones(4, np.float32)[::2]], ValueError, r"weights\[0\]: expected a C-contiguous and writable array"),
    (ONE, [np.ones(2, np.int64)], TypeError, r"weights\[0\]: expected float32 or float64 of .* received int64"),
    (ONE, [np.ones(2)], TypeError, r"grads\[0\]: expected float64"),
    (ONE, [np.ones(3, np.float32)], ValueError, r"grads\[0\]: expected the shape of its weight, \(3,\)"),
    ([], [], ValueError, "expected 1 weights and gradients, as in the first step; received 0 and 0"),
])  # fmt: skip
def test_arrays_that_do_not_fit_change_nothing(grads, weights, error, message):
    for kind in KINDS:
        optimizer, w = kind(0.1), np.ones(2, np.float32)
        optimizer.apply(ONE, [w])
        before = w.tobytes(), pickle.dumps(optimizer.state)
        with pytest.raises(error, match=message):
            optimizer.apply(grads, weights)
        assert (w.tobytes(), pickle.dumps(optimizer.state)) == before
        assert optimizer.iterations == 1


TABLE = (9, 2)


@pytest.mark.parametrize(("numbers", "values", "error", "message"), [
    ([3, 1], (2, 2), ValueError, r"numbers of grads\[0\]: expected ascending ones from 0 to 8, received 1 at place 1"),
    ([3, 3], (2, 2), ValueError, "received 3 at place 1"),
    ([-1], (1, 2), ValueError, "received -1 at place 0"),
    ([9], (1, 2), ValueError, "received 9 at place 0"),
    ([3], (2, 2), ValueError, r"values of grads\[0\]: expected 1 rows of 2 elements"),
    ([3], (1, 3), ValueError, r"values of grads\[0\]: expected 1 rows of 2 elements"),
    ([3.0], (1, 2), TypeError, r"numbers of grads\[0\]: expected a row of int64, received float64"),
    ([[3]], (1, 2), TypeError, r"numbers of grads\[0\]: expected a row of int64, .* shape \(1, 1\)"),
])  # fmt: skip
def test_rows_that_do_not_fit_change_nothing(numbers, values, error, message):
    w, optimizer = np.ones(TABLE, np.float32), optimizers.Adam(0.1)
    with pytest.raises(error, match=message):
        optimizer.apply([Rows(np.array(numbers), np.ones(values, np.float32), TABLE)], [w])
    assert np.array_equal(w, np.ones(TABLE))
    with pytest.raises(ValueError, match=r"values of grads\[0\]: expected 1 rows of 2 elements of 4 bytes, received float64"):
        optimizer.apply([Rows(np.array([1]), np.ones((1, 2)), TABLE)], [w])


def test_slots_that_someone_has_changed_are_refused():
    for change in (lambda a: np.ones(3, np.float32), lambda a: a.astype(np.float64), lambda a: read_only(a.copy()), lambda a: a[::-1]):
        optimizer, w = optimizers.Adam(0.1), np.ones(2, np.float32)
        optimizer.apply(ONE, [w])
        optimizer.state[0]["v"] = change(optimizer.state[0]["v"])
        with pytest.raises((TypeError, ValueError), match=r"v\[0\]: expected"):
            optimizer.apply(ONE, [w])


# Learning rates ---------------------------------------------------------------------------------------------

def test_schedules_are_keras():
    for entry, want in zip(described("schedules"), golden()["rates"], strict=True):
        schedule = schedules.from_config(entry)
        got = [schedule(int(step)) for step in golden()["steps"]]
        assert got == pytest.approx(want, rel=1e-12, abs=1e-15), entry
        again = schedules.from_config(json.loads(json.dumps(schedules.config_of(schedule))))
        assert [again(int(step)) for step in golden()["steps"]] == got


def test_a_learning_rate_is_a_number_a_schedule_or_a_function():
    optimizer, w = optimizers.SGD(0.1), np.zeros(2, np.float32)
    optimizer.apply(ONE, [w])
    optimizer.learning_rate = 0.5
    optimizer.apply(ONE, [w])
    assert np.allclose(w, -0.6)
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([2, 3], [1.0, 2.0, 4.0])     # of the steps before
    for want in (-1.6, -3.6, -7.6):
        optimizer.apply(ONE, [w])
        assert np.allclose(w, want)
    assert type(optimizer.learning_rate) is float
    with pytest.raises(TypeError, match=r"learning_rate: expected none, since .* made with a schedule or function, .* received 0\.1"):
        optimizer.learning_rate = 0.1
    rates = iter([0.25, 0.5])
    optimizer = optimizers.SGD(lambda: next(rates))
    for want in (-7.85, -8.35):
        optimizer.apply(ONE, [w])
        assert np.allclose(w, want)
    with pytest.raises(ValueError, match=r"learning_rate: expected a number or one of ExponentialDecay, .* hold no code; received a function"):
        optimizer.get_config()


class Constant(schedules.LearningRateSchedule):
    def __init__(self, value):
        self.value = value

    def __call__(self, step):
        return self.value


@pytest.mark.parametrize("value", ["fast", None, math.nan, math.inf])
def test_what_a_schedule_gives_must_be_a_number(value):
    w = np.ones(2, np.float32)
    with pytest.raises((TypeError, ValueError), match="learning_rate: what the schedule gives: expected a"):
        optimizers.Adam(Constant(value)).apply(ONE, [w])
    assert w.tolist() == [1, 1]
    with pytest.raises(ValueError, match="received a Constant"):
        optimizers.Adam(Constant(0.1)).get_config()
    with pytest.raises(NotImplementedError, match="Constant: expected a class with get_config"):
        Constant(0.1).get_config()


@pytest.mark.parametrize("kind", KINDS)
def test_configs_rebuild(kind):
    schedule = schedules.CosineDecay(0.1, 100, warmup_target=0.2, warmup_steps=3)
    optimizer = kind(schedule, weight_decay=0.1, clipnorm=2.0, name="mine")
    again = kind.from_config(json.loads(json.dumps(optimizer.get_config())))
    assert again.get_config() == optimizer.get_config()
    assert again.learning_rate == optimizer.learning_rate == 0.1
    grads, (a, b) = [np.ones(5, np.float32)], np.ones((2, 5), np.float32)
    for _ in range(5):
        optimizer.apply(grads, [a])
        again.apply(grads, [b])
    assert a.tobytes() == b.tobytes()


def test_saved_models_keep_schedules(tmp_path):
    x, y = np.random.default_rng(0).standard_normal((8, 3, 2)), np.zeros((8, 1))
    model = lstmc.Sequential([lstmc.layers.LSTM(3), lstmc.layers.Dense(1)])
    model.compile(optimizers.Nadam(schedules.ExponentialDecay(0.05, 2, 0.5)), "mse")
    model.fit(x, y, epochs=3, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    for m in (model, again):
        m.fit(x, y, epochs=2, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
    model.compile(optimizers.SGD(lambda: 0.1), "mse")
    with pytest.raises(ValueError, match="learning_rate: expected a number or one of"):
        model.save(tmp_path / "other.safetensors")


def test_the_warm_up_of_nadam_follows_from_the_step():
    one, other = optimizers.Nadam(), optimizers.Nadam()
    found = [one.product(t) for t in range(1, 2000)]
    for t in (1500, 3, 1999, 1, 10):
        assert other.product(t) == found[t - 1]
    assert one.product(10**9) == 0


# Arguments --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: optimizers.Adam(0.1, clipnorm=1, clipvalue=1), ValueError, "at most one of clipnorm, global_clipnorm, clipvalue"),
    (lambda: optimizers.Adam(-0.1), ValueError, "learning_rate: expected at least 0"),
    (lambda: optimizers.Adam("fast"), TypeError, "learning_rate: expected a number"),
    (lambda: optimizers.Adam(lambda step: 0.1), TypeError, "learning_rate: expected a number, .*LearningRateSchedule.* received one with arguments"),
    (lambda: optimizers.Adam(lr=0.1), TypeError, r"Adam: lr: expected learning_rate, as Keras calls it; received lr=0\.1"),
    (lambda: optimizers.Adam(use_ema=True), ValueError, "use_ema=True is not supported"),
    (lambda: optimizers.Adam(amsgrad=1), TypeError, "amsgrad: expected True or False"),
    (lambda: optimizers.Adam(beta_1=1.0), ValueError, "beta_1: expected at least 0 and below 1"),
    (lambda: optimizers.AdamW(weight_decay=None), ValueError, "weight_decay: expected a number, received None"),
    (lambda: optimizers.Lion(beta_1=0), ValueError, "beta_1: expected above 0"),
    (lambda: optimizers.SGD(momentun=0.9), TypeError, "unexpected argument 'momentun'"),
    (lambda: optimizers.SGD(clipnorm=0), ValueError, "clipnorm: expected above 0"),
    (lambda: optimizers.SGD(name=5), TypeError, "name: expected a string"),
    (lambda: optimizers.get("adagard"), ValueError, "optimizer: expected one of sgd, rmsprop, adam, adamw, adagrad, nadam, adamax, adadelta, lion"),
    (lambda: optimizers.Adam.from_config({"learning_rate": {"class": "Other", "config": {}}}), ValueError, "learning_rate: expected the class and config"),
    (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), ValueError, "decay_steps: expected above 0, received 0"),
    (lambda: schedules.ExponentialDecay(0.1, 10, -1), ValueError, "decay_rate: expected at least 0"),
    (lambda: schedules.PiecewiseConstantDecay([1], [0.1]), ValueError, "boundaries: expected one fewer than the 1 values, received 1"),
    (lambda: schedules.PiecewiseConstantDecay([2, 1], [1, 2, 3]), ValueError, "boundaries: expected ascending ones"),
    (lambda: schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5), ValueError, "t_mul: expected at least 1"),
])  # fmt: skip
def test_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_names_and_old_arguments():
    assert type(optimizers.get("AdamW")) is optimizers.AdamW
    assert optimizers.Adam(name="mine").get_config()["name"] == "mine"
    with pytest.warns(UserWarning, match="decay: ignored, as in Keras 3; pass learning_rate="):
        assert optimizers.SGD(0.5, decay=1e-6).learning_rate == 0.5
