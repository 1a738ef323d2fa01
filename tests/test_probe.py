"""The probes of the machine's limits: figures on every instruction set. How large they are is not a question for a test."""

import math

import pytest

from lstmc.kernels import probe

SHORT = 1e-4


@pytest.mark.parametrize("threads", [1, 2])
def test_rates_are_positive_and_finite(isa, threads):
    rates = [probe.fma(itemsize, threads, SHORT) for itemsize in (4, 8)] + [probe.read(size, threads, SHORT) for size in (4096, 100_000)]
    assert all(0 < rate < math.inf for rate in rates)


def test_a_meeting_takes_time_between_threads_only():
    assert probe.meet(1) == 0
    cost = probe.meet(2, 10)
    assert math.isfinite(cost)
    assert cost >= 0


def test_what_cannot_be_measured_raises():
    with pytest.raises(ValueError, match="at least 4096 bytes, received 512"):
        probe.read(512)
    with pytest.raises(TypeError, match="4 and 8 bytes, not 2"):
        probe.fma(2)
