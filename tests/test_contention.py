"""Cores that others have taken: losses are counted, fewer threads are used for a while, and no bit of a result changes."""

import numpy as np
import pytest

import lstmc
from cases import Case
from conftest import CREDIT, assert_same_bits, module_of, numbers_of, train
from lstmc import nn
from lstmc.kernels import contention, core

NOW = 1e6       # seconds of a clock that no machine has reached


@pytest.fixture(autouse=True)
def no_past():
    contention.start_with(0)
    yield
    contention.start_with(CREDIT)


def test_a_loss_halves_the_threads_for_many_times_as_long():
    contention.report(8, 2e-3, NOW)
    assert contention.limit(NOW + 1.9e-3 * contention.PAUSE) == 4
    assert contention.limit(NOW + 2.1e-3 * contention.PAUSE) is None


def test_each_loss_that_follows_counts_for_twice_as_long():
    for times in (1, 2, 4, 8):
        contention.report(2, 1e-3, NOW)
        assert contention.limit(NOW + 0.99e-3 * times * contention.PAUSE) == 1
    assert contention.limit(NOW + 8.01e-3 * contention.PAUSE) is None


def test_the_first_loss_may_be_a_moments_and_the_next_counts_in_full():
    contention.report(2, 0.02, NOW)
    assert contention.limit(NOW + 0.99 * contention.RETRY * contention.PAUSE) == 1
    assert contention.limit(NOW + 1.01 * contention.RETRY * contention.PAUSE) is None
    contention.report(2, 0.02, NOW)
    assert contention.limit(NOW + 0.99 * 2 * 0.02 * contention.PAUSE) == 1
    assert contention.limit(NOW + 1.01 * 2 * 0.02 * contention.PAUSE) is None


def test_no_loss_counts_for_more_than_a_second():
    contention.report(2, 3600.0, NOW)
    contention.report(2, 3600.0, NOW)
    assert contention.limit(NOW + 0.99) == 1
    assert contention.limit(NOW + 1.01) is None


def test_what_was_won_covers_a_loss():
    contention.start_with(3e-3)
    contention.report(2, 2e-3, NOW)
    assert contention.limit(NOW) is None
    contention.report(2, 2e-3, NOW)
    assert contention.limit(NOW) == 1


def test_wins_count_up_to_the_credit_and_end_a_row_of_losses():
    contention.start_with(1e-3)
    for _ in range(3):
        contention.report(2, 5e-3, NOW)
    contention.report(2, -1.0, NOW)
    contention.report(2, 2e-3, NOW)
    assert contention.limit(NOW + 0.9e-3 * contention.PAUSE) == 1
    assert contention.limit(NOW + 1.1e-3 * contention.PAUSE) is None, "1 ms was lost for the first time"


def test_an_attempt_is_lent_a_little_which_counts_as_lost_with_it():
    contention.start_with(20e-3)
    contention.report(2, 21e-3, NOW)
    assert contention.limit(NOW + 0.99e-3 * contention.PAUSE) == 1
    assert contention.limit(NOW + 1.01e-3 * contention.PAUSE) is None
    contention.report(2, contention.RETRY - 1e-3, NOW)
    assert contention.limit(NOW) is None
    contention.report(2, 2e-3, NOW)
    lost = contention.RETRY + 1e-3
    assert contention.limit(NOW + 0.99 * 2 * lost * contention.PAUSE) == 1
    assert contention.limit(NOW + 1.01 * 2 * lost * contention.PAUSE) is None


@pytest.mark.parametrize("case", [Case(23, 1, 5, 130), Case(9, 40, 4, 31, D=2, ragged=True), Case(3, 37, 6, 450, ragged=True)],
                         ids=lambda case: case.id)
def test_results_do_not_depend_on_it(isa, case):
    n, m = numbers_of(case), module_of(case)
    alone = train(m, n, threads=1)
    for threads in (2, 3, 4):
        contention.report(threads, 1.0, NOW)        # until long after this test
        assert contention.limit() == threads // 2
        assert_same_bits(train(m, n, threads=threads), alone)
        contention.start_with(0)


X = np.ones((40, 16, 8), "float32")
CALLS = {
    "inference": lambda m, tape: m(X, threads=2),
    "units shared": lambda m, tape: nn.LSTM(8, 160, seed=0)(X[:, :1], threads=2),
    "backward": lambda m, tape: m.backward(tape, np.zeros((40, 16, 24), "float32"), threads=2),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_region_is_judged(name):
    """A call on two threads has won or lost something, however little."""
    m = nn.LSTM(8, 24, seed=0)
    tape = m.forward(X, train=True, threads=1)[2]
    contention.start_with(10.0)
    contention.report(2, 5.0, NOW)
    before = contention.won()
    CALLS[name](m, tape)
    assert (contention.won() != before) == core.has_openmp()


def test_calls_on_one_thread_are_measured_while_no_more_are_allowed():
    m = nn.LSTM(8, 24, seed=0)
    m(X, threads=1)
    assert contention.on_fewer(1) == (0.0, 0.0), "nobody is limited"
    contention.report(2, 1.0, NOW)              # until long after this test
    m(X, threads=2)
    took, worked = contention.on_fewer(1)
    assert took >= worked > 0
    m(X, threads=2)
    assert contention.on_fewer(1) > (took, worked)


def test_explain_says_so_as_long_as_it_lasts():
    m, line = nn.LSTM(8, 24, seed=0), "slow path, for now: 2 thread(s)"
    with lstmc.threads(4):
        assert line not in m.explain()
        contention.report(4, 1.0, NOW)              # until long after this test
        assert (line in m.explain()) == core.has_openmp()
        contention.start_with(0)
        assert line not in m.explain()


def test_what_a_large_call_would_use_stays_the_same():
    before = core.max_threads()
    contention.report(2, 1.0, NOW)
    assert core.max_threads() == before
