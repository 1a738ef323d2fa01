"""The data set that ships with the package."""

import hashlib

import numpy as np
import pytest

import lstmc
from lstmc.datasets import JapaneseVowels, load_japanese_vowels


@pytest.fixture(scope="module")
def data():
    return load_japanese_vowels()


@pytest.mark.parametrize(("part", "B", "speakers"), [("train", 270, [30] * 9), ("test", 370, [31, 35, 88, 44, 29, 24, 40, 50, 29])])
def test_shapes_types_and_counts(data, part, B, speakers):
    x, y, lengths = (getattr(data, f"{name}_{part}") for name in ("x", "y", "length"))
    assert (x.shape, y.shape, lengths.shape) == ((B, 29, 12), (B,), (B,))
    assert (x.dtype, y.dtype, lengths.dtype) == (np.float32, np.int64, np.int64)
    assert np.bincount(y).tolist() == speakers
    assert lengths.min() == 7
    assert np.isfinite(x).all()


def test_the_longest_utterance_fills_the_time_axis(data):
    assert data.length_test.max() == data.x_test.shape[1] == 29
    assert data.length_train.max() == 26


@pytest.mark.parametrize("part", ["train", "test"])
def test_padding_is_zero_and_no_frame_is(data, part):
    x, lengths = getattr(data, f"x_{part}"), getattr(data, f"length_{part}")
    valid = np.arange(29) < lengths[:, None]
    assert np.array_equal(x.any(-1), valid)


def test_the_numbers_are_the_published_ones(data):
    # The first line of the published training file, and all values of both parts by their hash.
    first = [1.860936, -0.207383, 0.261557, -0.214562, -0.171253, -0.118167, -0.277557, 0.025668, 0.126701, -0.306756, -0.213076, 0.088728]
    assert np.array_equal(data.x_train[0, 0], np.float32(first))
    digest = hashlib.sha256()
    for array in data:
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == "1d1d5861c66a400fad1df84c9c483ff4d22a1ec169909b2172122fb01887c83a"


@pytest.mark.parametrize("part", ["train", "test"])
def test_sequences_are_the_utterances_without_padding(data, part):
    x, lengths = getattr(data, f"x_{part}"), getattr(data, f"length_{part}")
    found = data.sequences(part)
    assert [s.shape for s in found] == [(n, 12) for n in lengths]
    assert all(np.shares_memory(s, x) for s in found)
    assert np.array_equal(np.concatenate(found), x[np.arange(29) < lengths[:, None]])


def test_an_unknown_part_is_refused(data):
    with pytest.raises(ValueError, match="part: expected 'train' or 'test', received 'validation'"):
        data.sequences("validation")


def test_every_call_gives_fresh_writable_arrays(data):
    other = load_japanese_vowels()
    for mine, its in zip(data, other, strict=True):
        assert its.flags.writeable
        assert its.flags.c_contiguous
        assert not np.shares_memory(mine, its)
        assert np.array_equal(mine, its)


def test_it_is_reached_from_the_package():
    assert lstmc.datasets.load_japanese_vowels is load_japanese_vowels
    assert lstmc.datasets.JapaneseVowels is JapaneseVowels


def test_the_licence_lies_beside_the_data():
    from importlib.resources import files

    text = files("lstmc.datasets").joinpath("LICENSE.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in text
    assert "Kudo" in text
