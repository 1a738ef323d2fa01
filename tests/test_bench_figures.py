"""What the benchmark computes from its measurements, on made-up ones: bounds, rows, means, comparisons."""

import json

import pytest

from lstmc.bench import compare, plot, report
from lstmc.bench.cases import Case
from lstmc.bench.roofline import Peaks, bound
from lstmc.bench.rounds import Measured
from lstmc.cli import main

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


def made_up(case, errors=(), **rounds):
    found = Measured(case)
    found.rounds = {name.replace("_", " "): times for name, times in rounds.items()}
    found.peak, found.errors = [100e9, 110e9], dict(errors)
    return report.row(found, FakeMachine(), "any")


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
    found = {g["group"]: g for g in report.groups([*rows(), made_up(Case("forward", 9, 1, 64, 64), lstmc=[1e-3], torch=[5e-3])])}
    assert list(found) == ["forward", "train", "step", "batch 1", "train on avx2"]
    assert found["forward"]["best"] == pytest.approx((0.8 * 5) ** 0.5)
    assert found["forward"]["peers"] == pytest.approx({"torch": 10**0.5, "jax": 0.8})
    assert (found["forward"]["cases"], found["forward"]["slower"]) == (2, 1)
    assert found["train on avx2"]["peers"] == pytest.approx({"torch": 2})


def test_the_summary_names_what_is_slower_and_what_failed():
    text = report.summary(rows())
    assert "slower than the best peer in 1 of 3 cases: forward-T10-B600-I64-H64" in text
    assert "jax: wrong: y is off (train-T10-B6-I64-H64)" in text
    assert "unsupported" not in text
    assert report.summary([made_up(Case("step", 1, 1, 32, 64), lstmc=[2e-5])]) == ""


def test_a_disturbed_run_says_so():
    calm, lost = rows(), rows()
    lost[0]["peak_gflops"] = [50.0, 110.0]
    assert report.disturbed(calm) == (0, 6)
    assert report.disturbed(lost) == (1, 6)
    assert "DISTURBED: in 1 of 6 rounds" in report.summary(lost)
    assert "DISTURBED" not in report.summary(calm)


# Comparisons ------------------------------------------------------------------------------------------------

def facts(case="step-a", us=100.0, torch=200.0, spread=0.02, peak=100.0, **about):
    settings = {"processor": "p", "isa": "i", "threads": 1, "torch": "2.13"}
    row = {"case": case, "us": {"lstmc": us, "torch": torch}, "ratios": {"torch": torch / us}, "spread": {"lstmc": spread}, "peak_gflops": [peak]}
    return {"format": 1, "about": settings | about, "rows": [row]}


@pytest.fixture
def compared(tmp_path, capsys):
    """(exit status, what is printed) of the command on two reports."""

    def both(old, new, *arguments):
        paths = [tmp_path / "old.json", tmp_path / "new.json"]
        for path, content in zip(paths, (old, new), strict=True):
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        status = main(["bench", "--compare", *map(str, paths), *arguments])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return both


def test_what_became_slower_fails(compared):
    status, text = compared(facts(), facts(us=120.0))
    assert status == 1
    assert "+20.0%" in text
    assert "slower by more than 10% and the noise: step-a" in text


def test_a_clock_that_drifted_is_no_change(compared):
    status, text = compared(facts(), facts(us=150.0, torch=300.0, peak=100 / 1.5))
    assert status == 0
    assert "+50.0%    +0.0%" in text


def test_a_peer_of_another_version_says_nothing_about_the_clock():
    row, = compare.compared(facts(), facts(torch=400.0))[0]
    assert row["drift"] == pytest.approx(0.5)
    newer = facts(torch=400.0)
    newer["about"]["torch"] = "2.14"
    row, = compare.compared(facts(), newer)[0]
    assert row["drift"] == 0


def test_what_gained_less_than_others_is_not_slower(compared):
    status, text = compared(facts(), facts(us=95.0, torch=100.0, peak=200.0))
    assert status == 0
    assert "+90.0%" in text


def test_references_that_disagree_are_noise(compared):
    # probe: as before; torch: half the time. f = 0.75, quartiles 0.625 and 0.875
    row, = compare.compared(facts(), facts(us=80.0, torch=100.0))[0]
    assert row["change"] == pytest.approx(0.8 / 0.75 - 1)
    assert row["noise"] == pytest.approx(0.04 + 0.25 / 0.75)


@pytest.mark.parametrize(("us", "spread", "arguments", "status"), [
    (120.0, 0.5, [], 0), (120.0, 0.02, ["--tolerance", "0.3"], 0), (105.0, 0.02, [], 0), (105.0, 0.02, ["--tolerance", "0.01"], 1), (50.0, 0.02, [], 0)])
def test_noise_and_tolerance(compared, us, spread, arguments, status):
    assert compared(facts(), facts(us=us, spread=spread), *arguments)[0] == status


def test_files_that_do_not_fit_are_refused(compared):
    status, text = compared(facts(), facts(threads=2))
    assert status == 2
    assert "not comparable, threads: 1 and 2" in text
    assert compared(facts(), facts(threads=2), "--force")[0] == 0
    assert "no case in common" in compared(facts("a"), facts("b"))[1]
    assert "is not JSON" in compared("{", facts())[1]
    assert "of this version" in compared(facts(), {"format": 2})[1]


def test_cases_of_one_file_only_are_named(compared):
    new = facts()
    new["rows"] += facts("step-b")["rows"]
    assert "in one of the files only: step-b" in compared(facts(), new)[1]


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
