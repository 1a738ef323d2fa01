"""What `lstmc.torch` asks of the passes beside `nn`'s own calls: packed arrays, and gradients of some parameters alone. The bits are those of padded
arrays and of all gradients."""

import numpy as np
import pytest

from conftest import assert_same_bits, named, parts_of
from lstmc import nn
from lstmc.kernels.schedule import Schedule
from lstmc.nn import passes
from lstmc.nn.tape import Call, Gradients

pytestmark = pytest.mark.once
LENGTHS = np.array([7, 7, 5, 4, 4, 1])
MANY = np.repeat(np.arange(21, 0, -2), 3)        # sequences and steps enough for two bands
KINDS = {
    "lstm": lambda **more: nn.LSTM(5, 19, 2, bidirectional=True, **more),
    "projected": lambda **more: nn.LSTM(5, 19, 2, bidirectional=True, proj_size=3, **more),
    "gru": lambda **more: nn.GRU(5, 19, 2, **more),
    "stages": lambda **more: nn.GRU(5, 19, 2, reset_after=False, bidirectional=True, **more),
    "rnn": lambda **more: nn.RNN(5, 19, 2, nonlinearity="relu", **more),
    "dropped": lambda **more: nn.LSTM(5, 19, 2, dropout=0.3, input_dropout=0.2, recurrent_dropout=0.1, **more),
}


def live(lengths):
    """The rows of packed arrays, in their order."""
    return np.arange(lengths[0])[:, None] < lengths


def numbers(m, lengths):
    rng, T, B = np.random.default_rng(3), lengths[0], len(lengths)
    x, dy = rng.standard_normal((T, B, 5), dtype=np.float32), rng.standard_normal((T, B, m.num_directions * m.output_size), dtype=np.float32)
    state = tuple(rng.standard_normal(s.shape, dtype=np.float32) for s in m._new_state(B))
    return x, dy, state


def padded(m, lengths=LENGTHS):
    x, dy, state = numbers(m, lengths)
    y, final, tape = m.forward(x, state if len(state) > 1 else state[0], lengths)
    g, rows = m.backward(tape, dy), live(lengths)
    return named(y[rows], final, g._replace(x=g.x[rows]))


def packed(m, lengths=LENGTHS, again=False):
    """again: from states alone, as after a lack of memory."""
    (x, dy, state), rows = numbers(m, lengths), live(lengths)
    call = Call(x[rows], state, Schedule(*rows.shape, lengths, packed=True), True, None)
    y, final, tape, _ = passes.forward_pass(m, call, True, None)
    if again:
        tape.take()
        passes.renew(m, tape)
    grads = m._params.like()
    return named(y, final, Gradients(*passes.backward_pass(m, tape, dy[rows], None, grads, True, None), grads))


@pytest.mark.parametrize("lengths", [LENGTHS, MANY], ids=["few", "many"])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_arrays_have_the_bits_of_padded_ones(kind, lengths):
    want = padded(KINDS[kind](seed=4), lengths)
    assert_same_bits(packed(KINDS[kind](seed=4), lengths), want)
    assert_same_bits(packed(KINDS[kind](seed=4), lengths, again=True), want)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_wanted_is_not_computed(kind, monkeypatch):
    seen, real = [], passes.backward

    def spied(tapes, dy, dfinal, dx, *more, wanted):
        seen.append((dx is not None, wanted))
        return real(tapes, dy, dfinal, dx, *more, wanted=wanted)

    monkeypatch.setattr(passes, "backward", spied)
    m = KINDS[kind](seed=4)
    x, dy, state = numbers(m, LENGTHS)
    state = state if len(state) > 1 else state[0]

    def backward(names, need_dx, need_state):
        m.step = 0
        seen.clear()
        tape = m.forward(x, state, LENGTHS)[2]
        grads = {name: a for name, a in m._params.like().items() if name in names}
        dx, dinitial = passes.backward_pass(m, tape, dy, None, grads, need_dx, None, need_state)
        parts = parts_of(dinitial, "d{}0") if need_state else {}
        return parts | {f"d{name}": a for name, a in grads.items()} | ({} if dx is None else {"dx": dx})

    everything = set(m.state_dict())
    want = backward(everything, True, True)
    assert seen == [(True, True)] * 2
    upper = {name for name in everything if "_l1" in name}
    for names, need_dx, need_state, calls in [
        (set(), True, False, [(True, False)] * 2),                      # all is frozen
        (upper, True, False, [(True, True), (True, False)]),            # the lower layer is
        (upper, False, False, [(False, True)]),                         # and nothing is below it
        (upper, False, True, [(True, True), (False, False)]),           # but its state
        ({"weight_hh_l1"}, False, False, [(False, True)]),
        ({"weight_ih_l1", "bias_hh_l0"}, True, True, [(True, True)] * 2),
        (everything - upper, False, False, [(True, False), (False, True)]),
    ]:
        got = backward(names, need_dx, need_state)
        assert seen == calls
        assert {name for name in got if "_l" in name} == {f"d{name}" for name in names}
        assert_same_bits(got, {name: want[name] for name in got})
