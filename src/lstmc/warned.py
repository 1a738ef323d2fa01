"""Warnings, at the line of the program that called the package, however many of the package's own calls lie between."""

import sys
import warnings


def warn(text, kind=UserWarning):
    """Warn of a text."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "lstmc":
        frame, level = frame.f_back, level + 1
    warnings.warn(text, kind, stacklevel=level)
