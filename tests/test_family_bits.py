"""The promise of equal bits for every cell and some of its options; `test_bits` has more of it for the LSTM.

A sequence's result does not depend on its batch, on threads, on how time is cut, on how its valid steps are given or where
results go; gradients do not depend on threads, on instruction sets or on which states were kept.
"""

import numpy as np
import pytest

from cases import Case
from cells import DRAWN, VARIANTS
from conftest import DTYPES, FMA_ISAS, assert_same_bits, call, module_of, named, numbers_of, parts_of, state_in, train
from lstmc.nn import step_many

NAMES = ("lstm", "lstm-clip-peephole-coupled", "lstm-haste-all", "lstm-tfa-zoneout", "lstm-zoneout", "lstm-onnx-hard", "lstm-dropped",
         "lstm-haste-dropped-all", "lstm-tfa-dropped", "gru", "gru-before", "gru-clip", "gru-zoneout", "gru-before-zoneout-clip",
         "gru-dropped", "gru-before-dropped", "gru-before-dropped-zoneout-clip", "rnn", "rnn-relu", "rnn-dropped")
ROWWISE = {"y": 1, "h_n": 1, "c_n": 1, "dx": 1, "dh0": 1, "dc0": 1}
ARGUMENTS = ("x", "h0", "c0", "dy", "dh_n", "dc_n")
STACK = Case(13, 11, 5, 19, L=2, D=2, ragged=True)
BATCHES = [STACK, Case(9, 23, 5, 33), Case(70, 2, 3, 5)]
STREAM = Case(23, 3, 4, 33, L=2)
SHARED = [Case(6, 1, 5, 300), Case(9, 5, 4, 181, D=2, ragged=True), Case(7, 2, 3, 200, L=2)]

every_cell = pytest.mark.parametrize("name", NAMES)


def case_id(case):
    return case.id


def only(numbers, index):
    """The numbers of some sequences as a batch of their own."""
    part = {**numbers, **{name: np.take(numbers[name], index, 1) for name in ARGUMENTS if name in numbers}}
    return part | {"lengths": None if part["lengths"] is None else part["lengths"][index]}


def rows(results, index):
    return {name: np.take(results[name], index, axis) for name, axis in ROWWISE.items() if name in results}


@every_cell
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", BATCHES, ids=case_id)
def test_a_sequence_in_the_first_rows_of_a_batch_alone(case, dtype, name, isa):
    """Masks follow the number of the row, so a sequence keeps its number here."""
    n = numbers_of(case, dtype, name=name)
    whole = train(module_of(case, dtype, name=name), n)
    for B in range(1, case.B, 3):
        assert_same_bits(rows(train(module_of(case, dtype, name=name), only(n, np.arange(B))), range(B)), rows(whole, range(B)))


@every_cell
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", BATCHES, ids=case_id)
def test_a_sequence_alone_in_inference(case, dtype, name, isa):
    n, m = numbers_of(case, dtype, name=name), module_of(case, dtype, name=name)
    whole = call(m, n)
    for b in range(case.B):
        assert_same_bits(call(m, only(n, [b])), rows(whole, [b]))


@every_cell
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [STACK, Case(23, 27, 5, 17), Case(131, 17, 3, 5)], ids=case_id)
def test_threads_and_instruction_sets(case, dtype, name, any_isa):
    n, want = numbers_of(case, dtype, name=name), None
    for isa in FMA_ISAS:
        any_isa(isa)
        for threads in (1, 2, 5):
            m = module_of(case, dtype, name=name)
            got = train(m, n, threads) | {f"{part} in inference": a for part, a in call(m, n, threads=threads).items()}
            want = want or got
            assert_same_bits(got, want)


@pytest.mark.parametrize("name", ["lstm-clip-peephole-coupled", "gru", "gru-before", "gru-zoneout", "rnn"])
@pytest.mark.parametrize("case", SHARED, ids=case_id)
def test_threads_that_share_units(case, name, isa, forced):
    n, m = numbers_of(case, "float32", name=name), module_of(case, "float32", name=name)
    want = train(m, n, 1)
    inference = call(m, n, threads=1)
    for threads, entries in ((2, {}), (5, {}), (3, {"one_by_one": True}), (3, {"alone_from": 2}), (2, {"alone_from": case.T})):
        forced(**entries)
        m.step = 0
        assert_same_bits(train(m, n, threads), want)
        assert_same_bits(call(m, n, threads=threads), inference)


@every_cell
@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_and_steps(dtype, name, isa):
    n, m = numbers_of(STREAM, dtype, name=name), module_of(STREAM, dtype, name=name)
    x, start, want = n["x"], state_in(n), call(m, n)
    for length in (1, 2, 7):
        state, parts = start, []
        for t in range(0, STREAM.T, length):
            y, state = m(x[t:t + length], state)
            parts.append(y)
        assert_same_bits(named(np.concatenate(parts), state), want)
    for threads in (None, 2):
        s = m.session(STREAM.B)
        s.state = start
        assert_same_bits(named(np.stack([s.step(x_t, threads=threads) for x_t in x]), s.state), want)
    s.state = start
    parts = [s.run(x[:9]), s.step(x[9])[None], s.run(x[10:10]), s.run(x[10:])]
    assert_same_bits(named(np.concatenate(parts), s.state), want)


@every_cell
@pytest.mark.parametrize("dtype", DTYPES)
def test_step_many(dtype, name, isa):
    m, rng, sizes = module_of(STREAM, dtype, name=name), np.random.default_rng(0), (1, 3, 7)
    xs = [rng.standard_normal((STREAM.T, B, STREAM.I)).astype(dtype) for B in sizes]
    want, sessions = [m(x) for x in xs], [m.session(B) for B in sizes]
    for t in range(STREAM.T):
        got = step_many(sessions, [x[t] for x in xs], threads=1 + t % 2)
        for y, (w, _) in zip(got, want, strict=True):
            assert_same_bits(y, w[t])
    for s, (_, state) in zip(sessions, want, strict=True):
        assert_same_bits(parts_of(s.state, "{}"), parts_of(state, "{}"))


@every_cell
def test_snapshots_and_forks(name, isa):
    n, m = numbers_of(STREAM, name=name), module_of(STREAM, name=name)
    s = m.session(STREAM.B)
    want = s.run(n["x"])
    s.reset()
    s.run(n["x"][:8])
    snap, twin = s.snapshot(), s.fork()
    assert_same_bits(s.run(n["x"][8:]), want[8:])
    assert_same_bits(twin.run(n["x"][8:]), want[8:])
    s.restore(snap)
    assert_same_bits(np.stack([s.step(x_t) for x_t in n["x"][8:]]), want[8:])


# How a call is laid out -----------------------------------------------------------------------------------------

@every_cell
@pytest.mark.parametrize("case", [STACK, Case(9, 7, 5, 33)], ids=case_id)
def test_batch_first_and_out(case, name, isa):
    n, m = numbers_of(case, name=name), module_of(case, name=name)
    want, first = train(m, n), module_of(case, name=name, batch_first=True)
    got = train(first, n, x=n["x"].swapaxes(0, 1), dy=n["dy"].swapaxes(0, 1))
    for part in ("y", "dx"):
        got[part] = np.ascontiguousarray(got[part].swapaxes(0, 1))
    assert_same_bits(got, want)
    want = call(m, n)
    out = np.full((*want["y"].shape[:2], want["y"].shape[2] + 3), np.nan)[:, ::-1, 1:-2]
    y, state = m(n["x"], state_in(n), n["lengths"], out=out)
    assert y is out
    assert_same_bits(named(y, state), want)


@every_cell
def test_unbatched(name, isa):
    case = Case(9, 1, 5, 33, L=2, D=2)
    n = numbers_of(case, name=name)
    want = train(module_of(case, name=name), n)
    got = train(module_of(case, name=name), n, **{part: n[part][:, 0] for part in ARGUMENTS if part in n})
    for part in ROWWISE.keys() & want.keys():
        got[part] = got[part][:, None].copy()
    assert_same_bits(got, want)


# Gradients of a sequence whose states are not all kept ----------------------------------------------------------

@pytest.mark.parametrize(("case", "name"), [
    *((case, name) for case in (STACK, Case(131, 17, 3, 5), Case(43, 27, 5, 17), Case(0, 3, 5, 7)) for name in NAMES),
    *((Case(150, 9, 3, 5, L=2, D=2, ragged=True), name) for name in ("lstm", "lstm-haste-dropped-all", "gru-before-zoneout-clip", "rnn")),
], ids=lambda value: getattr(value, "id", value))
def test_checkpoints(case, name, isa):
    n = numbers_of(case, "float32", name=name)
    want = train(module_of(case, "float32", name=name), n)
    for every, threads in ((1, 1), (7, 3), (1000, 2)):
        assert_same_bits(train(module_of(case, "float32", name=name), n, threads, {"checkpoint_every": every}), want)


@pytest.mark.parametrize("case", [Case(13, 11, 5, 19, L=2, D=2, P=3, ragged=True), Case(131, 9, 3, 5, P=2, D=2)], ids=case_id)
def test_checkpoints_with_a_projection_and_dropout(case, isa):
    n = numbers_of(case)
    more = {"dropout": 0.3} if case.L > 1 else {}
    more |= {"input_dropout": 0.2}
    want = train(module_of(case, **more), n)
    for every in (1, 20, 60, 1000):
        assert_same_bits(train(module_of(case, **more), n, 2, {"checkpoint_every": every}), want)


@pytest.mark.parametrize("name", [name for name in NAMES if not {"zoneout", *DRAWN} & set(VARIANTS[name].settings)])     # each block has masks of its own
def test_two_blocks_of_training(name, isa):
    """Truncated backpropagation: y of two blocks is y of the whole, and what the second gives is its own alone."""
    case = Case(23, 3, 4, 33, L=2)
    n, m = numbers_of(case, name=name), module_of(case, name=name)
    whole = train(m, n)
    y1, state, _ = m.forward(n["x"][:9], state_in(n))
    second = {**n, "x": n["x"][9:], "dy": n["dy"][9:], **parts_of(state, "{}0")}
    results = train(m, second)
    assert_same_bits({"y": np.concatenate([y1, results["y"]]), **{k: results[k] for k in results if k.endswith("_n")}},
                     {k: whole[k] for k in whole if k == "y" or k.endswith("_n")})
    fresh = {**second, **{k: a.copy() for k, a in parts_of(state, "{}0").items()}, "x": n["x"][9:].copy()}
    assert_same_bits(results, train(module_of(case, name=name), fresh))
