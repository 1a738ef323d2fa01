"""Every allocation of a call fails once: an error that says so or the right bits, no crash, the right bits from the next call, nothing lost.

The calls are those of lacking.py, in processes whose malloc is failing_malloc.c; what backward's tapes go through is in
test_memory_errors.py, too. The interpreter's own objects are left out, because some versions of CPython end where one of theirs lacks
(by hand: PYTHONMALLOC=malloc). The C library must be GNU's, which lets malloc be replaced, and there must be a compiler.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMPILER = shlex.split(sysconfig.get_config_var("CC") or "cc")

if platform.libc_ver()[0] == "glibc" and shutil.which(COMPILER[0]):

    @pytest.fixture(scope="module")
    def failing_malloc(tmp_path_factory):
        path = tmp_path_factory.mktemp("malloc") / "failing_malloc.so"
        subprocess.run([*COMPILER, "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", str(HERE / "failing_malloc.c"), "-o", str(path)], check=True)
        return str(path)

    def test_memory_of_arrays_and_kernels(failing_malloc):
        done = subprocess.run([sys.executable, "-X", "faulthandler", str(HERE / "lacking.py"), "all"], capture_output=True, text=True, timeout=600,
                              env=os.environ | {"LD_PRELOAD": failing_malloc, "PYTHONMALLOC": "pymalloc"})
        assert done.returncode == 0, done.stdout + done.stderr
        found = [tuple(map(int, re.findall(r"\d+", line.partition(":")[2]))) for line in done.stdout.splitlines()]
        assert len(found) > 20
        assert all(failed >= errors >= 2 for failed, errors, _ in found)     # of a dense layer two workspaces
        assert sum(blocks for *_, blocks in found) > 1000
