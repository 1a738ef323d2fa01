"""The command line: what it prints, what it refuses, and that its figures are those of the API."""

import io
import json
import os
import re
import subprocess
import sys

import pytest

import lstmc
from lstmc.cli import demo, info, main
from lstmc.kernels import core


def run(*arguments, **environment):
    """`python -m lstmc ...` in a process of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LSTMC_")}
    return subprocess.run([sys.executable, "-m", "lstmc", *arguments], capture_output=True, text=True, timeout=120, env=kept | environment)


def printed(capsys, *arguments):
    """What a command prints, run in this process."""
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


# info -------------------------------------------------------------------------------------------------------

def test_info_as_json_equals_the_api(capsys):
    found = json.loads(printed(capsys, "info", "--json"))
    assert {key: found[key] for key in lstmc.build_info()} == lstmc.build_info()
    assert found["cpus_usable"] == core.available_cpus()
    assert found["environment"] == {name: os.environ.get(name) for name in info.ENVIRONMENT}


def test_info_as_json_is_one_object_and_nothing_else():
    done = run("info", "--json", LSTMC_ISA="baseline", LSTMC_NUM_THREADS="1")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["isa"], found["threads"]) == ("baseline", 1)
    assert found["environment"]["LSTMC_ISA"] == "baseline"


def test_info_as_text_names_what_is_in_use(capsys):
    text, api = printed(capsys, "info"), lstmc.build_info()
    assert re.search(rf"^lstmc +{re.escape(api['version'])}$", text, re.M)
    assert re.search(rf"^instruction set +{api['isa']} \(usable here: {', '.join(api['isas'])}\)$", text, re.M)
    assert re.search(rf"^threads +up to {api['threads']}$", text, re.M)
    assert f"OpenMP           {'yes' if api['openmp'] else 'no'}" in text
    assert api["compiler"] in text


def test_machine_facts_are_plausible_where_the_platform_tells_them():
    found = info.facts()
    assert 1 <= found["cpus_usable"] <= found["cpus"]
    assert all(size >= 4096 for size in found["caches"].values())
    assert found["memory"] is None or found["memory"] > 2**26


@pytest.mark.parametrize(("size", "text"), [(1023, "1023 B"), (49152, "48 KiB"), (2**20, "1 MiB"), (5 * 2**29, "2.5 GiB"), (2**41, "2048 GiB")])
def test_sizes_in_words(size, text):
    assert info.size_text(size) == text


# demo -------------------------------------------------------------------------------------------------------

def test_a_short_demo_prints_its_lines(capsys):
    lines = printed(capsys, "demo", "--epochs", "2").splitlines()
    expected = (
        r"Japanese Vowels: 270 utterances to train on, 370 to test on, 9 speakers",
        r"epoch 2/2  loss \d\.\d{4}  training accuracy \d\.\d{3}  \d+ ms",
        r"test accuracy \d\.\d{3}",
        r"(above|below) the floor of 0\.962: logistic regression on mean and standard deviation",
        r"time per epoch \d+\.\d ms, \d+\.\d s for one training",
        rf"machine path: isa {core.isa()}, threads \d+",
    )
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_progress_line_is_redrawn_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    history = {"loss": [0.5], "accuracy": [0.75]}
    for epoch in (1, 2):
        demo.progress(epoch, 2, history, 0.012)
    monkeypatch.undo()
    first, second = terminal.getvalue().split("\r")[1:]
    assert first.rstrip(" ") == "epoch 1/2  loss 0.5000  training accuracy 0.750  12 ms"
    assert second.endswith("\n")
    assert len(first) == len(second.rstrip("\n"))


def test_one_epoch_is_below_the_floor_and_says_so(capsys):
    text = printed(capsys, "demo", "--epochs", "1")
    assert float(re.search(r"^test accuracy (.*)$", text, re.M)[1]) < 0.962
    assert "below the floor of 0.962" in text


def test_the_whole_demo_beats_the_floor(capsys):
    text = printed(capsys, "demo")
    assert text.count("epoch") == 6 + 1
    assert float(re.search(r"^test accuracy (.*)$", text, re.M)[1]) > 0.962
    assert "above the floor of 0.962" in text


def test_several_seeds_print_each_and_the_median(capsys):
    text = printed(capsys, "demo", "--epochs", "2", "--seed", "5", "--seeds", "3")
    assert re.findall(r"^seed (\d)$", text, re.M) == ["5", "6", "7"]
    each = sorted(re.findall(r"^test accuracy (\S+)$", text, re.M))
    assert len(each) == 3
    assert f"test accuracy {each[1]} (median of 3 seeds, {each[0]} to {each[2]})" in text


def timeless(text):
    return re.sub(r"\d+(\.\d)? m?s\b", "", text).rpartition("machine path")[0]


def test_the_demo_does_not_depend_on_threads(capsys):
    one, three = (printed(capsys, "demo", "--epochs", "10", "--threads", n) for n in ("1", "3"))
    assert timeless(one) == timeless(three)
    assert "threads 1" in one


def test_the_demo_depends_on_the_seed(capsys):
    one, other = (printed(capsys, "demo", "--epochs", "2", "--seed", n) for n in ("1", "2"))
    assert timeless(one) != timeless(other)


def test_the_demo_leaves_the_thread_setting_alone(capsys):
    before = core.threads_setting()
    printed(capsys, "demo", "--epochs", "1", "--threads", "2")
    assert core.threads_setting() == before


def test_threads_from_the_environment_reach_the_demo():
    done = run("demo", "--epochs", "1", LSTMC_NUM_THREADS="2")
    assert done.returncode == 0
    assert f"threads {2 if core.has_openmp() else 1}\n" in done.stdout


# Arguments --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("arguments", "message"), [
    ([], "the following arguments are required: COMMAND"),
    (["train"], "invalid choice: 'train'"),
    (["info", "extra"], "unrecognized arguments: extra"),
    (["info", "--yaml"], "unrecognized arguments: --yaml"),
    (["demo", "--epochs", "0"], "argument --epochs: expected 1 to"),
    (["demo", "--epochs", "many"], "argument --epochs: invalid whole number value: 'many'"),
    (["demo", "--epochs"], "argument --epochs: expected one argument"),
    (["demo", "--seed", "-1"], "argument --seed: expected 0 to"),
    (["demo", "--seed", "1.5"], "argument --seed: invalid whole number value: '1.5'"),
    (["demo", "--seeds", "0"], "argument --seeds: expected 1 to"),
    (["demo", "--threads", "1025"], "argument --threads: expected 1 to 1024, received 1025"),
])
def test_wrong_arguments_exit_with_2_and_the_usage(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: python -m lstmc")
    assert message in error


@pytest.mark.parametrize(("arguments", "words"), [
    (["--help"], ["info", "demo", "LSTMC_ISA"]),
    (["info", "--help"], ["--json"]),
    (["demo", "--help"], ["--seed", "--seeds", "--epochs", "--threads"]),
])
def test_help(capsys, arguments, words):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(word in text for word in words)


def test_version():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"lstmc {lstmc.__version__}\n")
