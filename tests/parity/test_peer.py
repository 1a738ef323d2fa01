"""torch as a peer of the benchmark: it computes what the reference says on cases of every kind.

Needs torch and is therefore collected only when named: python -m pytest tests/parity
"""

import pytest

from lstmc import reference
from lstmc.bench import peers
from lstmc.bench.cases import Case
from lstmc.bench.contenders import Unsupported
from lstmc.bench.truth import expected, verify

CASES = [
    Case("forward", 7, 3, 5, 9),
    Case("forward", 7, 3, 5, 9, 2, 2),
    Case("train", 7, 3, 5, 9),
    Case("train", 7, 3, 5, 9, 2, 2, "float64"),
    Case("step", 1, 1, 5, 9),
    Case("forward", 7, 3, 5, 9, ragged=True),
    Case("train", 7, 5, 5, 9, 2, 2, ragged=True),
    Case("train", 7, 3, 5, 9, settings=(("proj_size", 4),)),
    *(Case(kind, T, B, 5, 9, cell=cell) for cell in ("gru", "rnn") for kind, T, B in (("forward", 7, 3), ("train", 7, 3), ("step", 1, 1))),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_torch_agrees_with_the_reference(case):
    (peer,), missing = peers.find(["torch"], 1)
    assert not missing
    assert "1 threads" in peer.about
    try:
        want = expected(case)
    except Unsupported:
        assert not hasattr(reference, f"{case.cell}_fwd")
        want = {}
    verify(peer.side(case), want)
