"""The promise, by equality: a sequence's result does not depend on its batch, on threads, on how time is cut, or on
the instruction set (among those with fused multiply-add); gradients do not depend on threads or instruction set.
"""

import json

import numpy as np
import pytest

from cases import Case
from conftest import CASES, DTYPES, FMA_ISAS, ISAS, assert_same_bits, module_of, named, numbers_of, train
from golden.make_bits import PATH, RUNS, digest, key
from lstmc.nn import step_many

# Results of one sequence, and the axis of the batch in each.
ROWWISE = {"y": 1, "h_n": 1, "c_n": 1, "dx": 1, "dh0": 1, "dc0": 1}
ARGUMENTS = ("x", "h0", "c0", "dy", "dh_n", "dc_n")
STACK = Case(13, 11, 5, 19, L=2, D=2, P=3, ragged=True)
BATCHES = [Case(9, 23, 5, 17), Case(5, 7, 31, 33, L=2), Case(70, 2, 3, 5), Case(6, 29, 4, 16, P=5, D=2), STACK]


def rows(results, index):
    """The results of some sequences of a batch."""
    return {name: np.take(results[name], index, axis) for name, axis in ROWWISE.items()}


def only(numbers, index, T=None):
    """The numbers of some sequences (and of their first T steps) as a batch of their own."""
    part = {**numbers, **{name: np.take(numbers[name], index, 1) for name in ARGUMENTS}}
    if T is not None:
        part |= {"x": part["x"][:T], "dy": part["dy"][:T]}
    if part["lengths"] is not None:
        part["lengths"] = part["lengths"][index]
    return part


def case_id(case):
    return case.id


# Threads ----------------------------------------------------------------------------------------------------

# Few rows and recurrent weights above 128 KiB: the threads of a call share the rows and divide the units.
SHARED = [Case(5, 1, 40, 129), Case(7, 5, 3, 181, ragged=True), Case(5, 2, 3, 131, L=2, D=2), Case(6, 3, 2, 193, P=97, ragged=True)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [*BATCHES, *SHARED, Case(113, 19, 3, 5, ragged=True), Case(3, 2, 3, 4)], ids=case_id)
def test_threads(case, dtype, isa):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    want = train(m, n, threads=1)
    assert_same_bits(train(m, n), want)
    for threads in (2, 3, 5):
        assert_same_bits(train(m, n, threads=threads), want)
        inference = named(*m(n["x"], (n["h0"], n["c0"]), n["lengths"], threads=threads))
        assert_same_bits(inference, {name: want[name] for name in inference})


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_of_a_session(dtype, isa):
    case = Case(5, 3, 9, 129, L=2, P=20)
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    want = np.stack([s.step(x) for s in [m.session(3)] for x in n["x"]])
    for threads in (2, 3, 5):
        s = m.session(3)
        assert_same_bits(np.stack([s.step(x, threads=threads) for x in n["x"]]), want)
        assert_same_bits(m.session(3).run(n["x"], threads=threads), want)


# The batch around a sequence ----------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", BATCHES, ids=case_id)
def test_a_sequence_alone_and_in_a_batch(case, dtype, isa):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    whole = train(m, n)
    for b in range(case.B):
        assert_same_bits(rows(train(m, only(n, [b])), [0]), rows(whole, [b]))


@pytest.mark.parametrize("case", BATCHES, ids=case_id)
def test_a_sequence_among_others(case, isa):
    """The same sequence at every position of batches of other sizes, its companions drawn anew."""
    n, m = numbers_of(case), module_of(case)
    want, other = rows(train(m, n), [1]), numbers_of(case, seed=1)
    for B in (2, 6, 7, 13):
        for at in {0, B - 1}:
            index = np.arange(B) % case.B
            batch = only(other, index)
            for name in ARGUMENTS:
                batch[name][:, at] = n[name][:, 1]
            if n["lengths"] is not None:
                batch["lengths"][at] = n["lengths"][1]
            assert_same_bits(rows(train(m, batch), [at]), want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_order_of_a_batch(dtype, isa):
    n, m = numbers_of(STACK, dtype), module_of(STACK, dtype)
    order = np.random.default_rng(0).permutation(STACK.B)
    assert_same_bits(rows(train(m, only(n, order)), np.argsort(order)), rows(train(m, n), range(STACK.B)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [STACK, Case(70, 9, 3, 5, ragged=True), Case(9, 17, 5, 16, ragged=True)], ids=case_id)
def test_a_ragged_batch_is_its_sequences_cut_to_their_lengths(case, dtype, isa):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    whole = train(m, n)
    for b, length in enumerate(n["lengths"]):
        alone = train(m, {**only(n, [b], length), "lengths": None})
        want = rows(whole, [b])
        assert not want["y"][length:].any()
        assert not want["dx"][length:].any()
        want |= {name: np.ascontiguousarray(want[name][:length]) for name in ("y", "dx")}
        assert_same_bits(rows(alone, [0]), want)
        # The padding of a lone sequence is not there for the weight gradients either.
        assert_same_bits(train(m, only(n, [b])) | rows(alone, [0]), alone)


@pytest.mark.parametrize("dtype", DTYPES)
def test_full_lengths_are_no_lengths(dtype, isa):
    case = Case(9, 7, 5, 17, L=2, D=2)
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    assert_same_bits(train(m, n, lengths=[9] * 7), train(m, n))


# Cuts in time ---------------------------------------------------------------------------------------------------

STREAMS = [Case(80, 1, 3, 17), Case(23, 7, 5, 9, L=2), Case(19, 3, 4, 33, L=2, P=5), Case(9, 13, 2, 8, bias=False)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", STREAMS, ids=case_id)
def test_blocks_and_steps(case, dtype, isa):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    x, start = n["x"], (n["h0"], n["c0"])
    want = named(*m(x, start))
    for length in (1, 2, 5, 7):
        state, parts = start, []
        for t in range(0, case.T, length):
            y, state = m(x[t:t + length], state)
            parts.append(y)
        assert_same_bits(named(np.concatenate(parts), state), want)

    steps = m.session(case.B)
    steps.state = start
    assert_same_bits(named(np.stack([steps.step(x_t) for x_t in x]), steps.state), want)

    blocks, cut = m.session(case.B), case.T // 3
    blocks.state = start
    parts = [blocks.run(x[:cut]), blocks.step(x[cut])[None], blocks.run(x[cut + 1:cut + 1]), blocks.run(x[cut + 1:])]
    assert_same_bits(named(np.concatenate(parts), blocks.state), want)


@pytest.mark.parametrize("case", STREAMS, ids=case_id)
def test_snapshots_and_forks(case, isa):
    n, m = numbers_of(case), module_of(case)
    x, cut = n["x"], case.T // 2
    s = m.session(case.B)
    want = s.run(x)
    end = s.state
    s.reset()
    s.run(x[:cut])
    snap, twin = s.snapshot(), s.fork()
    first = np.stack([s.step(x_t) for x_t in x[cut:]])
    assert_same_bits(first, want[cut:])
    # The twin did not move with it, nor did the snapshot.
    assert_same_bits(twin.run(x[cut:]), want[cut:])
    s.restore(snap)
    assert_same_bits(s.run(x[cut:]), want[cut:])
    assert_same_bits(dict(enumerate(s.state)), dict(enumerate(end)))
    fresh = m.session(case.B)
    fresh.restore(snap)
    assert_same_bits(np.stack([fresh.step(x_t) for x_t in x[cut:]]), want[cut:])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", STREAMS, ids=case_id)
def test_step_many(case, dtype, isa):
    m = module_of(case, dtype)
    sizes = [1, 3, 2, 7, 1]
    rng = np.random.default_rng(0)
    xs = [rng.standard_normal((case.T, B, case.I)).astype(dtype) for B in sizes]
    want = [m(x)[0] for x in xs]
    sessions = [m.session(B) for B in sizes]
    for t in range(case.T):
        alone = t % 3 == 2      # now and then each takes its step by itself
        got = ([s.step(x[t]) for s, x in zip(sessions, xs, strict=True)] if alone
               else step_many(sessions, [x[t] for x in xs], threads=1 + t % 2))
        for y, w in zip(got, want, strict=True):
            assert_same_bits(y, w[t])
    for s, x in zip(sessions, xs, strict=True):
        assert_same_bits(dict(enumerate(s.state)), dict(enumerate(m(x)[1])))


# Instruction sets -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [*CASES, *BATCHES, *SHARED], ids=case_id)
def test_instruction_sets(case, dtype, any_isa):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    any_isa(FMA_ISAS[0])
    want = train(m, n)
    for other in FMA_ISAS:
        any_isa(other)
        assert_same_bits(train(m, n, threads=2), want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sessions_on_instruction_sets(dtype, any_isa):
    case = Case(9, 5, 4, 33, L=2, P=5)
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    found = []
    for other in FMA_ISAS:
        any_isa(other)
        s = m.session(5)
        found.append(np.stack([s.step(x) for x in n["x"]]))
        assert_same_bits(found[-1], found[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("which", ISAS)
def test_committed_bits(which, name, dtype, any_isa):
    """What every machine must compute; `golden/make_bits.py` says how the inputs are made."""
    any_isa(which)
    want = json.loads(PATH.read_text())[key(name, dtype, which)]
    assert digest(name, dtype) == digest(name, dtype, threads=3) == want


def test_the_committed_bits_are_distinct():
    bits = json.loads(PATH.read_text())
    assert len(bits) == len(set(bits.values())) == 4 * len(RUNS)


# NaN and infinity ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("case", [Case(7, 9, 5, 17, L=2, P=3), STACK], ids=case_id)
def test_a_poisoned_sequence_stays_alone(case, argument, bad, isa):
    n, m = numbers_of(case), module_of(case)
    want = train(m, n)
    for b in (0, case.B // 2):
        poisoned = n[argument].copy()
        poisoned[0, b] = bad
        others = np.delete(np.arange(case.B), b)
        for threads in (1, 2):
            assert_same_bits(rows(train(m, n, threads, **{argument: poisoned}), others), rows(want, others))


def test_poison_reaches_its_own_sequence(isa):
    """So that the test above is not passed by losing NaN on the way."""
    case = Case(7, 9, 5, 17, L=2, P=3)
    n, m = numbers_of(case), module_of(case)
    for argument in ("x", "h0", "c0"):
        poisoned = n[argument].copy()
        poisoned[0, 4, 2] = np.nan
        results = train(m, n, **{argument: poisoned})
        assert np.isnan(results["y"][:, 4]).all()
        assert np.isnan(results["h_n"][:, 4]).all()
        assert np.isnan(results["dx"][:, 4]).all()
        assert all(np.isnan(results[f"d{name}"]).any() for name in n["params"])
    poisoned = n["dy"].copy()
    poisoned[3, 4, 1] = np.nan
    results = train(m, n, dy=poisoned)
    assert np.isnan(results["dx"][:4, 4]).all()
    assert not np.isnan(results["dx"][4:, 4]).any()


def test_poison_does_not_travel_back_in_time(isa):
    case = Case(7, 9, 5, 17, L=2)
    n, m = numbers_of(case), module_of(case)
    poisoned = n["x"].copy()
    poisoned[4, 2] = np.nan
    y, _ = m(poisoned, (n["h0"], n["c0"]))
    assert_same_bits(y[:4], m(n["x"], (n["h0"], n["c0"]))[0][:4])
    assert np.isnan(y[4:, 2]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [STACK, Case(9, 17, 5, 16, ragged=True)], ids=case_id)
def test_what_lies_past_a_length_is_not_read(case, dtype, bad, isa):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    want = train(m, n)
    x, dy = n["x"].copy(), n["dy"].copy()
    for b, length in enumerate(n["lengths"]):
        x[length:, b] = bad
        dy[length:, b] = bad
    assert np.count_nonzero(~np.isfinite(x)) > 0
    for threads in (1, 2):
        assert_same_bits(train(m, n, threads, x=x, dy=dy), want)
