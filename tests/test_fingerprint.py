"""The fingerprint that tells whether weights were written: on every instruction set, whatever is changed, and how."""

import itertools

import numpy as np
import pytest

from lstmc import nn
from lstmc.kernels import core

DTYPES = ["float32", "float64"]
STRIPE = 512        # bytes, the longest run of words that all lanes take in together


def start(kind, size, dtype):
    if kind == "random":
        return np.random.default_rng(0).standard_normal(size).astype(dtype)
    return np.full(size, 1 if kind == "ones" else 0, dtype)



@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 15, 64, 127, 128, 129, 300])
def test_every_bit_counts(size, dtype, isa):
    """A word is taken in by bijections, so this is certain, not just likely."""
    a = start("random", size, dtype)
    bits = a.view(f"u{a.itemsize}")
    before = core.fingerprint(a)
    for i, b in itertools.product(range(size), range(8 * a.itemsize)):
        bits[i] ^= bits.dtype.type(1 << b)
        assert core.fingerprint(a) != before
        bits[i] ^= bits.dtype.type(1 << b)
    assert core.fingerprint(a) == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["zeros", "ones", "random"])
@pytest.mark.parametrize("change", [np.negative, lambda v: v * 2 + (v == 0), lambda v: np.nextafter(v, np.inf, dtype=v.dtype)],
                         ids=["sign", "double", "last place"])
def test_no_two_pairs_of_changes_look_alike(change, kind, dtype, isa):
    """All pairs of places over more than two stripes; so up to four changes never cancel here."""
    a = start(kind, 1200 // np.dtype(dtype).itemsize, dtype)
    new, found = change(a), {core.fingerprint(a)}
    for i in range(a.size):
        old, a[i] = a[i], new[i]
        found.add(core.fingerprint(a))
        for j in range(i):
            other, a[j] = a[j], new[j]
            found.add(core.fingerprint(a))
            a[j] = other
        a[i] = old
    assert len(found) == 1 + a.size + a.size * (a.size - 1) // 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_combination_of_changes_in_one_lane_cancels(dtype, isa):
    """Lanes lie a divisor of STRIPE apart: all combinations of flips, doublings and nudges along one."""
    a = start("random", 6 * STRIPE // np.dtype(dtype).itemsize, dtype)
    width = {"avx512": 512, "avx2": 256, "neon": 128, "baseline": 64}[core.isa()] // a.itemsize
    at = [width * k + e for k in range(4) for e in range(8 // a.itemsize)]
    choices = [(v, -v, 2 * v, np.nextafter(v, a.dtype.type(9))) for v in a[at]]
    choices[4:] = [c[:2] for c in choices[4:]]
    found = set()
    for values in itertools.product(*choices):
        a[at] = values
        found.add(core.fingerprint(a))
    assert len(found) == np.prod([len(c) for c in choices])


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_changes_are_noticed(dtype, isa):
    a = start("random", 4096, dtype)
    rng = np.random.default_rng(1)
    prints = [core.fingerprint(a), core.fingerprint(-a), core.fingerprint(a * 2), core.fingerprint(a[::-1].copy())]
    prints += [core.fingerprint(rng.permutation(a)) for _ in range(200)]
    prints += [core.fingerprint(np.roll(a, n)) for n in range(1, 400)]
    for n in (1, 2, 4, 8, 16, 64, 128, 512):            # blocks swapped, as large as a word, a vector, a stripe, more
        blocks = a.reshape(-1, n)
        for i, j in itertools.combinations(range(min(12, len(blocks))), 2):
            order = np.arange(len(blocks))
            order[[i, j]] = j, i
            prints.append(core.fingerprint(blocks[order].ravel()))
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("fill", [0, 1])
def test_length_and_seed_count(fill, isa):
    a = np.full(600, fill, np.float32)
    assert len({core.fingerprint(a[:n]) for n in range(601)}) == 601
    assert len({core.fingerprint(a[:9], seed) for seed in [*range(1000), 2**63, 2**64 - 1]}) == 1002
    assert core.fingerprint(a, 5) == core.fingerprint(a.copy(), 5)


def test_where_the_array_lies_does_not_count(isa):
    a = start("random", 333, "float32")
    room = np.zeros(400, np.float32)
    for shift in range(32):
        room[shift:shift + 333] = a
        assert core.fingerprint(room[shift:shift + 333]) == core.fingerprint(a)


def test_a_training_step_is_noticed(isa):
    """All weights written at once through their arrays, by ever smaller amounts."""
    m, x = nn.LSTM(5, 20, seed=0), np.ones((3, 2, 5), np.float32)
    for k in range(20):
        for w in m.state_dict().values():
            w *= 1 + 2.0**-k
        fresh = nn.LSTM(5, 20)
        fresh.load_state_dict(m.state_dict())
        assert np.array_equal(m(x)[0], fresh(x)[0])
