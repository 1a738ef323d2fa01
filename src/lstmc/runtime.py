"""Threads and build facts: the public face of `lstmc.kernels.core`."""

import operator

from lstmc._version import __version__
from lstmc.kernels import core

__all__ = ["build_info", "get_num_threads", "set_num_threads", "threads"]


def _count(n, name="n"):
    """n as an int in 1..MAX_THREADS, or an error naming the argument."""
    try:
        if isinstance(n, bool):
            raise TypeError
        value = operator.index(n)
    except TypeError:
        raise TypeError(f"{name}: expected an int, received {type(n).__name__}") from None
    if not 1 <= value <= core.MAX_THREADS:
        raise ValueError(f"{name}: expected 1 to {core.MAX_THREADS} threads, received {value}")
    return value


def set_num_threads(n):
    """Set the number of threads that large calls use from now on, in the whole process.

    Parameters
    ----------
    n : int
        1 to 1024. Calls too small to gain from threads still run on fewer.

    Raises
    ------
    TypeError, ValueError
        n is not an int, or out of range.

    Notes
    -----
    Results do not depend on it. A build without OpenMP and a forked child run on one thread whatever is set.
    """
    core.set_threads(_count(n))


def get_num_threads():
    """Number of threads that a large call would use now.

    Unless set, this is the number of CPUs that affinity, control group and `OMP_NUM_THREADS` leave to the process.

    Returns
    -------
    int
    """
    return core.max_threads()


class threads:
    """Context manager: `with lstmc.threads(n):` runs its body with n threads and then restores the setting.

    Parameters
    ----------
    n : int
        As in `set_num_threads`. The setting belongs to the process, not to the calling Python thread; give a
        call its own number with its `threads=` argument.
    """

    def __init__(self, n):
        self._n, self._before = _count(n), []       # a setting for each block that was entered: one may be within another

    def __enter__(self):
        self._before.append(core.threads_setting())
        core.set_threads(self._n)
        return self

    def __exit__(self, *error):
        core.set_threads(self._before.pop())


def build_info():
    """What was built and what is in use.

    Returns
    -------
    dict
        `version`; `isa`, the instruction set in use, and `isas`, those usable here, best first; `openmp`, whether
        the kernels were built with it; `compiler`; `threads`, as `get_num_threads`; `forked`, whether the process
        is a forked child and therefore runs on one thread.
    """
    return {
        "version": __version__,
        "isa": core.isa(),
        "isas": core.usable_isas(),
        "openmp": core.has_openmp(),
        "compiler": core.compiler(),
        "threads": core.max_threads(),
        "forked": core.forked(),
    }
