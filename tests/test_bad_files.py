"""Bad model files: a corpus that is refused as FormatError in little memory, and flipped bits, none of which changes a prediction."""

import os
import subprocess
import sys

import numpy as np
import pytest

import lstmc
from bad_files import joined, parts
from fuzz.files import damage
from recipes import bits, build, settings


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A trained model's file: Input, LSTM, Dense, Adam."""
    path = tmp_path_factory.mktemp("good") / "m.safetensors"
    model, x, y, _ = build("last")
    model.fit(x, y, verbose=0)
    model.save(path)
    return path.read_bytes()


def test_what_the_corpus_is_made_of_loads(good, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(joined(*parts(good)))
    assert lstmc.load(path).built


# In a process whose memory is bounded little above what it has, so that a file that asks for much is a MemoryError.
REFUSE = """
import sys
from pathlib import Path
import lstmc
from processes import bound_memory
from bad_files import corpus
good, path = Path(sys.argv[1]), Path(sys.argv[2])
files = corpus(good.read_bytes())
lstmc.load(good)
bound_memory(100 * 2**20)
for name, content in files.items():
    path.write_bytes(content)
    try:
        print(name, "loads as", lstmc.load(path))
    except lstmc.FormatError as error:
        if len(str(error)) > 1000:
            print(name, "says", error)
print(len(files) > 1000)
"""


def test_bad_files_are_format_errors(good, tmp_path):
    paths = [str(tmp_path / name) for name in ("good.safetensors", "bad.safetensors")]
    (tmp_path / "good.safetensors").write_bytes(good)
    done = subprocess.run([sys.executable, "-c", REFUSE, *paths], capture_output=True, text=True, timeout=300, cwd=os.path.dirname(__file__))
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


def flips(content, n, seed=0):
    """Copies with one bit flipped, in a header more often than in the data."""
    rng = np.random.default_rng(seed)
    header = 8 + int.from_bytes(content[:8], "little")
    for at in np.concatenate((rng.integers(0, 8 * header, n // 2), rng.integers(8 * header, 8 * len(content), n - n // 2))):
        flipped = bytearray(content)
        flipped[at // 8] ^= 1 << at % 8
        yield at, bytes(flipped)


def test_a_flipped_bit_is_found_or_changes_nothing(good, tmp_path):
    path, loaded = tmp_path / "m.safetensors", 0
    path.write_bytes(good)
    model = lstmc.load(path)
    want, slots = (bits(model), settings(model)), [a for part in model.optimizer.state for a in part.values()]
    for at, content in flips(good, 1500):
        path.write_bytes(content)
        try:
            model = lstmc.load(path)
        except lstmc.FormatError:
            continue
        loaded += 1
        assert (bits(model), settings(model)) == want, at
        for a, b in zip((a for part in model.optimizer.state for a in part.values()), slots, strict=True):
            assert a.tobytes() == b.tobytes(), at
    assert loaded < 30          # in the name of the checksum


def test_the_checksum_speaks(good, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(lstmc.FormatError, match=r"m\.safetensors: expected the checksum crc32:[0-9a-f]{8}, received crc32:[0-9a-f]{8}: the file is damaged"):
        lstmc.load(path)


def test_files_damaged_at_random(tmp_path):
    tried, refused = damage(tmp_path / "m.safetensors", np.random.default_rng(0), 100, 150)
    assert 100 < refused <= tried == 150
