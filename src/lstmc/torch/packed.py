"""Packed sequences: torch's layout of ragged batches, beside the padded one of the kernels.

Packed data hold the live rows of step 0, then those of step 1 and so on, the longest sequence first. Where all are equally long, that is a plain
(T, B, features) array and is viewed; else it is copied into one, and results back.
"""

from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


class Packing:
    """The layout of one PackedSequence.

    Parameters
    ----------
    batch_sizes : Tensor
        Live rows of each step.
    """

    def __init__(self, batch_sizes):
        self.batch_sizes, self.lengths = batch_sizes, None
        self.steps, self.rows = len(batch_sizes), int(batch_sizes[0])
        self.whole = int(batch_sizes[-1]) == self.rows

    def pad(self, data):
        """Packed data (N, features) as (T, B, features)."""
        if self.whole:
            return data.reshape(self.steps, self.rows, data.shape[1])
        padded, self.lengths = pad_packed_sequence(PackedSequence(data, self.batch_sizes))
        return padded

    def pack(self, padded):
        """(T, B, features) as packed data; after `pad`."""
        if self.whole:
            return padded.reshape(self.steps * self.rows, padded.shape[2])
        return pack_padded_sequence(padded, self.lengths).data


def permuted(state, order, rows):
    """The parts of a state with their sequences in the order of packed data, or back; as they are where order is None or they do not fit."""
    if order is None or any(s.dim() != 3 or s.shape[1] != rows for s in state):
        return state
    return tuple(s.index_select(1, order) for s in state)
