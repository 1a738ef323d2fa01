"""For every test against torch: the same numbers every time, and one thread of torch."""

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded_and_alone():
    """What is small waits for other threads longer than it works."""
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
