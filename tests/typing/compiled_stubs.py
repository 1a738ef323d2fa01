"""Stubs of the compiled modules, from the signatures that Cython embeds in docstrings; `make_stubs.py` writes them."""

import enum
import importlib
import inspect
import re
import textwrap

from stub_types import CYTHON


def of_compiled(name):
    """The text of a compiled module's stub without its imports; '' if it shows nothing."""
    module = importlib.import_module(f"lstmc.kernels.{name}")
    parts = []
    for member, thing in sorted(vars(module).items()):
        if member.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if isinstance(thing, enum.EnumMeta):
            parts.append(f"class {member}(IntEnum):\n" + "".join(f"    {value.name} = {value.value}\n" for value in sorted(thing)))
        elif isinstance(thing, type):
            parts.append(f"class {member}:\n    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...\n{textwrap.indent(compiled_members(thing), '    ')}")
        elif callable(thing):
            parts.append(f"def {member}({', '.join(cython_arguments(thing.__doc__ or ''))}) -> Any: ...\n")
    return "".join(parts)


def compiled_members(cls):
    """Lines of a stub for what a compiled class shows."""
    lines = []
    for member, thing in sorted(vars(cls).items()):
        if member.startswith("_"):
            continue
        if inspect.isgetsetdescriptor(thing):
            lines.append(f"@property\ndef {member}(self) -> Any: ...\n")
        elif callable(thing):
            _, *arguments = cython_arguments(thing.__doc__)
            lines.append(f"def {member}({', '.join(['self', *arguments])}) -> Any: ...\n")
    return "".join(lines)


def cython_arguments(doc):
    """Arguments with their types, from the first line of a docstring."""
    found = re.match(r"[\w.]+\((.*?)\)(?: -> \w+)?(?:\n|$)", doc)
    if not found:
        return ["*arguments: Any", "**more: Any"]
    texts = []
    for part in filter(None, (p.strip() for p in re.split(r",(?![^()]*\))", found[1]))):
        head, _, default = part.partition("=")
        kind, _, name = head.strip().rpartition(" ")
        star = re.match(r"\**", name)[0]
        annotation = CYTHON.get(kind, "Any")
        annotation = f"{annotation} | None" if default == "None" and annotation != "Any" and "None" not in annotation else annotation
        texts.append(f"{star}{name.lstrip('*')}: {annotation}" + (" = ..." if default else "") if name else "*")
    return texts
