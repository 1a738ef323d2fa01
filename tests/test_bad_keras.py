"""Bad files of Keras: a corpus that is refused as FormatError in little memory, and files damaged at random. Nothing in them is run or followed."""

import os
import subprocess
import sys

import pytest

import bad_keras
import lstmc
from lstmc.interchange import hdf5

pytestmark = pytest.mark.once
# In a process whose memory is bounded little above what it has, and which ends with a traceback where something does not come back.
REFUSE = """
import faulthandler, sys, warnings
from pathlib import Path
import bad_keras, lstmc
from processes import bound_memory
warnings.simplefilter("ignore")
faulthandler.dump_traceback_later(120, exit=True)
folder = Path(sys.argv[1])
hostile, damaged = bad_keras.hostile(), list(bad_keras.mutated(400, 0))
path = folder / "m.h5"
for good in (bad_keras.legacy(), bad_keras.archive()):
    path.write_bytes(good)
    lstmc.from_keras(path)
(folder / "good.h5").write_bytes(bad_keras.legacy())
bound_memory(150 * 2**20)
for name, content in hostile.items():
    path.write_bytes(content)
    try:
        print(name, "loads as", lstmc.from_keras(path))
    except lstmc.FormatError as error:
        if len(str(error)) > 1000 or not str(error).startswith(str(path)):
            print(name, "says", error)
refused = 0
for name, content in damaged:
    path.write_bytes(content)
    try:
        lstmc.from_keras(path)
    except lstmc.FormatError:
        refused += 1
print(len(hostile) > 500, 100 < refused < 400)
"""


def test_bad_files_are_format_errors(tmp_path):
    done = subprocess.run([sys.executable, "-c", REFUSE, str(tmp_path)], capture_output=True, text=True, timeout=300, cwd=os.path.dirname(__file__))
    assert (done.stdout, done.stderr, done.returncode) == ("True True\n", "", 0)


def test_what_the_corpus_is_made_of_loads(tmp_path):
    for name, content in (("m.h5", bad_keras.legacy()), ("m.keras", bad_keras.archive()), ("r.keras", bad_keras.refreshed(bad_keras.archive()))):
        (tmp_path / name).write_bytes(content)
        assert lstmc.from_keras(tmp_path / name).built


def test_a_heap_that_does_not_end_is_named():
    hdf5.check_heaps(bad_keras.legacy())
    with pytest.raises(lstmc.FormatError, match="expected heaps of texts that end, received another one at byte"):
        hdf5.check_heaps(bad_keras.endless(bad_keras.legacy()))
