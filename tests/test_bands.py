"""Training in two bands of rows: which batches, the same numbers as ever, and each band a batch of its own."""

import numpy as np
import pytest

from cases import Case
from conftest import DTYPES, assert_close, assert_same_bits, expected_of, module_of, named, numbers_of, train
from guarded import guarded
from lstmc.kernels import core, plan
from lstmc.kernels.schedule import Schedule

BANDED = [Case(22, 24, 5, 9), Case(19, 27, 3, 17, D=2), Case(21, 25, 4, 16, L=2, bias=False), Case(3, 171, 2, 5), Case(12, 41, 31, 33), Case(8, 61, 3, 17, D=2),
          Case(22, 12, 3, 4)]
RAGGED = [Case(19, 41, 5, 9, ragged=True), Case(23, 47, 4, 17, L=2, D=2, ragged=True), Case(3, 271, 2, 5, ragged=True)]
BLOCK = 256      # pairs that a weight gradient sums from zero
PAIRS, ROWS = 256, 12        # live pairs of two bands, and live rows of a step on average, at least
ROWWISE = {"y": 1, "h_n": 1, "c_n": 1, "dx": 1, "dh0": 1, "dc0": 1}


def bands(T, B, I=9, H=16, P=0, **more):
    return plan.choose("lstm", T, B, I, H, P, train=True, **more)["bands"]


def cut_alike(case):
    """Whether a weight gradient is cut after the same steps in the whole and in both halves, and those have no bands."""
    halves = case.B // 2, -(-case.B // 2)
    steps = {BLOCK * case.T // (case.T * case.B // 2), *(BLOCK // B for B in halves)}
    return case.L == 1 and len(steps) == 1 and bands(case.T, halves[1]) == 1


def schedule_of(case):
    return Schedule(case.T, case.B, numbers_of(case)["lengths"])


def case_id(case):
    return case.id


def test_which_batches():
    assert bands(22, 12) == bands(3, 86) == bands(1, 256) == bands(100, 32, ragged=True) == 2
    assert bands(1000, 11) == 1, "few rows"
    assert bands(3, 85) == 1, "few pairs"
    assert bands(100, 32, P=3) == bands(0, 32) == 1
    assert bands(100, 24, 256, 256) == 2
    assert bands(100, 23, 256, 256) == 1, "few rows for so many weights"
    assert bands(100, 32, 384, 384) == bands(100, 32, 256, 256, itemsize=8) == 1, "weights that no core's cache holds"
    assert plan.choose("lstm", 100, 32, 9, 16)["bands"] == 1, "inference has no sums"


def test_bands_run_at_the_same_time():
    two = 2 if core.has_openmp() and not core.forked() else 1
    for D in (1, 2):
        p = plan.choose("lstm", 100, 32, 64, 64, D=D, threads=2, train=True)
        assert (p["at_once"], p["threads"], p["shared"]) == (two, 1, False)
        p = plan.choose("lstm", 100, 32, 64, 64, D=D, threads=4, train=True)
        assert p["at_once"] * p["threads"] == (4 if two > 1 else 1)
        assert plan.choose("lstm", 100, 32, 64, 64, D=D, threads=3, train=True)["at_once"] == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [*BANDED, *RAGGED], ids=case_id)
def test_against_the_reference(case, dtype, isa):
    schedule = schedule_of(case)
    assert schedule.live >= max(PAIRS, ROWS * schedule.steps)
    assert bands(case.T, case.B, case.I, case.H) == 2
    assert_close(train(module_of(case, dtype), numbers_of(case, dtype)), expected_of(case, dtype), 2e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [*BANDED, *RAGGED], ids=case_id)
def test_threads(case, dtype, isa):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    want = train(m, n, threads=1)
    for threads in (2, 3, 4, 5, 31, 64):
        assert_same_bits(train(m, n, threads=threads), want)
    inference = named(*m(n["x"], (n["h0"], n["c0"]), n["lengths"], threads=2))
    assert_same_bits(inference, {name: want[name] for name in inference})


@pytest.mark.parametrize("case", [c for c in BANDED if cut_alike(c)], ids=case_id)
def test_a_band_is_a_batch_of_its_own(case, isa):
    """Its sequences are the first or second half, and the weight gradients of the two add up, bit for bit."""
    n, m = numbers_of(case), module_of(case)
    whole, half = train(m, n), case.B // 2
    parts = [train(m, {**n, **{k: n[k][:, s] for k in ("x", "h0", "c0", "dy", "dh_n", "dc_n")}})
             for s in (slice(half), slice(half, None))]
    for name, value in whole.items():
        a, b = (part[name] for part in parts)
        assert_same_bits(np.concatenate([a, b], axis=ROWWISE[name]) if name in ROWWISE else a + b, value)


@pytest.mark.parametrize("masked", [False, True])
def test_a_band_of_a_ragged_batch_is_every_other_sequence(masked, isa):
    """In the order of their lengths; the bands' weight gradients add up, bit for bit."""
    case = Case(25, 31, 3, 19, D=2)
    n, m = numbers_of(case), module_of(case)
    lengths = np.random.default_rng(1).integers(0, case.T, case.B)
    lengths[3] = case.T
    order = np.argsort(-lengths, kind="stable")
    assert max(PAIRS, ROWS * case.T) <= lengths.sum() < 2 * BLOCK, "two bands with a block each"
    mask = np.random.default_rng(2).permuted(np.arange(case.T)[:, None] < lengths, axis=0) if masked else None

    def run(rows):
        part = {**n, **{k: n[k][:, rows] for k in ("x", "h0", "c0", "dy", "dh_n", "dc_n")}, "lengths": None if masked else lengths[rows]}
        return train(m, part, how={"mask": mask[:, rows]} if masked else None)
    whole, parts = run(np.arange(case.B)), [run(order[b::2]) for b in range(2)]
    for name, value in whole.items():
        if name in ROWWISE:
            for b, part in enumerate(parts):
                assert_same_bits(part[name], value[:, order[b::2]])
        else:
            assert_same_bits(parts[0][name] + parts[1][name], value)


def test_packed_and_checkpointed_ragged_bands(isa):
    """Live pairs alone, and states computed again chunk by chunk: the same bits."""
    case = RAGGED[0]
    n, m = numbers_of(case), module_of(case)
    want = train(m, n)
    for every in (1, 5, 29, 100):
        assert_same_bits(train(m, n, how={"checkpoint_every": every}), want)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["lstm-peephole", "lstm-haste", "lstm-dropped", "gru", "gru-before", "rnn"])
def test_a_band_without_a_step_in_the_last_chunk(name, masked, isa):
    """One sequence is longer than all others, so it alone has the last chunk of time."""
    case = Case(41, 27, 3, 9, D=2)
    lengths = np.full(case.B, 20)
    lengths[5] = case.T
    assert max(PAIRS, ROWS * case.T) <= lengths.sum()
    assert 20 < BLOCK * case.T // (lengths.sum() // 2) < case.T, "a chunk that the others do not reach"
    mask = np.random.default_rng(0).permuted(np.arange(case.T)[:, None] < lengths, axis=0) if masked else None
    n = numbers_of(case, name=name) | {"lengths": None if masked else lengths}
    found = []
    for every in (None, 1):
        with guarded():     # the sums of a band that never began would have NaN
            found.append(train(module_of(case, name=name), n, how={"mask": mask, "checkpoint_every": every}))
    assert_same_bits(found[1], found[0])
