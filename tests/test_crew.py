"""Threads that share rows: a small batch whose recurrent weights are too large for one core, forward and backward.

Sharing, the number of threads, and the moment at which a crew dissolves must not change a bit; the reference says
that the bits are right as well.
"""

import pytest

from cases import Case
from conftest import assert_close, assert_same_bits, expected_of, module_of, numbers_of, train
from lstmc.kernels import crew, plan

SHARED = [
    Case(23, 1, 5, 130),
    Case(19, 3, 17, 140),
    Case(70, 1, 3, 200, L=2),
    Case(9, 5, 4, 131, D=2, ragged=True),
]


@pytest.fixture
def dissolve_at():
    """crew.dissolve_at, undone afterwards."""
    yield crew.dissolve_at
    crew.dissolve_at(0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.id)
def test_shared_units(isa, case, dtype, dissolve_at):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    alone = train(m, n, threads=1)
    assert_close(alone, expected_of(case, dtype), 2e-5 if dtype == "float32" else 1e-12)
    assert 4 * case.H * case.H * m.dtype.itemsize >= plan.SHARE_ABOVE_BYTES
    for threads in (2, 3):
        assert plan.SHARE_BELOW_ROWS * threads > case.B
        for epoch in (0, 1, 2, case.T, case.T + 1):
            dissolve_at(epoch)
            assert_same_bits(train(m, n, threads=threads), alone)
