"""A lack of memory in backward, at every place where memory is taken: a MemoryError, after which the tape serves a backward with the same bits."""

import copy

import numpy as np
import pytest

from cases import Case
from conftest import assert_same_bits, module_of, named, numbers_of, state_in, train
from lstmc.kernels import arena
from lstmc.nn import passes, recurrent

CASES = [
    (Case(9, 4, 3, 5, L=3, ragged=True), "lstm", {}),
    (Case(7, 5, 5, 17, L=2, D=2, P=3, ragged=True), "lstm-zoneout", {"dropout": 0.3}),
    (Case(6, 4, 5, 9, L=2, D=2), "gru-before", {"dropout": 0.2}),
    (Case(6, 4, 5, 9, D=2, ragged=True), "gru", {"recurrent_dropout": 0.2}),
    (Case(6, 4, 5, 9, L=2), "lstm-tfa-peephole", {"input_dropout": 0.2}),
]


class Taken:
    """Stands for a function that takes memory; raises at call number `fail`."""

    def __init__(self, take):
        self.take, self.calls, self.fail = take, 0, None

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls == self.fail:
            raise MemoryError("injected")
        return self.take(*arguments)


class Counted(arena.Store):
    """A store whose workspaces `taken` takes."""

    def __init__(self, taken):
        self.taken = taken

    def __new__(cls, taken):
        return super().__new__(cls)

    def take(self, nbytes):
        return self.taken(nbytes)


@pytest.fixture
def taken(monkeypatch):
    """Counts workspaces, and the arrays that backward makes by itself."""
    usual = arena.current()
    found = Taken(usual.take)
    arena.use(Counted(found))
    for name in ("_new_state", "_output"):
        made = getattr(recurrent.Recurrent, name)
        monkeypatch.setattr(recurrent.Recurrent, name, lambda m, *arguments, made=made: (found(0), made(m, *arguments))[1])
    yield found
    arena.use(usual)


@pytest.mark.parametrize("every", [None, 2])
@pytest.mark.parametrize(("case", "name", "more"), CASES, ids=lambda value: getattr(value, "id", value) if not isinstance(value, dict) else "")
def test_a_tape_survives(case, name, more, every, taken):
    n, m = numbers_of(case, "float32", name=name), module_of(case, "float32", name=name, **more)

    def forward():
        m.step = 0
        hx = copy.deepcopy(state_in(n))
        found = m.forward(n["x"], hx, n["lengths"], checkpoint_every=every)
        for part in hx if isinstance(hx, tuple) else (hx,):
            part[...] = np.nan          # it is the caller's again
        return found

    def backward(tape):
        return m.backward(tape, n["dy"], state_in(n, "d{}_n"))

    m.step = 0
    want = train(m, n, how={"checkpoint_every": every})
    y, state, tape = forward()
    before = taken.calls
    backward(tape)
    count = taken.calls - before
    assert count > 10
    for fail in range(1, count + 1):
        *_, tape = forward()
        taken.fail = taken.calls + fail
        with pytest.raises(MemoryError, match="injected"):
            backward(tape)
        if fail % 3 == 0:       # once more, from where it is now
            taken.fail = taken.calls + fail
            with pytest.raises(MemoryError, match="injected"):
                backward(tape)
        assert_same_bits(named(y, state, backward(tape)), want)
        with pytest.raises(ValueError, match="tape: expected a tape that has not been used"):
            backward(tape)


def test_a_tape_survives_ctrl_c(monkeypatch):
    case = Case(9, 4, 3, 5, L=3)
    n, m = numbers_of(case, "float32"), module_of(case, "float32")
    want = train(m, n)
    sums = passes.weight_gradients

    def interrupt(*arguments):
        sums(*arguments)
        raise KeyboardInterrupt

    y, state, tape = m.forward(n["x"], state_in(n), n["lengths"])
    monkeypatch.setattr(passes, "weight_gradients", interrupt)
    with pytest.raises(KeyboardInterrupt):
        m.backward(tape, n["dy"], state_in(n, "d{}_n"))
    monkeypatch.undo()
    assert_same_bits(named(y, state, m.backward(tape, n["dy"], state_in(n, "d{}_n"))), want)
    assert np.isfinite(y).all()
