"""What CTC outputs say: greedily, and by prefix beam search against the sum over all paths and against Keras."""

from pathlib import Path

import numpy as np
import pytest

import lstmc
from lstmc.kernels import core
from lstmc.utils import ctc_decode
from test_reference_ctc import probabilities, said

pytestmark = pytest.mark.once

GOLDEN = np.load(Path(__file__).parent / "golden" / "ctc_keras.npz")


def results(decoded, b):
    """The labels of each result of a sequence."""
    return [tuple(row[row >= 0].tolist()) for row in decoded[:, b]]


@pytest.mark.parametrize("blank", [0, 4, 2])
def test_the_numbers_of_keras(blank):
    x, frames = GOLDEN["x"], GOLDEN["frames"]
    decoded, scores = ctc_decode(x, frames, mask_index=blank)
    assert np.array_equal(decoded, GOLDEN[f"greedy{blank}"])
    assert np.allclose(scores, GOLDEN[f"greedy_scores{blank}"], 1e-6)
    decoded, scores = ctc_decode(x, frames, "beam_search", 6, 3, mask_index=blank)
    assert np.array_equal(decoded, GOLDEN[f"beam{blank}"])
    assert np.allclose(scores, GOLDEN[f"beam_scores{blank}"], 1e-6)


@pytest.mark.parametrize(("T", "C", "blank"), [(1, 2, 0), (2, 3, 2), (4, 3, 0), (5, 3, 1), (6, 2, 1), (4, 4, 3), (0, 3, 0)])
def test_a_wide_search_sums_over_all_paths(T, C, blank):
    x = np.random.default_rng(T).standard_normal((2, T, C))
    decoded, scores = ctc_decode(x, None, "beam_search", 1000, 500, mask_index=blank)
    for b in range(2):
        want = sorted(probabilities(x[b], blank).items(), key=lambda one: -one[1])
        assert results(decoded, b)[:len(want)] == [labels for labels, _ in want]
        assert np.allclose(scores[b, :len(want)], np.log([p for _, p in want]), 1e-12)
        assert (scores[b, len(want):] == -np.inf).all()
        assert (decoded[len(want):, b] == -1).all()


def test_the_best_labels_may_not_be_those_of_the_best_path():
    """Hannun's example: two blanks are the best path, and the label alone is more probable."""
    x = np.log(np.array([[[0.6, 0.4], [0.6, 0.4]]]))
    assert results(ctc_decode(x, [2])[0], 0) == [()]
    decoded, scores = ctc_decode(x, [2], "beam_search", top_paths=2)
    assert results(decoded, 0) == [(1,), ()]
    assert np.allclose(np.exp(scores), [[0.64, 0.36]])


def test_a_narrow_search_finds_no_more_than_there_is():
    """Its scores are of a part of the paths; a prefix that was dropped and comes back is the same one."""
    x = 0.3 * np.random.default_rng(4).standard_normal((5, 6, 3))
    everything = [probabilities(one, 0) for one in x]
    for width in (1, 2, 3, 5):
        decoded, scores = ctc_decode(x, None, "beam_search", width, width)
        for b in range(5):
            found = results(decoded, b)
            assert len(set(found)) == len(found)
            assert all(np.exp(s) <= everything[b][labels] * (1 + 1e-12) for labels, s in zip(found, scores[b], strict=True))


def test_greedy():
    path = [[0, 1, 1, 0, 1, 2, 2, 3], [3, 3, 3, 0, 0, 0, 1, 1]]
    x = 5 * np.eye(4, dtype=np.float32)[path]
    decoded, scores = ctc_decode(x, [8, 6])
    assert (decoded.shape, decoded.dtype, scores.dtype) == ((1, 2, 8), np.int32, np.float32)
    assert results(decoded, 0) == [said(path[0], 0)] == [(1, 1, 2, 3)]
    assert results(decoded, 1) == [(3,)]
    assert scores.tolist() == [[-40], [-30]]
    assert results(ctc_decode(x, [8, 6], merge_repeated=False)[0], 0) == [(1, 1, 1, 2, 2, 3)]
    for last in (-1, 3):
        assert results(ctc_decode(x, None, mask_index=last)[0], 0) == [(0, 1, 0, 1, 2)]
    assert ctc_decode(np.zeros((0, 4, 3)), [])[0].shape == (1, 0, 4)


def test_results_do_not_depend_on_batch_or_machine(any_isa):
    x, frames = np.random.default_rng(5).standard_normal((3, 12, 6)).astype(np.float32), np.array([12, 0, 7])
    found = []
    for isa in [name for name in core.usable_isas() if name != "baseline"] or ["baseline"]:
        any_isa(isa)
        found.append(ctc_decode(x, frames, "beam_search", 8, 2))
        for b in range(3):
            decoded, scores = ctc_decode(x[b:b + 1, :frames[b]], None, "beam_search", 8, 2)
            assert np.array_equal(decoded[:, 0], found[-1][0][:, b, :frames[b]])
            assert scores.tobytes() == found[-1][1][b].tobytes()
    assert all(a.tobytes() == b.tobytes() for other in found for a, b in zip(other, found[0], strict=True))


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"inputs": np.zeros((3, 4))}, ValueError, r"inputs: expected logits of shape \(batch, time, classes\), received \(3, 4\)"),
    ({"inputs": np.full((1, 4, 3), np.nan)}, ValueError, "inputs: expected logits, .* received others in sequence 0"),
    ({"sequence_lengths": [5]}, ValueError, "sequence_lengths: expected values from 0 to T = 4, received 5"),
    ({"sequence_lengths": [1, 1]}, ValueError, r"sequence_lengths: expected shape \(B,\) = \(1,\), received \(2,\)"),
    ({"strategy": "best"}, ValueError, "strategy: expected 'greedy' or 'beam_search', received 'best'"),
    ({"beam_width": 0}, ValueError, "beam_width: expected at least 1"),
    ({"beam_width": 2, "top_paths": 3}, ValueError, "top_paths: expected 1 to 2, received 3"),
    ({"mask_index": 3}, ValueError, "mask_index: expected -1 to 2, received 3"),
])  # fmt: skip
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        ctc_decode(**{"inputs": np.zeros((1, 4, 3)), "sequence_lengths": [4]} | arguments)


def test_where_it_is():
    assert lstmc.utils.ctc_decode is ctc_decode
    assert "ctc_decode" in dir(lstmc.utils)
