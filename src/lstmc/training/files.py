"""Files that are whole at every moment: written under another name and then put in the place of what was there.

A writer holds a lock on its unfinished file until that has its final name. The system releases the lock when the process ends, however
it ends, so an unfinished file whose lock is free is a leftover, which the next writer in its directory removes. Locks are certain within
one running system; files that another one left, through a shared file system, are removed once nothing was written to them for a day.

Windows renames no file that is open, so no lock could last until the final name; leftovers are removed after a day, too. It does not replace a
file that somebody reads, either, nor open one that is being replaced: both are tried again for a while.
"""

import contextlib
import os
import platform
import re
import secrets
import stat
import time
import zlib
from pathlib import Path

from lstmc.errors import FormatError

try:
    import fcntl
except ImportError:     # Windows
    fcntl = None

DAY = 86400
PATIENCE = 5.0      # seconds
UNFINISHED = re.compile(r"\.lstmc-([0-9a-f]{8})-[0-9a-f]{16}\.part")


def this_system():
    """Eight digits that tell running systems apart; containers of one kernel, which share its locks, have the same."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        text = platform.node()
    return f"{zlib.crc32(text.encode()):08x}"


def path_of(path):
    """path as a Path."""
    try:
        found = Path(path)
    except TypeError:
        raise TypeError(f"path: expected a string or a path, received {type(path).__name__}") from None
    if "\0" in str(found):
        raise ValueError(f"path: expected a name without a null character, received {str(found)!r}")
    return found


def write(path, content):
    """Make `content` the content of a file: readers see the old one or the new one, also after a crash.

    A link is followed, and a file that exists keeps its mode.
    """
    target = Path(os.path.realpath(path))
    mode = mode_of(target)
    remove_leftovers(target.parent)
    try:
        part, f = unfinished(target.parent)
    except OSError as error:
        error.filename = os.fspath(path)        # which the caller knows
        raise
    try:
        f.write(content)
        if mode is not None:
            os.chmod(part, mode)
        f.flush()
        os.fsync(f.fileno())
        if fcntl is None:
            f.close()               # Windows renames closed files only
        patiently(lambda: os.replace(part, target))
    except BaseException:
        with contextlib.suppress(OSError):      # a full disk is full here, too
            f.close()
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    f.close()
    with contextlib.suppress(OSError):      # not every system can
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)     # the name, too, survives a power failure
        finally:
            os.close(directory)


def patiently(call):
    """call(), again while Windows refuses it, as it does as long as somebody has the file open."""
    until, pause = time.monotonic() + PATIENCE, 0.001
    while True:
        try:
            return call()
        except PermissionError as error:
            if getattr(error, "winerror", None) not in (5, 32) or time.monotonic() > until:     # access denied, sharing violation
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def mode_of(target):
    """The mode of a regular file, None if there is nothing; anything else cannot be replaced."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise ValueError(f"path: expected the name of a regular file, or a new one, received that of a {kind(mode)}: {target}")
    return stat.S_IMODE(mode)


def kind(mode):
    return "directory" if stat.S_ISDIR(mode) else "FIFO" if stat.S_ISFIFO(mode) else "device or socket"


def unfinished(directory):
    """(path, open file) of a new file with a name of its own, locked."""
    while True:
        part = directory / f".lstmc-{this_system()}-{secrets.token_hex(8)}.part"
        f = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), "wb")
        if fcntl is None:
            return part, f
        try:
            fcntl.flock(f, fcntl.LOCK_EX)
        except OSError:
            return part, f      # no locks here, so that nobody takes it for a leftover either
        if part.exists():
            return part, f
        f.close()               # somebody else's lock came first, and with it the end of the file


def remove_leftovers(directory):
    """Remove what ended processes left unfinished in a directory; what cannot be told or removed stays."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            found = UNFINISHED.fullmatch(entry.name)
            if found:
                with contextlib.suppress(OSError):      # it has a writer, is gone already, or is not ours
                    remove_leftover(entry.path, found[1] == this_system())


def remove_leftover(path, ours):
    if fcntl is None:
        if abandoned(os.lstat(path)):
            os.unlink(path)
        return
    how = os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY        # some network file systems lock for writers only
    fd = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(fd)
        if (stat.S_ISREG(found.st_mode) and ours) or abandoned(found):
            os.unlink(path)
    finally:
        os.close(fd)


def abandoned(found):
    """Whether it is a regular file to which nothing was written for a day."""
    return stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > DAY


@contextlib.contextmanager
def reading(path):
    """A regular file, open for reading.

    Raises
    ------
    lstmc.FormatError
        It is a FIFO, which would have to be waited for, a device or a socket.
    OSError
        It is missing, a directory, or may not be read.
    """
    with patiently(lambda: open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))) as f:
        mode = os.fstat(f.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise FormatError(f"expected a regular file, received a {kind(mode)}")
        yield f
