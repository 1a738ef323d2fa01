"""Checks the docstrings of everything public by numpydoc's rules: `python tests/packaging/docstrings.py`, with numpydoc installed.

Everything public: the names that the public modules show, and the methods and properties of their classes without an underscore. A method that
overrides one without a docstring of its own has that of the one it overrides, as in `help` and on the pages.
"""

import enum
import functools
import importlib
import inspect
import pkgutil
import re
import sys

from numpydoc.docscrape import get_doc_object
from numpydoc.validate import Validator, validate
from sphinx.ext.autodoc.mock import mock

MODULES = ("", "activations", "callbacks", "datasets", "distributed", "initializers", "layers", "losses", "metrics", "models", "nn", "optimizers",
           "optimizers.schedules", "regularizers", "sklearn", "torch", "training", "utils")
# The checks of numpydoc that are left out, and why.
OFF = {
    "ES01": "one sentence says all of most methods",
    "EX01": "examples are on the pages, where CI runs them",
    "SA01": "the pages of a module list its names together",
    "RT01": "a sentence that is what comes back ('Copies of the weights.') needs no section for it",
    "PR01": "`unexplained` is in its place: an argument is in the section Parameters or named in the text",
    "PR03": "arguments that belong together are listed together",
    "PR04": "arguments that are as those of another are listed as `name, dtype`, with 'See `Layer`.' below",
    "PR07": "`use_bias : bool` says all",
    "RT03": "as PR07",
    "SA04": "names such as LSTMRegressor say what they are",
    "SS02": "names and equations begin with small letters",
    "PR08": "as SS02",
    "RT04": "as SS02",
    "RT05": "what comes back may be a tuple of names",
    "YD01": "as RT01",
    "SS05": "'Gradients of ...' is taken for a verb",
}


class Public(Validator):
    """A validator that looks at inherited docstrings, and knows the arguments that are passed on to classes above."""

    def __init__(self, obj_name):
        self.full_name, self.owner, thing = obj_name
        super().__init__(get_doc_object(thing))
        self.raw_doc = thing.__doc__ or inherited(*obj_name[:2])
        if self.raw_doc != thing.__doc__:
            self.doc = get_doc_object(thing, doc=inspect.cleandoc(self.raw_doc))

    name = property(lambda self: self.full_name)

    @property
    def signature_parameters(self):
        """Names; `**arguments` of a class gives way to the names that are documented and belong to a class above."""
        found = super().signature_parameters
        if inspect.isclass(self.obj) and found and found[-1].startswith("**"):
            above = {p for c in self.obj.__mro__[1:-1] if "__init__" in vars(c) for p in inspect.signature(c.__init__).parameters}
            more = [p for p in self.doc_all_parameters if (p in above and p not in found) or p == found[-1]]
            found = (*found[:-1], *more)
        return found


def inherited(name, owner):
    """The docstring of what a member overrides."""
    member = name.rpartition(".")[2]
    return next((doc for c in owner.__mro__[1:] if member in vars(c) and (doc := vars(c)[member].__doc__)), "") if owner else ""


@functools.cache
def everything():
    """(name, class that has it or None, object) of everything public, each object once."""
    with mock(["torch"]):       # what modules of PyTorch have from it is not looked at
        return list(public())


def public():
    seen = set()
    for short in MODULES:
        module = importlib.import_module(f"lstmc.{short}".rstrip("."))
        for name in getattr(module, "__all__", dir(module)):
            thing = getattr(module, name)
            if name.startswith("_") or not callable(thing) or id(thing) in seen:
                continue
            seen.add(id(thing))
            yield f"{module.__name__}.{name}", None, thing
            for owner in thing.__mro__ if inspect.isclass(thing) else ():
                for member, value in vars(owner).items() if owner.__module__.startswith("lstmc") else ():
                    found = getattr(value, "__func__", value)
                    if not member.startswith("_") and (inspect.isfunction(found) or isinstance(found, property)) and id(found) not in seen:
                        seen.add(id(found))
                        yield f"{owner.__module__}.{owner.__qualname__}.{member}", owner, found


def compiled():
    """(name, function or class) of the compiled modules."""
    for found in pkgutil.iter_modules(importlib.import_module("lstmc.kernels").__path__):
        module = importlib.import_module(f"lstmc.kernels.{found.name}")
        for name, thing in vars(module).items():
            if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__ and callable(thing) and not isinstance(thing, enum.EnumType):
                yield f"{module.__name__}.{name}", thing


def words(validator):
    """The words of a docstring, of those of its class and the classes above, and of those of what all these name in backquotes."""
    classes = validator.owner.__mro__ if validator.owner else validator.obj.__mro__[1:] if inspect.isclass(validator.obj) else ()
    texts = [validator.raw_doc, *(c.__doc__ or "" for c in classes if c.__module__.startswith("lstmc"))]
    texts += [getattr(thing, "__doc__", None) or "" for text in texts for thing in map(named, re.findall(r"`([\w.]+)`", text))]
    return set(re.findall(r"\w+", " ".join(texts)))


@functools.cache
def named(name):
    """The public class or function of that name, with or without its module; None if there is none."""
    return next((thing for full, _, thing in everything() if full.endswith(f".{name.removeprefix('lstmc.')}")), None)


def unexplained(validator):
    """Arguments that a docstring does not explain."""
    found = words(validator)
    return [p for p in validator.signature_parameters if p.lstrip("*") not in found and p != "**arguments"]


def faults():
    count = 0
    for found in everything():
        count += 1
        validator = Public(found)
        for code, text in validate(found, Public)["errors"]:
            if code not in OFF:
                yield f"{found[0]}: {code} {text}"
        if validator.raw_doc and (missing := unexplained(validator)):
            yield f"{found[0]}: does not say what is {', '.join(missing)}"
    for name, thing in compiled():
        count += 1
        if not re.sub(r"^\w+\(.*", "", thing.__doc__ or "").strip():     # below the signature
            yield f"{name}: has no docstring"
    print(f"{count} docstrings")


if __name__ == "__main__":
    found = list(faults())
    print(*found, sep="\n")
    sys.exit(bool(found))
