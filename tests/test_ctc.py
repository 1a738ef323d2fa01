"""CTC: the kernel against the reference, equal bits whatever else is in the batch, the loss of models, what it refuses."""

import itertools

import numpy as np
import pytest

import lstmc
from conftest import DTYPES, FMA_ISAS, assert_same_bits
from lstmc import losses
from lstmc.kernels import train
from lstmc.layers import LSTM, Dense, Input, Masking
from lstmc.reference.ctc import ctc as reference
from lstmc.training import Sequential, set_random_seed

TOLERANCE = {"float32": 2e-7, "float64": 1e-12}


def ctc(x, y, lengths, frames, blank=0, threads=None, gradient=True):
    loss, dx = np.full(len(x), 7.0), np.full(x.shape, 7, x.dtype) if gradient else None
    train.ctc(x, y, lengths, frames, blank, loss, dx, threads)
    return {"loss": loss, "dx": dx} if gradient else loss


def drawn(seed, dtype, B=None, T=None, C=None, L=None):
    """x, labels, their numbers, frames, blank: of any size and raggedness."""
    rng = np.random.default_rng(seed)
    B, T, C, L = (int(rng.choice(sizes)) if given is None else given for given, sizes in
                  ((B, (1, 2, 5)), (T, (0, 1, 3, 9, 20)), (C, (2, 3, 5, 16, 17, 40)), (L, (0, 1, 2, 4, 7, 8))))
    blank = int(rng.integers(C))
    y = rng.integers(0, C - 1, (B, L))
    y = (y + (y >= blank)).astype(np.int64)
    x = (rng.choice([0.5, 3, 20]) * rng.standard_normal((B, T, C))).astype(dtype)
    return x, y, rng.integers(0, L + 1, B), rng.integers(0, T + 1, B), blank


@pytest.mark.parametrize("dtype", DTYPES)
def test_against_the_reference(dtype, isa):
    impossible = 0
    for seed in range(60):
        x, y, lengths, frames, blank = drawn(seed, dtype)
        got = ctc(x, y, lengths, frames, blank)
        for b, (n, t) in enumerate(zip(lengths, frames, strict=True)):
            loss, dx = reference(x[b, :t], y[b, :n], blank)
            impossible += loss == np.inf
            assert got["loss"][b] == pytest.approx(loss, rel=1e-12, abs=1e-14)
            assert np.abs(got["dx"][b, :t] - dx).max(initial=0) <= TOLERANCE[dtype]
            assert not got["dx"][b, t:].any()
    assert impossible > 10


@pytest.mark.parametrize("dtype", DTYPES)
def test_long_sequences(dtype, isa):
    """Where probabilities are below every float64, and sums of logarithms in float32 would have lost the gradient."""
    x, y, *_ = drawn(3, dtype, B=1, T=1500, C=9, L=60)
    got = ctc(x, y, np.array([60]), np.array([1500]), 8)
    loss, dx = reference(x[0], y[0], 8)
    assert loss > 1000
    assert got["loss"][0] == pytest.approx(loss, rel=1e-13)
    assert np.abs(got["dx"][0] - dx).max() <= (1e-7 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_depend_on_the_sequence_alone(dtype, isa):
    """Not on threads, other sequences, padding, strides, or whether there is a gradient."""
    x, y, lengths, frames, blank = drawn(11, dtype, B=7, T=20, C=17, L=7)
    want = ctc(x, y, lengths, frames, blank, threads=1)
    assert np.isfinite(want["loss"]).sum() > 3
    for threads in (2, 3, 5):
        assert_same_bits(ctc(x, y, lengths, frames, blank, threads), want)
    assert_same_bits(ctc(x, y, lengths, frames, blank, gradient=False), want["loss"])
    turned = np.ascontiguousarray(x.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert_same_bits(ctc(turned, y, lengths, frames, blank), want)
    for b, (n, t) in enumerate(zip(lengths, frames, strict=True)):
        for more in (0, 9):
            alone, labels = np.full((1, t + more, 17), np.nan, dtype), np.full((1, n + more), -1)
            alone[0, :t], labels[0, :n] = x[b, :t], y[b, :n]
            got = ctc(alone, labels, lengths[b:b + 1], frames[b:b + 1], blank)
            assert_same_bits({"loss": got["loss"], "dx": got["dx"][0, :t]}, {"loss": want["loss"][b:b + 1], "dx": want["dx"][b, :t]})


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_the_instruction_set(dtype, any_isa):
    found = []
    for name, seed in itertools.product(FMA_ISAS, range(12)):
        any_isa(name)
        found.append(ctc(*drawn(seed, dtype)))
    for n, got in enumerate(found):
        assert_same_bits(got, found[n % 12])


def test_nan_and_infinity_stay_in_their_sequence(isa):
    x, y, *_ = drawn(5, "float32", B=5, T=9, C=5, L=3)
    y[:] = [1, 2, 2]
    lengths, frames = np.full(5, 3), np.full(5, 9)
    want = ctc(x, y, lengths, frames)
    x[1, 4, 3], x[2, 0, 0], x[3, 8] = np.nan, np.inf, -np.inf
    got = ctc(x, y, lengths, frames)
    for b in range(5):
        part = {name: a[b] for name, a in got.items()}
        if b in (1, 2, 3):
            assert np.isnan(part["loss"])
            assert np.isnan(part["dx"]).all()
        else:
            assert_same_bits(part, {name: a[b] for name, a in want.items()})
    x[1, 4, 3] = -np.inf        # a class that cannot be
    got = ctc(x, y, lengths, frames)
    assert np.isfinite(got["loss"][1])
    assert got["dx"][1, 4, 3] == 0
    x[1, :, 2] = -np.inf        # which the labels need
    got = ctc(x, y, lengths, frames)
    assert got["loss"][1] == np.inf
    assert not got["dx"][1].any()


def test_shapes_of_the_kernel():
    x, y, lengths, frames, blank = drawn(1, "float32", B=2, T=3, C=4, L=2)
    for wrong in ((x, y[:1], lengths, frames, blank), (x, y, lengths[:1], frames, blank), (x, y, lengths, frames.astype(np.int32), blank),
                  (x, y, lengths, frames, 4), (x[0], y, lengths, frames, blank), (x, y.T, lengths, frames, blank)):
        with pytest.raises(ValueError, match=r"expected"):
            ctc(*wrong)


# The loss of models ----------------------------------------------------------------------------------------------------

def test_targets():
    loss, shape = losses.get("ctc"), (2, 9, 5)
    assert (loss.name, loss.blank, loss.get_config()) == ("ctc", 0, {
        "name": "ctc", "reduction": "sum_over_batch_size", "dtype": None, "blank": 0, "zero_infinity": False})
    for y in ([[1, 4, 0], [0, 0, 0]], [[1, 4, -1], [-1, -1, -1]], np.array([[1, 4, 0], [0, -1, 0]], np.float32), np.array([[1, 4, 0], [0, 0, 0]], np.uint8)):
        assert_same_bits(loss.targets(y, shape, np.dtype(np.float32)), np.array([[1, 4, -1], [-1, -1, -1]]))
    for blank in (-1, 4):
        assert_same_bits(losses.CTC(blank).targets([[0, 1, 4], [2, -1, -1]], shape, np.dtype(np.float32)), np.array([[0, 1, -1], [2, -1, -1]]))


@pytest.mark.parametrize(("y", "shape", "error", "message"), [
    ([[0, 1]], (1, 4, 3), ValueError, r"padding, -1 or the blank 0, behind them, .*padding='post', and where 0 is a label, .*CTC\(blank=...\)"),
    ([[1, 3]], (1, 4, 3), ValueError, "labels from 0 to 2 for 3 outputs, or -1 as padding, received values from 1 to 3"),
    ([[1, -2]], (1, 4, 3), ValueError, "received values from -2 to 1"),
    ([[1, 0.5]], (1, 4, 3), ValueError, "with a fraction or NaN"),
    ([[1, np.nan]], (1, 4, 3), ValueError, "with a fraction or NaN"),
    ([1, 2], (2, 4, 3), ValueError, r"\(batch, labels\) = \(2, L\), received \(2,\)"),
    ([[1], [2], [1]], (2, 4, 3), ValueError, r"\(2, L\), received \(3, 1\)"),
    ([["a"]], (1, 4, 3), TypeError, "integer labels, received dtype <U1"),
    ([[1]], (1, 3), ValueError, r"\(batch, time, classes\) for ctc, received \(1, 3\); .*return_sequences=True"),
])  # fmt: skip
def test_wrong_targets(y, shape, error, message):
    with pytest.raises(error, match=message):
        losses.CTC().targets(y, shape, np.dtype(np.float32))


def test_wrong_settings():
    with pytest.raises(ValueError, match="blank: expected one of the 3 classes of the output, 0 to 2, received 3"):
        losses.CTC(blank=3).targets([[1]], (1, 4, 3), np.dtype(np.float32))
    with pytest.raises(ValueError, match="blank: expected -1 to"):
        losses.CTC(blank=-2)
    with pytest.raises(TypeError, match="zero_infinity: expected True or False"):
        losses.CTC(zero_infinity=1)


def test_values_and_masks():
    x, y, *_ = drawn(8, "float64", B=4, T=9, C=5, L=4)
    y[:] = [[1, 2, 2, 3], [4, 4, -1, -1], [2, 2, 2, 2], [-1, -1, -1, -1]]
    mask = np.array([[1] * 9, [0, 0, 1, 1, 0, 1, 1, 0, 1], [1] * 6 + [0] * 3, [0] * 9], bool)
    loss = losses.CTC()
    values, d = loss.values(y, x, mask=mask), loss.gradient(y, x, mask=mask)
    for b in range(4):
        want, dx = reference(x[b, mask[b]], y[b, y[b] >= 0])
        assert values[b] == pytest.approx(want, abs=1e-13)
        assert np.abs(d[b, mask[b]] - dx).max(initial=0) < 1e-13
        assert not d[b, ~mask[b]].any()
    assert values[2] == np.inf
    assert losses.CTC(zero_infinity=True).values(y, x, mask=mask)[2] == 0
    assert loss(np.maximum(y, 0), x) == pytest.approx(np.mean([reference(x[b], y[b, y[b] >= 0])[0] for b in range(4)]), abs=1e-12)


def task():
    """Sequences of frames with noise, each a one-hot of a class for 2 or 3 of them; labels with 0 behind them, and frames of -1 behind the last."""
    rng = np.random.default_rng(0)
    x, y = np.full((48, 14, 4), -1, np.float32), np.zeros((48, 4), int)
    for b in range(48):
        labels = rng.integers(1, 5, rng.integers(1, 5))
        frames = np.repeat(labels, rng.integers(2, 4, len(labels)))
        x[b, :len(frames)] = np.eye(4)[frames - 1] + rng.normal(0, 0.1, (len(frames), 4))
        y[b, :len(labels)] = labels
    return x, y


def model(optimizer=None):
    set_random_seed(1)
    m = Sequential([Input((None, 4)), Masking(-1.0), LSTM(16, return_sequences=True), Dense(5)])
    m.compile(optimizer or lstmc.optimizers.Adam(0.02), "ctc")
    m.build()
    return m


def test_a_model_reads_its_mask():
    x, y = task()
    m, frames = model(), (x != -1).any(2).sum(1)
    want = [reference(p[:n], labels[labels > 0])[0] for p, n, labels in zip(m.predict(x, verbose=0), frames, y, strict=True)]
    assert m.evaluate(x, y, verbose=0) == pytest.approx(np.mean(want), rel=1e-5)
    weights = np.linspace(0, 2, 48)
    assert m.test_on_batch(x, y, weights) == pytest.approx(np.mean(weights * want), rel=1e-5)


def test_a_step_runs_forward_once(monkeypatch):
    """And gives what values and gradients alone give, which a subclass may have for itself."""
    calls, real = [], train.ctc

    def counted(*arguments):
        calls.append(arguments[-1] is not None)
        return real(*arguments)

    class Doubled(losses.CTC):
        def values(self, y, p, mask=None):
            return 2 * super().values(y, p, mask)

    class Apart(losses.CTC):
        both = losses.Loss.both

    monkeypatch.setattr(train, "ctc", counted)
    x, y = np.random.default_rng(0).normal(size=(4, 6, 3)), np.array([[1, 2], [1, -1], [2, 2], [-1, -1]])
    x[0, 4:] = 0
    found = {}
    for kind in (losses.CTC, Apart, Doubled):
        set_random_seed(1)
        model = Sequential([Input((None, 3)), Masking(), LSTM(4, return_sequences=True), Dense(3)])
        model.compile("sgd", kind())
        calls.clear()
        loss = model.train_on_batch(x, y)
        found[kind] = loss, [w.tobytes() for w in model.get_weights()], list(calls)
    assert found[losses.CTC] == (*found[Apart][:2], [True])
    assert found[Apart][2] == found[Doubled][2] == [False, True]
    assert found[Doubled] == (2 * found[Apart][0], *found[Apart][1:])


def test_weights_of_samples_reach_the_gradients():
    x, y = task()
    chosen = np.arange(48) % 2 == 0
    a, b = model("sgd"), model("sgd")
    a.train_on_batch(x, y, sample_weight=2.0 * chosen)
    b.train_on_batch(x[chosen], y[chosen])
    for got, want in zip(a.get_weights(), b.get_weights(), strict=True):
        assert np.abs(got - want).max() < 1e-6


def test_a_model_learns_to_say_labels(tmp_path):
    x, y = task()
    m = model()
    first = m.evaluate(x, y, verbose=0)
    history = m.fit(x, y, batch_size=16, epochs=40, verbose=0).history["loss"]
    assert history[-1] < 0.2 < 2 < first
    decoded, _ = lstmc.utils.ctc_decode(m.predict(x, verbose=0), (x != -1).any(2).sum(1), "beam_search", 10)
    assert (np.where(decoded[0, :, :4] < 0, 0, decoded[0, :, :4]) == y).all(1).mean() > 0.9
    again = model()
    assert again.fit(x, y, batch_size=16, epochs=40, verbose=0).history["loss"] == history
    m.save(tmp_path / "m.safetensors")
    loaded = lstmc.load(tmp_path / "m.safetensors")
    assert isinstance(loaded.loss, losses.CTC)
    assert loaded.evaluate(x, y, verbose=0) == m.evaluate(x, y, verbose=0)


def test_labels_of_unequal_lengths_and_class_weights_in_fit():
    x = np.random.default_rng(0).normal(size=(3, 6, 2))
    lists, padded = [[1, 2], [3], [2, 2, 1]], np.array([[1, 2, -1], [3, -1, -1], [2, 2, 1]])

    def model():
        made = lstmc.Sequential([lstmc.Input((None, 2)), lstmc.layers.LSTM(3, return_sequences=True, seed=1), lstmc.layers.Dense(4, seed=2)])
        made.compile("sgd", "ctc")
        return made

    assert model().fit(x, lists, shuffle=False, verbose=0).history == model().fit(x, padded, shuffle=False, verbose=0).history
    with pytest.raises(ValueError, match="class_weight: expected one label per sample, received a loss of sequences"):
        model().fit(x, padded, class_weight={1: 2.0}, verbose=0)
