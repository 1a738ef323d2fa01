"""How an error names what it received, where that is no number, name or shape: a type, a list's length, a short value."""


def kind(thing):
    """The name of a thing's type, with its module if that is of another package; a class is told from what it makes."""
    if isinstance(thing, type):
        return f"the class {thing.__name__}; write {thing.__name__}(...)"
    found = type(thing)
    return found.__name__ if found.__module__.partition(".")[0] in ("builtins", "lstmc", "__main__") else f"{found.__module__}.{found.__name__}"


def whole_kind(thing):
    """The same with the module of this package's own types, too, where one of another package with the same name is expected."""
    found, what = (thing, "the class ") if isinstance(thing, type) else (type(thing), "")
    return what + (found.__name__ if found.__module__ == "builtins" else f"{found.__module__}.{found.__qualname__}")


def length(value):
    """What was given in place of a list of some length."""
    return f"a {type(value).__name__} of {len(value)}" if isinstance(value, (list, tuple)) else type(value).__name__


def short(value):
    """A short value, or the name of the type of a long one."""
    text = repr(value)
    return text if len(text) < 80 and "\n" not in text else type(value).__name__
