"""Exceptions of the package; wrong arguments raise ValueError and TypeError instead."""


class FormatError(ValueError):
    """A file is not what its format promises: malformed, truncated, or not a model of this package."""
