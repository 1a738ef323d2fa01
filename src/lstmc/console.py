"""Standard output, which may be closed, gone or absent: what is said there is never worth an error in the middle of a training."""

import shutil
import sys

import numpy as np

WHOLE = int, np.bool_, np.integer


def say(text, end="\n"):
    """Write a text; whether that was possible."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except (OSError, ValueError):       # its reader is gone, the disk is full; it is closed, or has no such character
        return False
    return True


def is_terminal():
    """Whether a line can be redrawn."""
    try:
        return sys.stdout is not None and sys.stdout.isatty()
    except (OSError, ValueError):
        return False


def is_notebook():
    """Whether what is written appears below a notebook's cell, where a line can be redrawn, too."""
    return type(sys.stdout).__module__ == "ipykernel.iostream"


def columns():
    """Width of a line that the terminal does not wrap, or None if there is no terminal."""
    return max(shutil.get_terminal_size().columns - 1, 1) if is_terminal() else None


def verbosity(verbose):
    """0 silent, 1 a line that is redrawn, 2 a line at the end; "auto" is 1 on a terminal and in a notebook, and else 2."""
    if isinstance(verbose, WHOLE) and verbose in (0, 1, 2):
        return int(verbose)
    if isinstance(verbose, str) and verbose == "auto":
        return 1 if is_terminal() or is_notebook() else 2
    raise ValueError(f"verbose: expected 0, 1, 2 or 'auto', received {verbose!r}")
