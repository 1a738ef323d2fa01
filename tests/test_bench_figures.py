"""What the benchmark computes from its measurements, on made-up ones: bounds, rows, means. `test_bench_compare` compares two files."""

import re
from dataclasses import replace

import pytest

from lstmc.bench import groups, plot, report
from lstmc.bench.cases import Case
from lstmc.bench.roofline import Peaks, bound
from lstmc.bench.rounds import Measured

KIB = 1024


def peaks(threads=1, fma=100e9, read=10e9, meet=0.0, **more):
    """A machine on which every core does 100 GF/s and reads 10 GB/s, however much."""
    counts = sorted({1, threads})
    return Peaks({n: n * fma for n in counts}, {n: {KIB: read, KIB**2: read} for n in counts}, meet, 6, 4, **more)


# Bounds -----------------------------------------------------------------------------------------------------

def test_a_large_batch_is_bound_by_arithmetic():
    case = Case("forward", 10, 600, 64, 64)
    found = bound(case, peaks(read=1e15))
    assert found.seconds == pytest.approx(case.flops / 100e9)
    assert found.binds == "fma"


def test_a_step_is_bound_by_reading_all_weights():
    # 4*64*(32+64) weights of 4 bytes at 10 GB/s; their arithmetic would take 0.5 us
    found = bound(Case("step", 1, 1, 32, 64), peaks())
    assert found.bytes == 4 * 64 * 96 * 4
    assert found.seconds == pytest.approx(98304 / 10e9)
    assert found.binds == "memory"


def test_a_sequence_reads_recurrent_weights_only():
    # W x: 10 * 2*4*64*32 operations, then U (4*64*64*4 bytes) ten times
    found = bound(Case("forward", 10, 1, 32, 64), peaks())
    assert found.bytes == 10 * 65536
    assert found.seconds == pytest.approx(10 * 2 * 256 * 32 / 100e9 + 10 * 65536 / 10e9)


def test_a_second_tile_reads_the_weights_again():
    one, two = (bound(Case("forward", 10, B, 32, 64), peaks(fma=1e15)) for B in (6, 7))
    assert two.seconds == pytest.approx(2 * one.seconds, rel=1e-4)
    assert two.bytes == one.bytes


def test_two_threads_share_units_where_meeting_is_cheap():
    case = Case("forward", 10, 1, 32, 64)
    alone, shared = bound(case, peaks()), bound(case, peaks(2, meet=1e-9))
    assert shared.seconds == pytest.approx(alone.seconds / 2 + 10 * 1e-9)
    assert shared.bytes == alone.bytes
    assert bound(case, peaks(2, meet=1.0)).seconds == alone.seconds


def test_two_threads_with_rows_of_their_own_both_read_the_weights():
    case = Case("forward", 10, 2, 32, 64)
    found = bound(case, peaks(2, meet=1.0, fma=1e15))
    assert found.seconds == pytest.approx(10 * 65536 / 10e9, rel=1e-4)
    assert bound(Case("forward", 10, 12, 32, 64), peaks(2, meet=1.0, fma=1e15)).bytes == 2 * 10 * 65536


def test_training_is_three_times_the_arithmetic_and_twice_the_reading():
    large, narrow = Case("train", 10, 600, 64, 64), Case("train", 10, 1, 64, 64)
    assert bound(large, peaks(read=1e15)).seconds == pytest.approx(large.flops / 100e9)
    W = 2 * 10 * 256 * 64 / 100e9
    assert bound(narrow, peaks()).seconds == pytest.approx(W + 10 * 65536 / 10e9 + 2 * W + W + 10 * 65536 / 10e9)


def test_training_moves_its_activations():
    case = Case("train", 10, 600, 64, 64)
    machine = Peaks({1: 1e15}, {1: {64 * KIB: 1e15, KIB**2: 1e9}}, 0, 6, 4)
    found = bound(case, machine)
    assert found.bytes == 10 * 600 * (13 + 3) * 64 * 4
    assert found.seconds == pytest.approx(found.bytes / 1e9)


@pytest.mark.parametrize(("cell", "gates", "saved"), [("gru", 3, 5), ("rnn", 1, 1)])
def test_other_cells_have_fewer_gates(cell, gates, saved):
    case = Case("train", 10, 600, 64, 64, cell=cell)
    assert bound(case, peaks(read=1e15)).seconds == pytest.approx(case.flops / 100e9)
    assert bound(Case("step", 1, 1, 32, 64, cell=cell), peaks()).bytes == gates * 64 * 96 * 4
    moving = Peaks({1: 1e15}, {1: {64 * KIB: 1e15, KIB**2: 1e9}}, 0, 6, 4)
    assert bound(case, moving).bytes == 10 * 600 * (2 * saved + 1 + 3) * 64 * 4
    assert bound(replace(case, checkpoint=5), moving).binds == "fma"


def test_a_ragged_batch_is_bound_by_its_live_steps():
    case = Case("forward", 10, 600, 64, 64, ragged=True)
    assert bound(case, peaks(read=1e15)).seconds == pytest.approx(case.flops / 100e9)
    assert case.flops < case.beside.flops


def test_a_projection_narrows_what_a_step_reads():
    found = bound(Case("step", 1, 1, 32, 64, settings=(("proj_size", 16),)), peaks())
    assert found.bytes == (4 * 64 * (16 + 32) + 16 * 64) * 4


def test_layers_and_directions_add_up():
    case = Case("forward", 10, 600, 64, 64, 2, 2)
    assert bound(case, peaks(read=1e15)).seconds == pytest.approx(case.flops / 100e9)


def test_the_rate_of_reading_falls_with_size():
    found = Peaks({1: 1.0}, {1: {16 * KIB: 80.0, 32 * KIB: 100.0, 128 * KIB: 25.0}}, 0, 6, 4)
    assert found.rate(1, 1) == found.rate(16 * KIB, 1) == found.rate(32 * KIB, 1) == 100
    assert found.rate(64 * KIB, 1) == pytest.approx(50)
    assert found.rate(128 * KIB, 1) == found.rate(2**40, 1) == 25


def test_levels_are_named_by_the_caches():
    found = peaks(caches={"L1d": 32 * KIB, "L2": KIB**2, "L3": 8 * KIB**2})
    assert [found.level(size) for size in (32 * KIB, 33 * KIB, KIB**2 + 1, 8 * KIB**2 + 1)] == ["L1", "L2", "L3", "dram"]
    assert found.level(5 * KIB**2, 2) == "dram"
    assert peaks().level(1) == "memory"


# Rows and means ---------------------------------------------------------------------------------------------

class FakeMachine:
    threads = 1

    def peaks(self, isa, dtype):
        return peaks()


def measured_as(case, errors=(), **rounds):
    found = Measured(case)
    found.rounds = {name.replace("_", " "): times for name, times in rounds.items()}
    found.peak, found.errors = [100e9, 110e9], dict(errors)
    return found


def made_up(case, errors=(), **rounds):
    return report.row(measured_as(case, errors, **rounds), FakeMachine(), "any")


def rows():
    return [
        made_up(Case("forward", 10, 600, 64, 64), lstmc=[5e-3, 4e-3, 6e-3], torch=[1e-2, 1e-2, 1e-2], jax=[4e-3, 4e-3, 4e-3]),
        made_up(Case("train", 10, 6, 64, 64), lstmc=[1e-3], torch=[4e-3], lstmc_avx2=[2e-3], errors={"jax": "wrong: y is off"}),
        made_up(Case("step", 1, 1, 32, 64), lstmc=[2e-5], torch=[4e-5], errors={"jax": "unsupported: has no step"}),
    ]


def test_a_row_holds_medians_ratios_and_what_binds():
    first, second, step = rows()
    assert first["us"] == pytest.approx({"lstmc": 5000, "torch": 10000, "jax": 4000})
    assert first["spread"]["lstmc"] == pytest.approx(0.2)     # the quartiles of 4, 5, 6 ms are 4.5 and 5.5
    assert first["ratios"] == pytest.approx({"torch": 2, "jax": 0.8})
    assert (first["best"], first["best_ratio"]) == ("jax", pytest.approx(0.8))
    assert first["gflops"] == pytest.approx(first["flops"] / 5e-3 / 1e9)
    assert first["of_peak"] == pytest.approx(first["gflops"] / 100)
    assert first["of_peak_then"] == pytest.approx(first["gflops"] / 105)
    assert second["ratios"] == pytest.approx({"torch": 4})
    assert (step["binds"], step["of_bound"]) == ("memory", pytest.approx(98304 / 10e9 / 2e-5))
    assert step["gbytes"] == pytest.approx(98304 / 2e-5 / 1e9)


def test_lines_and_columns_are_aligned():
    names = ["lstmc avx2", "torch", "jax"]
    head, lines = report.columns(names), [report.line(r, names) for r in rows()]
    at = head.index("best peer")
    assert [line[at:].split() for line in lines] == [["0.80", "jax"], ["4.00", "torch"], ["2.00", "torch"]]
    assert lines[1][:at].rstrip().endswith("wrong")
    assert lines[2][:at].rstrip().endswith("-")
    assert "GB/s" in lines[2]
    assert "memory" in lines[2]


def test_groups_are_geometric_means():
    found = {g["group"]: g for g in groups.groups([*rows(), made_up(Case("forward", 9, 1, 64, 64), lstmc=[1e-3], torch=[5e-3])])}
    assert list(found) == ["forward", "train", "step", "batch 1", "train on avx2"]
    assert found["forward"]["best"] == pytest.approx((0.8 * 5) ** 0.5)
    assert found["forward"]["peers"] == pytest.approx({"torch": 10**0.5, "jax": 0.8})
    assert (found["forward"]["cases"], found["forward"]["slower"]) == (2, 1)
    assert found["train on avx2"]["peers"] == pytest.approx({"torch": 2})


def test_the_summary_names_what_is_slower_and_what_failed():
    text = groups.summary(rows())
    assert "slower than the best peer in 1 of 3 cases: forward-T10-B600-I64-H64" in text
    assert "jax: wrong: y is off (train-T10-B6-I64-H64)" in text
    assert "unsupported" not in text
    assert groups.summary([made_up(Case("step", 1, 1, 32, 64), lstmc=[2e-5])]) == ""


def test_other_cells_and_variants_have_groups_of_their_own():
    cases = [Case("train", 10, 6, 64, 64), Case("train", 10, 6, 64, 64, cell="gru"), Case("train", 10, 6, 64, 64, settings=(("coupled", True),)),
             Case("train", 10, 6, 64, 64, ragged=True), Case("train", 10, 6, 64, 64, checkpoint=5)]
    found = {g["group"]: g["cases"] for g in groups.groups([made_up(case, lstmc=[1e-3], torch=[2e-3]) for case in cases])}
    assert found == {"train": 1, "gru train": 1, "variants": 1, "ragged train": 1}


def test_what_is_not_plain_is_read_beside_its_plain_case():
    plain, ragged = Case("train", 10, 6, 64, 64), Case("train", 10, 6, 64, 64, ragged=True)
    coupled, alone = replace(plain, settings=(("coupled", True),)), Case("train", 9, 6, 64, 64, checkpoint=5)
    measured = [measured_as(plain, lstmc=[1e-3], torch=[4e-3]), measured_as(ragged, lstmc=[6e-4], torch=[8e-3]),
                measured_as(coupled, lstmc=[9e-4]), measured_as(alone, lstmc=[1e-3])]
    found = report.rows(measured, FakeMachine(), "any")
    share = ragged.live / 60
    assert found[1]["beside"] == {"case": plain.id, "share": share, "ratios": pytest.approx({"lstmc": 0.6 / share, "torch": 2 / share})}
    assert found[2]["beside"]["ratios"] == pytest.approx({"lstmc": 0.9})
    assert [("beside" in r) for r in found] == [False, True, True, False]
    text = groups.summary(found)
    assert f"{ragged.id}, {share:.0%} of the steps live: {0.6 / share:.2f} (torch {2 / share:.2f})" in text
    assert f"{coupled.id}: 0.90" in text


def test_what_was_compared_with_nothing_is_said():
    case = Case("train", 10, 6, 64, 64, settings=(("zoneout", 0.1),))
    assert f"{case.id}: zoneout draws masks: checked to be finite only" in groups.summary([made_up(case, lstmc=[1e-3])])


def test_held_peers_are_compared_with_lstmc_on_the_same_instructions():
    r = made_up(Case("train", 10, 6, 64, 64), **{"lstmc": [1e-3], "lstmc_avx2": [2e-3], "torch": [2e-3], "torch-avx2": [3e-3]})
    assert (r["ratios"], r["held_ratios"]) == (pytest.approx({"torch": 2}), pytest.approx({"torch-avx2": 1.5}))
    assert r["best"] == "torch"
    assert re.search(r" 3,000 +1\.50", report.line(r, ["lstmc avx2", "torch", "torch-avx2"]))
    found = {g["group"]: g for g in groups.groups([r])}
    assert found["train-avx2 all"]["peers"] == pytest.approx({"torch-avx2": 1.5})
    assert re.search(r"^train-avx2 all +1 +1\.50 +0 +- +1\.50$", groups.summary([r]), re.M)
    only = made_up(Case("train", 10, 6, 64, 64), **{"lstmc": [2e-3], "torch-avx2": [3e-3]})
    assert only["held_ratios"] == pytest.approx({"torch-avx2": 1.5})


def test_a_disturbed_run_says_so():
    calm, lost = rows(), rows()
    lost[0]["peak_gflops"] = [50.0, 110.0]
    assert groups.disturbed(calm) == (0, 6)
    assert groups.disturbed(lost) == (1, 6)
    assert "DISTURBED: in 1 of 6 rounds" in groups.summary(lost)
    assert "DISTURBED" not in groups.summary(calm)


# The picture ------------------------------------------------------------------------------------------------

def test_cases_of_one_intensity_stand_side_by_side():
    moved = plot.spread_out({"a": (1.0, 5.0), "b": (1.01, 2.0), "c": (4.0, 3.0)})
    assert moved["c"] == (4.0, 3.0)
    assert moved["a"][0] < moved["b"][0]
    assert {name: y for name, (_, y) in moved.items()} == {"a": 5.0, "b": 2.0, "c": 3.0}


def test_slopes_are_read_at_half_a_cache():
    about = {"isa": "i", "threads": 2}
    table = {str(size): float(rate) for size, rate in ((16 * KIB, 90), (32 * KIB, 100), (512 * KIB, 50), (4 * KIB**2, 20), (64 * KIB**2, 5))}
    machine = {"caches": {"L1d": 32 * KIB, "L2": KIB**2, "L3": 16 * KIB**2}, "read_gbytes_per_thread": [{**about, "best": table}],
               "fma_gflops": [{**about, "dtype": "float32", "best": 7.0}]}
    assert plot.slopes({"about": about, "machine": machine}) == {"L1": 200, "L2": 100, "L3": 40, "dram": 10}
    assert plot.peak({"about": about, "machine": machine}) == 7
