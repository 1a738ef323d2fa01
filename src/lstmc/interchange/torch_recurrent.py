"""Recurrent layers of Keras as torch modules around torch's own (batch_first, one layer): masks, states and outputs. Importing this needs torch."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstmc.interchange.torch_layers import Dropout


class Recurrent(torch.nn.Module):
    """A recurrent module of torch with the outputs of Keras.

    sequences: outputs of all steps. merge: how two directions join, None for two outputs. backwards: from the last step to the first. holds: steps of
    one direction that are not valid show the output of the last valid one; else 0. dropout: of inputs, the same at all steps of a sequence.
    gives_state: states are outputs, too. stateful: begin with the states that the last call ended with.
    """

    def __init__(self, rnn, *, sequences, merge, backwards, holds, dropout, gives_state, stateful):
        super().__init__()
        self.rnn, self.dropout = rnn, Dropout(torch.nn.Dropout(dropout), (None, 1, None))
        self.sequences, self.merge, self.backwards, self.holds = sequences, merge, backwards, holds
        self.gives_state, self.stateful = gives_state, stateful
        if stateful:
            self.states = None

    def forward(self, x, mask, states=None):
        x, steps = self.dropout.drop(x), mask
        if self.backwards:
            x, steps = x.flip(1), None if mask is None else mask.flip(1)
        if states is None and self.stateful:
            states = self.states
        y, state = self.run(x, steps, None if states is None else self.inward(states))
        if self.stateful:
            self.states = [a.detach() for a in self.outward(state)]
        outs = self.shown(y, state[0], steps, None if states is None else states[0])
        masks = [mask if self.sequences else None] * len(outs)
        if self.gives_state:
            outs = [*outs, *self.outward(state)]
            masks += [None] * (len(outs) - len(masks))
        return (outs[0], masks[0]) if len(outs) == 1 else (outs, masks)

    def run(self, x, steps, hx):
        """(y (B, T, D*H), 0 at steps that are not valid; parts (D, B, H) of the final state): the valid steps are moved to the front and packed."""
        packed = hx if hx is None or len(hx) > 1 else hx[0]
        if steps is None:
            y, state = self.rnn(x, packed)
            return y, state if isinstance(state, tuple) else (state,)
        lengths, order = steps.sum(1), torch.argsort((~steps).to(torch.uint8), dim=1, stable=True)[..., None]
        front = pack_padded_sequence(x.gather(1, order.expand_as(x)), lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        y, state = self.rnn(front, packed)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        y = torch.where(steps[..., None], torch.zeros_like(y).scatter(1, order.expand_as(y), y), 0)
        state = state if isinstance(state, tuple) else (state,)
        return y, tuple(torch.where((lengths > 0)[None, :, None], a, 0 if hx is None else b) for a, b in zip(state, hx or state, strict=True))

    def shown(self, y, h, steps, first):
        """A list of the outputs."""
        parts = list(y.chunk(len(h), -1) if self.sequences else h)
        if not self.rnn.bidirectional:
            return [held(y, steps, first)] if self.sequences and steps is not None and self.holds else parts
        if self.merge is None:
            return parts
        if self.merge == "concat":
            return [torch.cat(parts, -1)]
        return [parts[0] * parts[1] if self.merge == "mul" else (parts[0] + parts[1]) / (2 if self.merge == "ave" else 1)]

    def inward(self, states):
        """Keras's list as parts (D, B, H)."""
        parts = 2 if isinstance(self.rnn, torch.nn.LSTM) else 1
        return tuple(torch.stack(tuple(states[p::parts])) for p in range(parts))

    @staticmethod
    def outward(state):
        """Parts as Keras's list."""
        return [part[d] for d in range(len(state[0])) for part in state]


def held(y, steps, first):
    """y with the last valid output at steps that are not valid; before any, `first` (B, H), or 0 if that is None."""
    last = torch.where(steps, torch.arange(steps.shape[1], device=steps.device), -1).cummax(1).values
    shown = y.gather(1, last.clamp(min=0)[..., None].expand_as(y))
    return shown if first is None else torch.where((last < 0)[..., None], first[:, None], shown)
