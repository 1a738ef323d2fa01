"""torch as a peer of the benchmark: it computes what the reference says on cases of every kind.

Needs torch and is therefore collected only when named: python -m pytest tests/parity
"""

import pytest

from lstmc.bench import peers
from lstmc.bench.cases import Case
from lstmc.bench.contenders import expected, verify

CASES = [
    Case("forward", 7, 3, 5, 9),
    Case("forward", 7, 3, 5, 9, 2, 2),
    Case("train", 7, 3, 5, 9),
    Case("train", 7, 3, 5, 9, 2, 2, "float64"),
    Case("step", 1, 1, 5, 9),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_torch_agrees_with_the_reference(case):
    (peer,), missing = peers.find(["torch"], 1)
    assert not missing
    assert "1 threads" in peer.about
    verify(peer.side(case), expected(case))
