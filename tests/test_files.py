"""Model files are whole at every moment: beside other writers, after a killed one, through links, and where no file can be."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import lstmc
from lstmc.training import files
from recipes import bits, build

KEPT = "m.safetensors"


@pytest.fixture(scope="module")
def model():
    return build("last")[0]


def names(directory):
    return sorted(p.name for p in directory.iterdir())


def test_threads_save_and_load_one_path(model, tmp_path):
    path, want, failures = tmp_path / KEPT, bits(model), []
    model.save(path)

    def repeat(act):
        try:
            for _ in range(30):
                act()
        except Exception as error:
            failures.append(error)

    def check():
        assert bits(lstmc.load(path)) == want

    threads = [threading.Thread(target=repeat, args=[act]) for act in (lambda: model.save(path), check) * 4]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert names(tmp_path) == [KEPT]


# Saves one model after the other, and says once that it has begun.
WRITER = """
import sys
from recipes import build
model, *_ = build("last")
path = sys.argv[1]
model.save(path)
print("begun", flush=True)
while True:
    model.save(path)
"""


def test_killed_writers_leave_a_whole_file_and_nothing_else(model, tmp_path):
    path, want = tmp_path / KEPT, bits(model)
    for pause in (0, 0.003, 0.01, 0.02, 0.05):
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=os.path.dirname(__file__))
                   for _ in range(2)]
        begun = [w.stdout.readline() for w in writers]
        time.sleep(pause)
        for w in writers:
            w.send_signal(signal.SIGKILL)
            w.communicate()
        assert begun == [b"begun\n"] * 2
        assert bits(lstmc.load(path)) == want
    model.save(path)
    assert names(tmp_path) == [KEPT]


# Ends in the middle of a write, without another word; or waits there.
HALF = """
import os, sys
from pathlib import Path
from lstmc.training import files
part, f = files.unfinished(Path(sys.argv[1]))
f.write(b"half")
f.flush()
print(part.name, flush=True)
if sys.argv[2] == "waits":
    sys.stdin.read()
os._exit(0)
"""


def half(directory, how):
    """(process, name of its unfinished file)."""
    p = subprocess.Popen([sys.executable, "-c", HALF, str(directory), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return p, p.stdout.readline().strip()


def test_leftovers_go_and_files_of_living_writers_stay(model, tmp_path):
    (tmp_path / "other.part").write_bytes(b"not ours")
    ended, _ = half(tmp_path, "ends")
    ended.communicate()
    writer, living = half(tmp_path, "waits")
    mine, f = files.unfinished(tmp_path)
    assert len(names(tmp_path)) == 4
    model.save(tmp_path / KEPT)
    assert names(tmp_path) == sorted([KEPT, "other.part", living, mine.name])
    writer.communicate("")
    f.close()
    model.save(tmp_path / KEPT)
    assert names(tmp_path) == [KEPT, "other.part"]


def test_files_of_another_system_stay_for_a_day(model, tmp_path):
    new, old = (tmp_path / f".lstmc-{n:08x}-{n:016x}.part" for n in (1, 2))
    for path in (new, old):
        path.write_bytes(b"half")
    an_age = time.time() - 2 * files.DAY
    os.utime(old, (an_age, an_age))
    model.save(tmp_path / KEPT)
    assert names(tmp_path) == sorted([KEPT, new.name])


def test_where_nothing_is_locked_all_leftovers_stay_for_a_day(model, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)       # as on Windows
    new, old = files.unfinished(tmp_path), files.unfinished(tmp_path)
    for _, f in (new, old):
        f.close()
    an_age = time.time() - 2 * files.DAY
    os.utime(old[0], (an_age, an_age))
    model.save(tmp_path / KEPT)
    assert names(tmp_path) == sorted([KEPT, new[0].name])
    assert bits(lstmc.load(tmp_path / KEPT)) == bits(model)


def test_who_is_refused_because_a_file_is_open_tries_again(model, tmp_path, monkeypatch):
    """As Windows refuses to replace what somebody reads, and to open what is being replaced."""
    tries = dict.fromkeys(("replace", "open"), 0)

    def refused(name, then):
        def call(*arguments, **more):
            tries[name] += 1
            if tries[name] in (1, 2):
                error = PermissionError(13, "sharing violation")
                error.winerror = 32
                raise error
            return then(*arguments, **more)
        return call

    monkeypatch.setattr(files.os, "replace", refused("replace", os.replace))
    monkeypatch.setattr(files, "open", refused("open", open), raising=False)
    model.save(tmp_path / KEPT)
    assert bits(lstmc.load(tmp_path / KEPT)) == bits(model)
    assert tries == {"replace": 3, "open": 3}
    monkeypatch.setattr(files, "PATIENCE", -1.0)
    tries["replace"] = 0
    with pytest.raises(PermissionError):
        model.save(tmp_path / KEPT)
    assert names(tmp_path) == [KEPT]


def test_who_loses_an_unfinished_file_before_the_lock_takes_another(tmp_path, monkeypatch):
    lock, lost = files.fcntl.flock, []

    def slow(f, how):
        if how == files.fcntl.LOCK_EX and not lost:
            lost.extend(names(tmp_path))
            files.remove_leftovers(tmp_path)
        lock(f, how)

    monkeypatch.setattr(files.fcntl, "flock", slow)
    files.write(tmp_path / "a", b"whole")
    assert len(lost) == 1
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"whole"


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_write_that_fails_changes_nothing(step, model, tmp_path, monkeypatch):
    path = tmp_path / KEPT
    model.save(path)
    before = path.read_bytes()

    def fail(*arguments, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        model.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert names(tmp_path) == [KEPT]


def test_links_are_followed_and_modes_kept(model, tmp_path):
    (tmp_path / "there").mkdir()
    path, link, other = tmp_path / "there" / KEPT, tmp_path / "link.safetensors", tmp_path / "dangling.safetensors"
    umask = os.umask(0o027)
    try:
        model.save(path)
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o604)
        link.symlink_to(path)
        other.symlink_to("there/new.safetensors")
        model.save(link)
        model.save(other)
    finally:
        os.umask(umask)
    assert link.is_symlink()
    assert other.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o604
    assert names(tmp_path / "there") == [KEPT, "new.safetensors"]
    for p in (link, other):
        assert bits(lstmc.load(p)) == bits(model)


def test_what_is_no_regular_file(model, tmp_path):
    fifo, directory, loop = (tmp_path / f"{name}.safetensors" for name in ("fifo", "directory", "loop"))
    os.mkfifo(fifo)
    directory.mkdir()
    loop.symlink_to(loop)
    for path, what in ((fifo, "FIFO"), (directory, "directory")):
        with pytest.raises(ValueError, match=f"path: expected the name of a regular file, or a new one, received that of a {what}"):
            model.save(path)
    with pytest.raises(lstmc.FormatError, match=r"fifo\.safetensors: expected a regular file, received a FIFO"):
        lstmc.load(fifo)
    with pytest.raises(IsADirectoryError):
        lstmc.load(directory)
    for act in (model.save, lstmc.load):
        with pytest.raises(OSError, match=r"loop\.safetensors") as found:     # the other words are the C library's
            act(loop)
        assert found.value.errno == errno.ELOOP
    with pytest.raises(FileNotFoundError) as error:
        model.save(tmp_path / "none" / KEPT)
    assert error.value.filename == str(tmp_path / "none" / KEPT)
    assert names(tmp_path) == sorted(p.name for p in (fifo, directory, loop))


def test_weights_alone_are_no_model(model, tmp_path):
    path = tmp_path / KEPT
    model.save_weights(path)
    with pytest.raises(lstmc.FormatError, match=r"received 'lstmc\.weights' 1; weights alone are for load_weights"):
        lstmc.load(path)
