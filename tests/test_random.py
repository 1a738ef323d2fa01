"""Random words and masks: the published numbers, kernels equal to the law, independence of shape and threads, frequency."""

import itertools

import numpy as np
import pytest

from conftest import DTYPES, assert_same_bits
from lstmc.kernels import random
from lstmc.reference import random as law

Purpose = random.Purpose
# Known answers of philox4x32-10 that come with Random123: counter, key, words.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]
# Around a block of 16 units, around the 64 of wide vectors, and primes.
WIDTHS = (1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 47, 63, 64, 65, 79, 80, 81, 127, 131, 257)
KEY = (2**63 + 12345, 2**33 + 7, 3, Purpose.RECURRENT + 2)


def mask(shape, p=0.3, dtype="float32", key=KEY, threads=None):
    out = np.full(shape, np.nan, dtype)
    random.keep_mask(out, p, *key, threads=threads)
    return out


# The law ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_the_law_gives_the_published_words(counter, key, words):
    assert tuple(int(w) for w in law.philox(counter, key)) == words


def test_the_law_broadcasts_and_takes_the_words_that_it_says():
    key = law.derived_key(*KEY)
    words = law.words((2, 5), (0, 7, 2**32 - 1), (0, 6, 9, 4 * 2**20 + 3), key)
    assert (words.shape, words.dtype) == ((2, 3, 4), np.uint32)
    assert words[1, 2, 2] == law.philox((2, 5, 2**32 - 1, 0), key)[1]
    assert words[0, 1, 3] == law.philox((2**20, 2, 7, 0), key)[3]


@pytest.mark.parametrize(("p", "below"), [(0, 0), (2**-34, 0), (2**-33, 0), (3 * 2**-33, 2), (5 * 2**-33, 2), (0.5, 2**31),
                                          (1 - 2**-33, 2**32 - 1), (1 - 2**-53, 2**32 - 1)])
def test_the_threshold_is_rounded_to_even_and_clamped(p, below):
    assert law.threshold(p) == below


# Kernels ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_kernels_derive_the_published_words(isa, counter, key, words):
    seed, step = key[0] + (key[1] << 32), counter[0] + (counter[1] << 32)
    assert random.derived_key(seed, step, *counter[2:]) == words[:2]


@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels_agree_with_the_law(isa, dtype):
    for width, p in itertools.product(WIDTHS, (0, 0.1, 0.5, 0.9)):
        assert_same_bits(mask((3, 5, width), p, dtype), law.keep_mask(p, (3, 5, width), dtype, *KEY))


def test_the_words_themselves(isa):
    for width, threads in itertools.product(WIDTHS, (1, 3)):
        out = np.zeros((5, 3, width), np.uint32)
        random.words(out.transpose(1, 0, 2), *KEY, threads=threads)
        assert np.array_equal(out.transpose(1, 0, 2), law.words(range(3), range(5), range(width), law.derived_key(*KEY)))
    with pytest.raises(TypeError, match="out: expected uint32, received int32"):
        random.words(np.zeros((1, 1, 1), np.int32), *KEY)


def test_kernels_have_every_bit_of_the_words(isa):
    """An element is kept where p 2^32 is its word and dropped where it is one more."""
    words = law.words((0,), (0,), range(81), law.derived_key(*KEY))[0, 0]
    for unit, word in enumerate(words.tolist()):
        assert mask((1, 1, 81), word / 2**32)[0, 0, unit] != 0
        assert mask((1, 1, 81), (word + 1) / 2**32)[0, 0, unit] == 0


@pytest.mark.parametrize("p", [2**-34, 2**-33, 3 * 2**-33, 1 - 2**-33, 1 - 2**-53])
@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels_round_the_threshold_as_the_law(isa, dtype, p):
    assert_same_bits(mask((1, 2, 100), p, dtype), law.keep_mask(p, (1, 2, 100), dtype, *KEY))


def test_every_part_of_the_key_counts(isa):
    keys = list(itertools.product((0, 1, 2**63, 2**64 - 1), (0, 1, 2**32, 2**64 - 1), (0, 1, 2), (Purpose.DROPOUT, Purpose.LAYER)))
    found = [random.derived_key(*key) for key in keys]
    assert found == [law.derived_key(*key) for key in keys]
    assert len(set(found)) == len(keys)


def test_purposes_do_not_overlap_with_eight_gates():
    single = {Purpose.DROPOUT, Purpose.LAYER, Purpose.ZONEOUT_H, Purpose.ZONEOUT_C}
    gates = {purpose + gate for purpose in (Purpose.INPUT, Purpose.RECURRENT) for gate in range(8)}
    assert len(single) == 4
    assert len(single | gates) == 20


# Shapes and threads ---------------------------------------------------------------------------------------------

def test_masks_do_not_depend_on_the_sizes_around(isa):
    whole = mask((9, 7, 150))
    for T, B, W in ((1, 1, 1), (9, 1, 150), (1, 7, 150), (9, 7, 1), (4, 3, 77), (2, 6, 16), (5, 5, 64)):
        assert_same_bits(mask((T, B, W)), np.ascontiguousarray(whole[:T, :B, :W]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 2, 3, 8, None])
def test_masks_do_not_depend_on_threads(isa, dtype, threads):
    for shape in ((1, 1, 5), (1, 11, 37), (13, 5, 129), (60, 32, 256)):
        assert_same_bits(mask(shape, dtype=dtype, threads=threads), law.keep_mask(0.3, shape, dtype, *KEY))


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_are_written_where_they_belong_and_nowhere_else(isa, dtype):
    want = law.keep_mask(0.3, (4, 3, 21), dtype, *KEY)
    room = np.full((8, 9, 70), 5, dtype)
    for view in (room[1::2, ::3, 40:61], room[6::-2, ::-3, 3:24], room.transpose(1, 0, 2)[:4, 2:5, 7:28],
                 room[:4, :3, :21].transpose(1, 0, 2).transpose(1, 0, 2)):
        room[...] = 5
        random.keep_mask(view, 0.3, *KEY)
        assert_same_bits(np.ascontiguousarray(view), want)
        view[...] = 5
        assert (room == 5).all()
    narrow = np.full((4, 3, 2), 5, dtype)[:, :, ::2]
    random.keep_mask(narrow, 0.3, *KEY)
    assert_same_bits(np.ascontiguousarray(narrow), np.ascontiguousarray(want[:, :, :1]))


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_an_empty_mask_is_no_mistake(shape):
    assert mask(shape).shape == shape


@pytest.mark.parametrize(("out", "p", "error"), [
    (np.empty((2, 3), np.float32), 0.5, ValueError),
    (np.empty((2, 3, 8), np.float32)[:, :, ::2], 0.5, ValueError),
    (np.empty((2, 3, 4), np.int32), 0.5, TypeError),
    (np.empty((2, 3, 4), np.float16), 0.5, TypeError),
    (np.empty((2, 3, 4), np.float32), 1.0, ValueError),
    (np.empty((2, 3, 4), np.float32), -0.1, ValueError),
    (np.empty((2, 3, 4), np.float32), np.nan, ValueError),
])
def test_mistakes_are_refused(out, p, error):
    with pytest.raises(error):
        random.keep_mask(out, p, *KEY)


# Statistics -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_frequency_and_independence_of_neighbours(p):
    m = mask((50, 40, 101), p, "float64", (3, 0, 1, Purpose.DROPOUT))
    kept = m != 0
    assert np.all(m[kept] == 1 / (1 - p))
    spread = np.sqrt(p * (1 - p))
    assert abs(kept.mean() - (1 - p)) < 5 * spread / np.sqrt(m.size)
    centred = (kept - (1 - p)) / spread
    for axis, apart in itertools.product(range(3), (1, 2, 3, 4, 16)):
        n = centred.shape[axis]
        product = np.take(centred, range(apart, n), axis) * np.take(centred, range(n - apart), axis)
        assert abs(product.mean()) < 5 / np.sqrt(product.size)


def test_masks_of_other_steps_layers_and_purposes_are_independent():
    shape = (20, 10, 100)
    keys = [(3, step, layer, purpose) for step in (0, 1) for layer in (0, 1) for purpose in (0, Purpose.ZONEOUT_H, Purpose.RECURRENT)]
    signs = [np.where(mask(shape, 0.5, key=key) != 0, 1.0, -1.0).ravel() for key in keys]
    agreement = np.corrcoef(signs)[np.triu_indices(len(keys), 1)]
    assert np.abs(agreement).max() < 5 / np.sqrt(signs[0].size)
