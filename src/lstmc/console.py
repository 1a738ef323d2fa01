"""Standard output, which may be closed, gone or absent: what is said there is never worth an error in the middle of a training."""

import sys


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
