"""Connectionist Temporal Classification on arrays: what targets are, losses and gradients of a batch, and decoding.

Letters: B sequences, T frames, C classes, one of them the blank, L labels. The equations of the loss are in csrc/ctc.h and reference/ctc.py.
"""

import numpy as np

from lstmc.kernels import train
from lstmc.layers.casts import as_floats, own_float
from lstmc.layers.elementary import exp, log
from lstmc.nn import checks


def blank_of(blank, C):
    """The class `blank` of C, -1 being the last."""
    if blank >= C:
        raise ValueError(f"blank: expected one of the {C} classes of the output, 0 to {C - 1}, received {blank}")
    return C - 1 if blank == -1 else blank


def labels(y, shape, blank):
    """(B, L) int64 labels, -1 behind them, for logits of a shape (B, T, C)."""
    if len(shape) != 3:
        raise ValueError(f"y_pred: expected logits of shape (batch, time, classes) for ctc, received {checks.shape_text(shape)}; "
                         "recurrent layers give one output a frame with return_sequences=True")
    blank, a = blank_of(blank, shape[2]), checks.plain(y, "y")
    if a.dtype.kind not in "biuf":
        raise TypeError(f"y: expected integer labels, received dtype {a.dtype}")
    if a.ndim != 2 or len(a) != shape[0]:
        raise ValueError(f"y: expected integer labels of shape (batch, labels) = ({shape[0]}, L), received {checks.shape_text(a.shape)}")
    if a.size and a.dtype.kind == "f" and not (a == np.floor(a)).all():
        raise ValueError("y: expected integer labels, received values with a fraction or NaN")
    if a.size and (a.min() < -1 or a.max() >= shape[2]):
        raise ValueError(f"y: expected labels from 0 to {shape[2] - 1} for {shape[2]} outputs, or -1 as padding, received values from {a.min()} to {a.max()}")
    a = a.astype(np.int64)
    some = (a != blank) & (a != -1)
    if (some[:, 1:] & ~some[:, :-1]).any():
        raise ValueError(f"y: expected the labels of a sequence first and padding, -1 or the blank {blank}, behind them, received padding before a label; "
                         "pad_sequences has padding='post', and where 0 is a label, the blank must be another class: CTC(blank=...)")
    return np.where(some, a, -1)


def losses(y, x, blank, mask=None, gradient=False):
    """Losses (B,) of labels as `labels` gives them, and the gradients with respect to the logits x (B, T, C), or None.

    A mask (B, T) says which frames there are; those between which it has gaps follow each other. Labels that no path says have an infinite
    loss and no gradient.
    """
    order, frames = None, np.full(len(x), x.shape[1], np.int64)
    if mask is not None:
        frames = mask.sum(1, dtype=np.int64)
        if (mask[:, 1:] > mask[:, :-1]).any():          # not just the first frames of each
            order = np.argsort(~mask, axis=1, kind="stable")[..., None]
            x = np.take_along_axis(x, order, 1)
    values, dx = np.empty(len(x)), np.empty(x.shape, x.dtype) if gradient else None
    train.ctc(x, np.ascontiguousarray(y), (y >= 0).sum(1, dtype=np.int64), frames, blank_of(blank, x.shape[2]), values, dx)
    if gradient and order is not None:
        found, dx = dx, np.empty(x.shape, x.dtype)
        np.put_along_axis(dx, order, found, 1)
    return values, dx


# Decoding --------------------------------------------------------------------------------------------------

def ctc_decode(inputs, sequence_lengths, strategy="greedy", beam_width=100, top_paths=1, merge_repeated=True, mask_index=0):
    """The labels that the outputs of a CTC model say.

    Parameters
    ----------
    inputs : (B, T, C) array
        Logits.
    sequence_lengths : (B,) array of int, or None
        Frames of every sequence; None: all.
    strategy : {"greedy", "beam_search"}
        The labels of the most probable path, or the most probable labels, each with all its paths, as far as a search finds them that
        keeps the best at every frame (prefix beam search: Hannun, Maas, Jurafsky and Ng 2014).
    beam_width : int
        How many the search keeps.
    top_paths : int
        How many of them to return.
    merge_repeated : bool
        Greedy: whether a class that follows itself is one label. The search always does that.
    mask_index : int
        The blank; -1 for the last class.

    Returns
    -------
    decoded : (1 or top_paths, B, T) array of int32
        Labels, then -1; the best first.
    scores : (B, 1 or top_paths) array
        Greedy: minus the sum of the path's logits. Search: the log probability that the search found; -infinity where there was no
        further result, which is then all -1.
    """
    x = checks.plain(inputs, "inputs")
    x = as_floats(x, own_float(x), "inputs")
    if x.ndim != 3 or not x.shape[2]:
        raise ValueError(f"inputs: expected logits of shape (batch, time, classes), received {checks.shape_text(x.shape)}")
    B, T, C = x.shape
    frames = checks.lengths(sequence_lengths, B, T, "sequence_lengths")
    frames = np.full(B, T) if frames is None else frames
    wrong = ~np.isfinite(x.max(2)) & (np.arange(T) < frames[:, None])
    if wrong.any():
        raise ValueError(f"inputs: expected logits, of which the largest of a frame is finite, received others in sequence {wrong.any(1).argmax()}")
    merge_repeated, blank = checks.flag(merge_repeated, "merge_repeated"), checks.integer(mask_index, "mask_index", -1, C - 1) % C
    beam_width = checks.integer(beam_width, "beam_width", 1)
    top_paths = checks.integer(top_paths, "top_paths", 1, beam_width)
    if not isinstance(strategy, str) or strategy not in ("greedy", "beam_search"):
        raise ValueError(f"strategy: expected 'greedy' or 'beam_search', received {strategy!r}")
    if strategy == "greedy":
        return _greedy(x, frames, blank, merge_repeated)
    if top_paths * x.size > checks.MOST:
        raise MemoryError(f"top_paths: {top_paths} results for {B} sequences of {T} frames do not fit into any memory")
    decoded, scores = np.full((top_paths, B, T), -1, np.int32), np.full((B, top_paths), -np.inf, x.dtype)
    for b in range(B):
        for n, (found, score) in enumerate(_search(_log_softmax(x[b, :frames[b]]), blank, beam_width)[:top_paths]):
            decoded[n, b, :len(found)], scores[b, n] = found, score
    return decoded, scores


def _greedy(x, frames, blank, merge_repeated):
    live = np.arange(x.shape[1]) < frames[:, None]
    path = np.where(live, x.argmax(2), blank)
    kept = path != blank
    if merge_repeated:
        kept[:, 1:] &= path[:, 1:] != path[:, :-1]
    decoded = np.full(path.shape, -1, np.int32)
    decoded[np.arange(path.shape[1]) < kept.sum(1)[:, None]] = path[kept]
    scores = 0 - np.where(live, x.max(2), 0).sum(1, dtype=np.float64)
    return decoded[None], scores[:, None].astype(x.dtype)


def _log_softmax(x):
    x = x.astype(np.float64)
    x -= x.max(1, keepdims=True)
    return x - log(exp(x).sum(1, keepdims=True))


def _logaddexp(a, b):
    top = np.maximum(a, b)
    finite = np.maximum(top, -1e300)        # -infinity less -infinity would be NaN
    return top + log(1 + exp(np.minimum(a, b) - finite))


def _search(log_y, blank, width):
    """[(labels, log probability)] of the results of one sequence, the best first.

    Beginnings of results ("prefixes") are nodes of a tree, each with a number of its own. In every frame a prefix stays as it is, by a blank
    or by its last label again, or grows by a label: by its last one only from paths that end in a blank. Where a prefix that grows becomes
    another one of the beam, both sums are of the same labels, and are added.
    """
    parent, label, number = [-1], [-1], {}      # of nodes; (parent, label) -> node
    node, above, last = np.zeros(1, np.intp), np.full(1, -1), np.full(1, -1)        # of the beam, with parents and labels
    ends_blank, ends_label = np.zeros(1), np.full(1, -np.inf)       # log probability of paths by their last class
    for y in log_y:
        n, whole = len(node), _logaddexp(ends_blank, ends_label)
        grown = whole[:, None] + y
        rows = np.arange(n)
        again = last >= 0
        grown[rows[again], last[again]] = ends_blank[again] + y[last[again]]
        grown[:, blank] = -np.inf
        stay_blank, stay_label = whole + y[blank], np.where(again, ends_label + y[last], -np.inf)
        to, by = np.nonzero(above[:, None] == node)         # `to` is `by` with one label more
        stay_label[to] = _logaddexp(stay_label[to], grown[by, last[to]])
        grown[by, last[to]] = -np.inf
        scores = np.concatenate([_logaddexp(stay_blank, stay_label), grown.ravel()])
        least = np.partition(scores, -width)[-width] if width < len(scores) else -np.inf
        kept = np.flatnonzero((scores >= least) & (scores > -np.inf))
        kept = kept[np.argsort(-scores[kept], kind="stable")][:width]
        stays = kept[kept < n]
        at, by_label = np.divmod(kept[kept >= n] - n, len(y))
        new = []
        for key in zip(node[at].tolist(), by_label.tolist(), strict=True):
            if key not in number:
                number[key] = len(parent)
                parent.append(key[0])
                label.append(key[1])
            new.append(number[key])
        above, last = np.concatenate([above[stays], node[at]]), np.concatenate([last[stays], by_label])
        node = np.concatenate([node[stays], np.array(new, np.intp)])
        ends_blank = np.concatenate([stay_blank[stays], np.full(len(new), -np.inf)])
        ends_label = np.concatenate([stay_label[stays], grown[at, by_label]])
    scores, found = _logaddexp(ends_blank, ends_label), []
    for i in np.argsort(-scores, kind="stable"):
        at, labels_of = node[i], []
        while at:
            labels_of.append(label[at])
            at = parent[at]
        found.append((labels_of[::-1], scores[i]))
    return found
