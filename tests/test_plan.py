"""The cost model: what it decides in the regimes that it knows, and that a module's explanation says the same."""

import pytest

from lstmc import nn
from lstmc.kernels import core, plan

TWO = 2         # threads, given explicitly: the machine may have fewer


def choose(T=100, B=32, I=64, H=64, **more):
    return plan.choose("lstm", T, B, I, H, **more)


def threaded():
    return core.has_openmp() and not core.forked()


def test_rows_are_divided_in_large_batches():
    want = {"stages": 1, "bands": 1, "at_once": 1, "threads": TWO if threaded() else 1, "shared": False, "eager": False, "z_steps": 0}
    assert choose(threads=TWO) == want
    assert choose(H=512, B=100, threads=TWO) == want


def test_units_are_divided_where_rows_are_few_and_weights_many():
    few = choose(B=1, H=512, threads=TWO)
    assert few["shared"] == threaded()
    assert not few["eager"], "half of the weights are read in one go"
    assert choose(B=1, H=256, threads=TWO)["eager"] == threaded()
    assert not choose(B=1, H=64, threads=TWO)["shared"], "recurrent weights that one core reads from its first cache"
    assert not choose(B=plan.SHARE_BELOW_ROWS * TWO, H=128, threads=TWO)["shared"], "enough rows"
    far = plan.SHARE_FAR_BELOW_ROWS * TWO
    assert choose(B=far - 1, H=512, threads=TWO)["shared"] == threaded(), "weights that no core's cache holds"
    assert not choose(B=far, H=512, threads=TWO)["shared"], "enough rows even then"
    assert choose(T=1, B=1, H=512, threads=TWO)["shared"] == threaded()


@pytest.mark.parametrize(("cell", "P", "normed"), [("lstm", 256, False), ("gru_before", 0, False), ("lstm", 0, True)])
def test_two_stages_a_step_take_larger_weights_to_divide_units(cell, P, normed):
    def shared(B, H, P, **more):
        return plan.choose(cell, 100, B, 64, H, P, threads=TWO, normed=normed, **more)["shared"]

    assert shared(1, 512, P) == shared(7, 512, P) == threaded()
    assert not shared(1, 120, P // 4), "meeting twice a step costs more than half of these weights"
    assert shared(1, 192, P // 2) == threaded()
    assert not shared(3, 192, P // 2), "rows are divided"
    assert not shared(1, 1024, P, dropped=True)
    few = plan.SHARE_FAR_BELOW_ROWS
    assert shared(few - 1, 1024, P) == threaded(), "weights that no core's cache holds"
    assert not shared(few, 1024, P), "half as many rows as with one stage"
    assert shared(2, 400, P) == threaded()
    assert not plan.choose(cell, 100, few - 1, 2048, 256, P // 2, threads=TWO, normed=normed)["shared"], "it is W that is far, and W waits for nothing"


def test_directions_have_threads_of_their_own():
    if not threaded():
        assert choose(D=2, threads=TWO)["at_once"] == 1
        return
    for B in (1, 5, 64):
        assert choose(B=B, D=2, threads=TWO) == {**choose(B=B, threads=1), "at_once": 2}
    assert choose(D=2, threads=3)["at_once"] == 1
    large = 4 * 512 * 512 * 4
    assert plan.NEAR_BYTES < large / 4 < 2 * plan.NEAR_BYTES
    assert choose(B=1, H=256, D=2, threads=TWO)["shared"], "half of the weights fit into a cache, all of them do not"
    assert choose(B=1, H=512, P=128, D=2, threads=TWO)["at_once"] == 2, "with two stages a step even then"


def test_small_work_stays_on_one_thread(monkeypatch):
    before = core.threads_setting()
    core.set_threads(8)
    try:
        assert choose(T=10, B=4, I=8, H=16)["threads"] == 1
        assert choose(T=0, B=4)["threads"] == 1
        assert choose(B=0)["threads"] == 1
        most = choose(T=1000, B=256, H=256)
        assert most["threads"] == (8 if threaded() else 1)
    finally:
        core.set_threads(before)


@pytest.mark.parametrize("itemsize", [4, 8])
def test_w_x_ahead(itemsize):
    assert choose(B=32, itemsize=itemsize, threads=1)["z_steps"] == 0, "full tiles"
    assert choose(T=1, B=1, itemsize=itemsize, threads=1)["z_steps"] == 0, "one step"
    assert choose(B=5, itemsize=itemsize, threads=1)["z_steps"] == choose(B=11, itemsize=itemsize, threads=1)["z_steps"] == 0, "few weights"
    assert choose(B=4, mr=3, itemsize=itemsize, threads=1)["z_steps"] > 0, "tiles of two rows"
    for B in (1, 2, 5, 11):
        for H in (1, 64) if B < plan.Z_BELOW_ROWS else (256, 1024):
            z = choose(T=70, B=B, I=H, H=H, itemsize=itemsize, threads=1)["z_steps"]
            assert plan.Z_STEPS[0] <= z <= 70
            room = max(plan.Z_BYTES, 4 * H * H * itemsize / plan.Z_PART)
            assert z == plan.Z_STEPS[0] or z * B * 4 * H * itemsize <= room
    assert choose(T=2, B=1, H=4096, threads=1)["z_steps"] == 2
    far = {"T": 70, "I": 640, "H": 640, "itemsize": itemsize, "threads": 1}
    assert choose(B=23, **far)["z_steps"] > 0, "weights that each step reads from afar"
    assert choose(B=24, **far)["z_steps"] == 0


def test_threads_are_woken_for_large_steps_only():
    before = core.threads_setting()
    core.set_threads(2)
    try:
        assert plan.choose_step(2.0 * 4 * 64 * 104, 4.0 * 4 * 64 * 104, 4) == 1
        weights = 4.0 * 400 * 440
        assert plan.choose_step(2 * weights, 4 * weights, 25) == (2 if threaded() else 1)
        assert plan.choose_step(2 * weights, 4 * weights, 25, False) == 1
        assert plan.choose_step(2e3 * weights, 4 * weights, 25, False) == (2 if threaded() else 1)
    finally:
        core.set_threads(before)


def test_explain_says_what_is_planned():
    text = nn.LSTM(40, 400).explain()
    for B in (1, 4, 32):
        p = choose(T=100, B=B, I=40, H=400, mr=core.tile_rows())
        line = next(line for line in text.splitlines() if f"batch {B}:" in line and "training" not in line)
        assert ("divide the units" in line) == p["shared"]
        assert (f"of {p['z_steps']} steps" in line) == bool(p["z_steps"])
    assert "session" in text
    staged = nn.LSTM(40, 800, proj_size=400).explain()
    assert ("divide the units and meet after each stage" in staged) == (threaded() and core.max_threads() == 2)
    small = nn.LSTM(40, 40).explain()
    assert "two bands" in next(line for line in small.splitlines() if "training" in line)
    assert "two bands" not in nn.LSTM(40, 500).explain(), "too many weights"
    both = nn.LSTM(40, 40, bidirectional=True).explain()
    assert "direction" in both
    assert "session" not in both
