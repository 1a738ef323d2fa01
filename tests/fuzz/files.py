"""Model files damaged at random, and writers killed at random moments, for as long as one likes.

    python tests/fuzz/files.py --seconds 60 --seed 0

A damaged file is refused with a FormatError or loads to the same model; whatever a killed writer left, readers find the whole file. Anything else ends
the run, and leaves the file where it says.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1])]

import lstmc  # noqa: E402
from recipes import RECIPES, bits, build, settings  # noqa: E402
from test_files import WRITER  # noqa: E402


def damaged(good, rng):
    """A copy with one to twenty wrong bytes, an end too early, a piece taken out or put in, or digits changed in the header."""
    b, header = bytearray(good), 8 + int.from_bytes(good[:8], "little")
    within = header if rng.random() < 0.7 else len(good)
    at, n, whence = int(rng.integers(8, within)), int(rng.integers(1, 40)), int(rng.integers(len(good) - 40))
    kind = rng.integers(5)
    if kind == 0:
        for _ in range(int(rng.integers(1, 20))):
            b[int(rng.integers(within))] = int(rng.integers(256))
    elif kind == 1:
        del b[int(rng.integers(len(b))):]
    elif kind == 2:
        digits = [i for i in range(8, header) if chr(b[i]).isdigit()]
        for i in rng.choice(digits, 3):
            b[i] = rng.choice(list(b"0123456789-.e"))
    else:
        b[at:at + n * (kind == 3)] = b"" if kind == 3 else good[whence:whence + n]
        if rng.random() < 0.7:      # what it says of its header is right then
            b[:8] = (int.from_bytes(good[:8], "little") + len(b) - len(good)).to_bytes(8, "little", signed=True)
    return bytes(b)


def damage(path, rng, seconds, most=None):
    """Files tried, and how many were refused."""
    goods, tried, refused, end = [], 0, 0, time.monotonic() + seconds
    for name in RECIPES:
        model, x, y, _ = build(name)
        model.fit(x, y, verbose=0)
        model.save(path)
        goods.append((path.read_bytes(), bits(model), settings(lstmc.load(path))))
    while time.monotonic() < end and tried != most:
        good, *want = goods[rng.integers(len(goods))]
        path.write_bytes(damaged(good, rng))
        tried += 1
        try:
            model = lstmc.load(path)
        except lstmc.FormatError:
            refused += 1
        else:
            assert [bits(model), settings(model)] == want, "another model"
    return tried, refused


def kill(path, rng, seconds):
    """Writers killed, and files read meanwhile."""
    model, *_ = build("last")
    model.save(path)
    want, killed, read, end = bits(model), 0, 0, time.monotonic() + seconds
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}    # the tests and this lstmc, wherever it was found
    while time.monotonic() < end:
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=env) for _ in range(3)]
        begun = [w.stdout.readline() for w in writers]
        stop = time.monotonic() + 0.1 * rng.random()
        while time.monotonic() < stop:
            assert bits(lstmc.load(path)) == want, "another model"
            read += 1
        for w in writers:
            time.sleep(0.01 * rng.random())
            w.kill()
            w.communicate()
            killed += 1
        assert begun == [b"begun\n"] * 3
        assert bits(lstmc.load(path)) == want, "another model"
        read += 1
    model.save(path)
    assert os.listdir(path.parent) == [path.name], "leftovers"
    return killed, read


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (%(default)s), half of it for each")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng, folder = np.random.default_rng(given.seed), Path(tempfile.mkdtemp())
    print(f"in {folder}", flush=True)
    tried, refused = damage(folder / "m.safetensors", rng, given.seconds / 2)
    print(f"{tried} damaged files tried, {refused} refused, the others the same model", flush=True)
    killed, read = kill(folder / "m.safetensors", rng, given.seconds / 2)
    print(f"{killed} writers killed, {read} whole files read, nothing left")


if __name__ == "__main__":
    main()
