"""Training by pieces: one process, and 2, 3 and 4 ranks, here threads, give the same weights, losses and metrics, bit for bit."""

import copy

import numpy as np
import pytest

import lstmc
from lstmc import callbacks, nn
from lstmc.distributed import Pieces, all_reduce, sums
from lstmc.distributed.tree import Tree, dealt, summed
from lstmc.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Input,
    Masking,
    SpatialDropout1D,
    TimeDistributed,
)
from lstmc.nn.dropout import keep_mask, sequences_from
from teams import Team

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)
X = RNG.normal(size=(41, 6, 3)).astype(np.float32)
LENGTHS = RNG.integers(1, 7, 41)
RAGGED = [a[:n] for a, n in zip(X, LENGTHS, strict=True)]
HOLED = np.where((np.arange(6) < LENGTHS[:, None])[:, :, None], X, np.float32(0))
LABELS = RNG.integers(0, 3, 41)
NUMBERS = RNG.normal(size=(41, 1)).astype(np.float32)
WEIGHTS = RNG.uniform(size=41)


def rows(*layers, loss="mse", optimizer=None, **more):
    lstmc.utils.set_random_seed(3)
    model = lstmc.Sequential([Input((None, 3)), *layers])
    model.compile(optimizer or lstmc.optimizers.SGD(0.05, momentum=0.9), loss, **more)
    model.build()
    return model


def dropped():
    return rows(LSTM(4, dropout=0.2, recurrent_dropout=0.3, return_sequences=True), TimeDistributed(Dropout(0.2)), SpatialDropout1D(0.2), GRU(3),
                Dropout(0.3), Dropout(0.3, noise_shape=(1, None)), Dense(1), optimizer=lstmc.optimizers.Adam(0.02, global_clipnorm=0.5), metrics=["mae"])


def classified():
    return rows(Masking(), Bidirectional(LSTM(3, kernel_regularizer="l2")), Dense(3, "softmax"),
                loss="sparse_categorical_crossentropy", optimizer=lstmc.optimizers.AdamW(0.01, clipnorm=0.1), metrics=["accuracy"],
                weighted_metrics=[lstmc.metrics.SparseCategoricalAccuracy("weighted")])


def steps():
    return rows(GRU(3, return_sequences=True), Dense(1, activity_regularizer="l2"), loss=lstmc.losses.MeanSquaredError(reduction="mean_with_sample_weight"))


def words():
    lstmc.utils.set_random_seed(4)
    model = lstmc.Sequential([Input((None,), dtype="int32"), Embedding(1000, 4, mask_zero=True), LSTM(3, return_sequences=True), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=[lstmc.metrics.AUC(num_thresholds=9), "accuracy"])
    model.build()
    return model


def two():
    lstmc.utils.set_random_seed(5)
    x = Input((None, 3), name="x")
    h = LSTM(4, return_sequences=True)(Masking()(x))
    model = lstmc.Model(x, [Dense(1, name="each")(h), Dense(3, "softmax", name="last")(GRU(2, activity_regularizer="l2")(h))])
    model.compile("rmsprop", ["mse", "sparse_categorical_crossentropy"], loss_weights=[0.7, 1.0], metrics=[["mae"], ["accuracy"]])
    return model


def unbuilt():
    lstmc.utils.set_random_seed(3)
    model = lstmc.Sequential([GRU(3, seed=1), Dense(1, seed=2)])
    model.compile("sgd", "mse")
    return model


def batches():
    return [(X[i:i + 13], NUMBERS[i:i + 13], WEIGHTS[i:i + 13]) for i in range(0, 39, 13)]


EACH = RNG.integers(0, 2, (41, 6, 1))
CASES = {
    "dropout": (dropped, {"x": X, "y": NUMBERS, "validation_split": 0.2}),
    "ragged": (dropped, {"x": RAGGED, "y": NUMBERS}),
    "masked and weighted": (classified, {"x": HOLED, "y": LABELS, "sample_weight": WEIGHTS, "validation_data": (HOLED[:9], LABELS[:9])}),
    "penalty of outputs, mean with weights": (steps, {"x": RAGGED, "y": [a[:n] for a, n in zip(X[:, :, :1], LENGTHS, strict=True)],
                                                      "sample_weight": WEIGHTS}),
    "rows of a table": (words, {"x": RNG.integers(0, 30, (41, 6)), "y": EACH}),
    "two outputs": (two, {"x": HOLED, "y": [X[:, :, :1], LABELS]}),
    "iterable": (unbuilt, {"x": batches(), "shuffle": False}),
}


def fitted(model, distribute, arguments, **more):
    arguments = {"batch_size": 19, **arguments}
    if isinstance(arguments["x"], list) and isinstance(arguments["x"][0], tuple):
        arguments["x"] = iter_of(arguments["x"])
        del arguments["batch_size"]
    history = model.fit(**arguments, epochs=2, verbose=0, **({} if distribute is None else {"distribute": distribute}), **more)
    return model.get_weights(), history.history


class iter_of:
    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(self.items)


def assert_same(found, expected):
    for a, b in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert found[1] == expected[1]


@pytest.mark.parametrize("name", CASES)
def test_ranks_give_the_bits_of_one_process_and_the_numbers_of_the_whole_batch(name, monkeypatch):
    monkeypatch.setattr(sums, "SEGMENT", 20)        # numbers: of some layers
    make, arguments = CASES[name]
    start = make()
    alone, whole, one_piece = (copy.deepcopy(start) for _ in range(3))
    expected = fitted(alone, Pieces(3), arguments)
    near = fitted(whole, None, arguments)
    for found in (expected, fitted(one_piece, Pieces(100), arguments)):
        for a, b in zip(found[0], near[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)
        for key, values in near[1].items():
            np.testing.assert_allclose(found[1][key], values, rtol=1e-4)
    for ranks in (2, 3, 4):
        found, errors = Team(ranks).run(lambda shared: fitted(copy.deepcopy(start), shared(3), arguments))
        assert errors == [None] * ranks
        for one in found:
            assert_same(one, expected)


def test_a_sum_is_a_tree_over_pieces_whoever_has_them():
    def text(a, b):
        return f"({a}+{b})"

    for pieces in range(1, 18):
        alone = Tree(text)
        for n in range(pieces):
            alone.push(n, 0, str(n))
        for ranks in range(1, 6):
            nodes = []
            for rank in range(ranks):
                tree = Tree(text)
                for n in range(*dealt(pieces, ranks)[rank]):
                    tree.push(n, 0, str(n))
                assert len(tree.nodes) <= 2 * pieces.bit_length()
                nodes += tree.nodes
            assert dealt(pieces, ranks)[0][1] > 0
            assert summed(nodes, text) == alone.total()
    assert alone.total() == "((((((0+1)+(2+3))+((4+5)+(6+7)))+(((8+9)+(10+11))+((12+13)+(14+15))))+16)".replace("((((((", "(((((", 1)


def test_a_piece_draws_what_it_draws_in_the_whole_batch():
    x = RNG.normal(size=(4, 5, 3)).astype(np.float32)
    whole = keep_mask(0.4, (4, 5, 3), np.dtype("f4"), 1, 2, 3)
    with sequences_from(2):
        np.testing.assert_array_equal(keep_mask(0.4, (4, 3, 3), np.dtype("f4"), 1, 2, 3), whole[:, 2:])
    m = nn.LSTM(3, 4, num_layers=2, dropout=0.3, zoneout=0.4, recurrent_dropout=0.2, input_dropout=0.2, bidirectional=True, seed=7)
    p = nn.LSTM(3, 4, num_layers=2, proj_size=2, zoneout=(0.4, 0.3), seed=7)
    for module in (m, p):
        y, _, tape = module.forward(x)
        g = module.backward(tape, np.ones_like(y))
        for every in (None, 2):
            module.step = 0
            with sequences_from(2):
                part, _, tape = module.forward(np.ascontiguousarray(x[:, 2:]), checkpoint_every=every)
            np.testing.assert_array_equal(part, y[:, 2:])
            np.testing.assert_array_equal(module.backward(tape, np.ones_like(part)).x, g.x[:, 2:])


def test_decisions_of_callbacks_are_those_of_rank_0_everywhere(tmp_path):
    start = classified()

    def work(shared):
        distribute, model = shared(4), copy.deepcopy(start)
        rank, seen = distribute.rank, []
        stop = callbacks.EarlyStopping("loss", patience=0, min_delta=10.0, restore_best_weights=True)

        def change(batch, logs):
            seen.append(batch)
            model.evaluate(HOLED, LABELS, verbose=0)      # of this process alone
            model.optimizer.learning_rate = 0.01 * (batch + 1)
            model.set_weights([w + np.float32(0.01) for w in model.get_weights()])

        more = callbacks.LambdaCallback(on_train_batch_end=change)
        model.fit(HOLED, LABELS, batch_size=16, epochs=5, verbose=0, distribute=distribute, callbacks=[
            stop, more, callbacks.CSVLogger(tmp_path / f"{rank}.csv")])
        return len(seen), model.get_weights(), model.optimizer.learning_rate, model.history.history

    (found, other), errors = Team(2).run(work)
    assert errors == [None, None]
    assert found[0] == 6
    assert other[0] == 0
    assert len(found[3]["loss"]) == 2
    assert found[2:] == other[2:]
    assert_same(other[1:4:2], found[1:4:2])
    assert (tmp_path / "0.csv").exists()
    assert not (tmp_path / "1.csv").exists()


def test_a_backup_is_taken_up_by_another_number_of_ranks(tmp_path):
    start = dropped()
    expected = fitted(copy.deepcopy(start), Pieces(3), CASES["dropout"][1])

    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.seen = getattr(self, "seen", 0) + 1
            if self.seen == 3:
                raise InterruptedError("here")

    def begun(shared):
        fitted(copy.deepcopy(start), shared(3), CASES["dropout"][1], callbacks=[callbacks.BackupAndRestore(tmp_path, 1), Stop()])

    def resumed(shared):
        distribute = shared(3)
        lstmc.utils.set_random_seed(3)
        where = tmp_path if distribute.rank == 0 else tmp_path / "elsewhere"     # a machine of its own
        return fitted(copy.deepcopy(start), distribute, CASES["dropout"][1], callbacks=[callbacks.BackupAndRestore(where, 1), callbacks.Callback()])

    Stop.__name__ = "Callback"
    _, errors = Team(2).run(begun)
    assert [type(e) for e in errors] == [InterruptedError, RuntimeError], errors
    assert "here" in str(errors[1])
    found, errors = Team(3).run(resumed)
    assert errors == [None] * 3
    for one in found:
        assert_same(one, expected)


@pytest.mark.parametrize(("what", "change"), [
    ("seeds", lambda m, a: setattr(m.layers[1], "seed", 5)),
    ("weights", lambda m, a: m.set_weights([w + 1 for w in m.get_weights()])),
    ("optimizer", lambda m, a: setattr(m.optimizer, "learning_rate", 0.5)),
    ("training data", lambda m, a: a.update(x=X[:30], y=NUMBERS[:30])),
    ("training data", lambda m, a: a.update(x=np.float64(X)[:, :5])),
    ("training data", lambda m, a: a.update(y=np.int64(NUMBERS))),
    ("arguments", lambda m, a: a.update(batch_size=7)),
])
def test_what_differs_between_ranks_is_named(what, change):
    start = dropped()

    def work(shared):
        distribute, model, arguments = shared(3), copy.deepcopy(start), {"x": X, "y": NUMBERS, "batch_size": 19}
        if distribute.rank == 1:
            change(model, arguments)
        fitted(model, distribute, arguments)

    _, errors = Team(3).run(work)
    assert all(isinstance(e, ValueError) for e in errors)
    assert len({str(e) for e in errors}) == 1
    assert f"{what}: " in str(errors[0])
    assert "on rank 0" in str(errors[0])
    assert "on rank 1" in str(errors[0])


def test_an_error_of_one_rank_before_the_first_batch_reaches_the_others():
    start = dropped()

    def work(shared):
        distribute = shared(3)
        fitted(copy.deepcopy(start), distribute, {"x": X, "y": NUMBERS[:-distribute.rank or None]})

    _, errors = Team(2).run(work)
    assert [type(e) for e in errors] == [RuntimeError, ValueError]
    assert "expected 41 entries" in str(errors[0])


def test_a_loss_that_is_no_number_is_told_with_rank_and_batch():
    start, x = dropped(), X.copy()
    x[25] = np.nan

    with pytest.warns(RuntimeWarning, match=r"batch 1 .* on rank 1: x has NaN or infinite values in 1 of the 4 samples.*samples 8 to 11 of the batch"):
        _, errors = Team(2).run(lambda shared: copy.deepcopy(start).fit(x, NUMBERS, batch_size=16, verbose=0, shuffle=False, distribute=shared(4)))
    assert errors == [None, None], errors
    model = rows(GRU(2), Dense(1, kernel_regularizer=lstmc.regularizers.L2(1e300)))
    model.set_weights([w * np.float32(1e15) for w in model.get_weights()])      # the penalty alone is infinite
    with np.errstate(over="ignore", invalid="ignore"), pytest.warns(RuntimeWarning, match="the loss is (inf|nan); x and y of this batch are finite"):
        model.fit(X * 0, NUMBERS * 0, epochs=1, batch_size=41, verbose=0, distribute=Pieces(4))


def test_what_is_not_of_one_sample_is_refused():
    for layer, text in ((BatchNormalization(), "mean and variance"), (LSTM(2, stateful=True), "stateful=True")):
        model = rows(layer, GRU(2), Dense(1)) if isinstance(layer, BatchNormalization) else rows(layer, Dense(1))
        with pytest.raises(ValueError, match=text):
            model.fit(X, NUMBERS, batch_size=41, verbose=0, distribute=Pieces(4))
    frozen = rows(BatchNormalization(trainable=False), GRU(2), Dense(1))
    frozen.fit(X, NUMBERS, verbose=0, distribute=Pieces(4))
    for other, received in ((4, "int"), (Pieces, r"the class lstmc\.distributed\.pieces\.Pieces")):
        expected = rf"distribute: expected lstmc\.distributed\.Pieces\(\.\.\.\) or lstmc\.distributed\.MPI\(\.\.\.\), received {received}"
        with pytest.raises(TypeError, match=expected):
            frozen.fit(X, NUMBERS, distribute=other)
        with pytest.raises(TypeError, match=expected):
            all_reduce({"a": np.ones(3)}, other)
    with pytest.raises(ValueError, match="size: expected"):
        Pieces(0)
    with pytest.warns(UserWarning, match="has 1 piece of 32 for 2 ranks"):
        assert Team(2).run(lambda shared: copy.deepcopy(frozen).fit(X, NUMBERS, verbose=0, distribute=shared(32)))[1] == [None, None]


def test_gradients_of_modules_are_summed_over_ranks_and_pieces():
    m = nn.LSTM(3, 4, seed=0)
    x = np.ascontiguousarray(X[:, :12].transpose(1, 0, 2))

    def of(n):
        y, _, tape = m.forward(np.ascontiguousarray(x[:, 4 * n:4 * n + 4]))
        return m.backward(tape, np.ones_like(y)).params

    several = [of(n) for n in range(5)]
    expected = all_reduce(several, Pieces())
    y, _, tape = m.forward(np.ascontiguousarray(x[:, :20]))
    for name, a in m.backward(tape, np.ones_like(y)).params.items():
        np.testing.assert_allclose(expected[name], a, rtol=0, atol=1e-4)
    for ranks in (2, 3, 5):
        found, errors = Team(ranks).run(lambda shared: all_reduce(several[slice(*dealt(5, (d := shared(1)).ranks)[d.rank])], d))
        assert errors == [None] * ranks
        for one in found:
            assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in expected.items()}
    again = Pieces()        # whose buffers are used again, and never by what was given
    before = all_reduce(several, again)
    kept, layout = {k: v.tobytes() for k, v in before.items()}, again._reduced[1]
    all_reduce([{k: v + 1 for k, v in several[0].items()}], again)
    assert again._reduced[1] is layout
    assert all_reduce({"a": np.float64([1, 2])}, again)["a"].dtype == np.float64
    assert {k: v.tobytes() for k, v in before.items()} == kept == {k: v.tobytes() for k, v in all_reduce(several, again).items()}
    with pytest.raises(TypeError, match="grads: expected"):
        all_reduce([], Pieces())
