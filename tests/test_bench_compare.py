"""`bench --compare`: what counts as a change between two reports, on made-up ones, some as older versions wrote them."""

import json

import pytest

from lstmc.bench import compare
from lstmc.cli import main


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


def test_peers_say_nothing_about_a_file_whose_contenders_shared_a_process():
    row, = compare.compared(facts(), facts(us=150.0, torch=400.0, processes="one each"))[0]
    assert row["drift"] == 0
    row, = compare.compared(facts(processes="one each"), facts(torch=400.0, processes="one each"))[0]
    assert row["drift"] == pytest.approx(0.5)


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
