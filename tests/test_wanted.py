"""Without the gradient of the initial state, the others have the same bits: of every variant, on rows and on units that threads share."""

import pytest

from cases import Case
from cells import VARIANTS
from conftest import assert_same_bits, module_of, numbers_of, state_in
from lstmc.nn.passes import backward_pass

CASES = [Case(7, 5, 4, 19, D=2, L=2, ragged=True), Case(9, 2, 6, 200), Case(4, 1, 5, 450)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("name", VARIANTS)
def test_the_gradient_of_the_initial_state_may_be_left_out(name, case):
    n = numbers_of(case, "float32", name=name)
    for threads in (1, 2):
        found = []
        for need_state in (True, False):
            m = module_of(case, "float32", name=name)
            tape = m.forward(n["x"], state_in(n), n["lengths"], threads=threads)[2]
            dstate, grads = m._check_state(state_in(n, "d{}_n"), "dstate", "d{}_n", case.B, True), m._params.like()
            dx, dinitial = backward_pass(m, tape, m._check_dy(n["dy"], tape.call, tape.y_shape), dstate, grads, True, threads, need_state)
            assert (dinitial is not None) == need_state
            found.append({"dx": dx, **grads})
        assert_same_bits(*found)
