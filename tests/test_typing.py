"""Types: the stubs are what the modules are, and mypy knows a good program from a bad line."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import lstmc

pytestmark = pytest.mark.once

HERE = Path(__file__).parent / "typing"
CLIENT = HERE / "client.py"


def test_stubs_are_what_the_modules_are():
    import make_stubs  # which imports all of the package

    wanted = make_stubs.stubs()
    assert len(wanted) > 25
    different = [path.name for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    assert (different, make_stubs.obsolete(wanted)) == ([], set()), "run: python tests/typing/make_stubs.py"


def test_the_client_runs():
    done = subprocess.run([sys.executable, str(CLIENT)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_mypy_accepts_the_client_and_refuses_bad_lines(tmp_path):
    good = CLIENT.read_text()
    bad = re.sub(r"^# error: \S+ +", "", good, flags=re.MULTILINE)
    expected = {n: found[1] for n, line in enumerate(good.splitlines(), 1) if (found := re.match(r"# error: (\S+)", line))}
    assert len(expected) > 15
    for name, text in (("good.py", good), ("bad.py", bad)):
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary", "--cache-dir=cache", "good.py", "bad.py"]
    folder = Path(lstmc.__file__).parents[1]        # the stubs of the package that runs; mypy looks where it is installed by itself, and refuses to be told
    package = {} if folder == Path(sysconfig.get_path("platlib")) else {"MYPYPATH": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=tmp_path, env=os.environ | package)
    assert done.stderr == ""
    found = [re.fullmatch(r"(\w+\.py):(\d+): error: .*\[([\w-]+)\]", line) for line in done.stdout.splitlines() if ": error: " in line]
    assert None not in found, done.stdout
    assert {(m[1], int(m[2]), m[3]) for m in found} == {("bad.py", n, code) for n, code in expected.items()}, done.stdout
