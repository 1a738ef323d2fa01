"""Bad .safetensors files for `lstmc.from_torch`: a corpus that is refused as FormatError in little memory, and files damaged at random."""

import os
import subprocess
import sys

import pytest
from safetensors.numpy import save

from lstmc import nn

pytestmark = pytest.mark.once

# In a process whose memory is bounded little above what it has, so that a file that asks for much is a MemoryError.
REFUSE = """
import sys
from pathlib import Path
import lstmc
from processes import bound_memory
from bad_weights import corpus, damaged
path = Path(sys.argv[1])
good = path.read_bytes()
files = corpus(good)
lstmc.from_torch(path)
bound_memory(100 * 2**20)
for name, content in files.items():
    path.write_bytes(content)
    try:
        print(name, "is read as", lstmc.from_torch(path))
    except lstmc.FormatError as error:
        if len(str(error)) > 1000 or not str(error).startswith(f"{path}: "):
            print(name, "says", error)
    except Exception as error:
        print(name, "raises", repr(error)[:300])
refused = 0
for content in damaged(good, 400):
    path.write_bytes(content)
    try:
        lstmc.from_torch(path)
    except lstmc.FormatError:
        refused += 1
    except ValueError as error:
        assert str(error).startswith("prefix: "), error
        refused += 1
print(len(files) > 300, 250 < refused < 400)
"""


def test_bad_files_are_format_errors(tmp_path):
    m = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=0, seed=0)
    (tmp_path / "m.safetensors").write_bytes(save(dict(m.state_dict())))
    done = subprocess.run([sys.executable, "-c", REFUSE, str(tmp_path / "m.safetensors")], capture_output=True, text=True, timeout=300,
                          cwd=os.path.dirname(__file__))
    assert (done.stdout, done.stderr, done.returncode) == ("True True\n", "", 0)
