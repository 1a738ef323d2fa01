"""Writes the stubs (.pyi) of the public modules and of the compiled ones, from what the modules are: `python tests/typing/make_stubs.py`.

Names, arguments and defaults are those of the running package, so that stubs cannot differ from it: `tests/test_typing.py` makes them again and
compares. What a type is comes from `stub_types.py`, else from the default; a function without `return` returns None. Anything else is Any.
"""

import ast
import importlib
import importlib.util
import inspect
import itertools
import pkgutil
import re
import sys
import textwrap
from pathlib import Path

from compiled_stubs import of_compiled
from stub_types import ALIASES, ARGUMENTS, ARRAY, ATTRIBUTES, DUNDERS, INITIALIZER, INSIDE, PLAIN, RETURNS

import lstmc

ROOT = Path(lstmc.__file__).parent
# In the order in which a name is looked for: the first that shows an object defines it, the others import it.
PUBLIC = ("activations", "initializers", "regularizers", "nn", "layers", "losses", "metrics", "optimizers.schedules", "optimizers", "callbacks", "utils",
          "training", "models", "datasets", "distributed", "sklearn", "torch", "")

FAMILIES = {"layers": "Layer", "optimizers": "Optimizer"}
SHARED = "_Arguments"       # of a family
HEAD = "# Made by tests/typing/make_stubs.py\n"


def module_name(short):
    return f"lstmc.{short}".rstrip(".")


def public(short):
    """name -> object that a module shows, without the modules it shows."""
    module = importlib.import_module(module_name(short))
    shown = module.__all__ if short else dir(module)
    found = {name: getattr(module, name) for name in (n for n in shown if n == "__version__" or not n.startswith("_"))}
    return {name: thing for name, thing in found.items() if not inspect.ismodule(thing)}


def exists(short):
    """Whether there is such a module, with all that it needs."""
    try:
        importlib.import_module(module_name(short))
    except ImportError:
        return False
    return True


class Stub:
    """The text of one module's stub."""

    def __init__(self, short, homes, inside):
        self.short, self.homes, self.inside = short, homes, inside

    def text(self):
        parts, imports = [], []
        inside = {name: c for c, (short, name) in self.inside.items() if short == self.short}
        for name, thing in sorted({**public(self.short), **inside}.items()):
            home = self.home(thing)
            if home is not None and home[0] != self.short:
                imports.append(f"from {module_name(home[0])} import {home[1]} as {name}")
            elif home is not None and home[1] != name:
                parts.append(f"{name} = {home[1]}\n")
            elif inspect.isclass(thing):
                parts.append(self.of_class(thing, name))
            elif callable(thing):
                parts.append(self.of_function(thing, name, f"{self.short}.{name}"))
            else:
                parts.append(f"{name}: {type(thing).__name__ if type(thing) in (str, int, float, bool) else 'Any'}\n")
        if self.short in FAMILIES:
            fields = "".join(f"    {p.name}: {self.type_of(p, '__init__')}\n" for p in shared(self.short))
            parts.insert(0, f"class {SHARED}(TypedDict, total=False):\n{fields}")
        if self.short == "":
            imports += [f"from lstmc import {name} as {name}" for name in dir(lstmc) if inspect.ismodule(getattr(lstmc, name))]
            imports += [f"from lstmc import {name} as {name}" for name in lstmc._OPTIONAL]
        if "schedules" in dir(importlib.import_module(module_name(self.short))):
            imports.append("from lstmc.optimizers import schedules as schedules")
        return with_imports("\n".join(parts) if self.short else "".join(parts), imports, self.short)

    def home(self, thing):
        """(module, name) that defines an object."""
        return self.homes.get(id(thing)) or (self.inside.get(thing) if inspect.isclass(thing) else None)

    def of_class(self, cls, name):
        base = next((c for c in cls.__mro__[1:-1] if self.home(c) and (c not in self.inside or c in above(cls))), None)
        own = cls.__mro__[:cls.__mro__.index(base)] if base else cls.__mro__[:-1]
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            head = f"class {name}(NamedTuple):\n"
            body = [f"{field}: {ARRAY if 'ndarray' in str(kind) else 'Any'}\n" for field, kind in inspect.get_annotations(cls).items()]
            own = (cls,)
        else:
            builtin = next((c.__name__ for c in cls.__mro__[1:] if c.__module__ == "builtins" and c is not object), "")
            where = self.home(base) if base else None
            if any(c.__module__.partition(".")[0] in ("sklearn", "torch") for c in cls.__mro__):
                builtin = "Any"     # who reads the stub need not have them
            text = builtin if not where else where[1] if where[0] == self.short else f"{module_name(where[0])}.{where[1]}"
            head, body = f"class {name}({text}):\n" if text else f"class {name}:\n", self.attributes(own, name, base)
        members = {}
        for c in own:
            if c.__module__.startswith("lstmc"):
                for member, value in vars(c).items():
                    if member not in INSIDE and (member in DUNDERS or not member.startswith("_")) and not (hasattr(cls, "_fields") and member in cls._fields):
                        members.setdefault(member, value)
        for member, value in members.items():
            if isinstance(value, property):
                kind = look(ATTRIBUTES, f"{name}.{member}", member) or "Any"
                if not (base and isinstance(inspect.getattr_static(base, member, None), property)):
                    body.append(f"@property\ndef {member}(self) -> {kind}: ...\n" + (
                        f"@{member}.setter\ndef {member}(self, value: {kind}) -> None: ...\n" if value.fset else ""))
            elif inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod)):
                f = value if inspect.isfunction(value) else value.__func__
                inherited = getattr(base, member, None) if base else None
                if member != "__init__" and inherited is not None and same_arguments(f, inherited):
                    continue
                mark = "" if inspect.isfunction(value) else f"@{type(value).__name__}\n"
                line = self.of_function(f, member, f"{name}.{member}", cls if member == "__init__" else None)
                ignore = "" if member == "__init__" or inherited is None or fits(f, inherited) else "  # type: ignore[override]"
                body.append(f"{mark}{line.rstrip()}{ignore}\n")
        return head + textwrap.indent("".join(body) or "...\n", "    ")

    def attributes(self, own, name, base):
        """Lines for what the classes set in `__init__`."""
        found, types = {}, {}
        for c in own:
            for f in makers(c):
                types |= {p.name: self.type_of(p, f"{name}.__init__") for p in list(inspect.signature(f).parameters.values())[1:] if p.name not in types}
            found |= dict.fromkeys(attributes_of(c))
        known = {attribute for c in (base.__mro__ if base else ()) for attribute in attributes_of(c)}
        lines = []
        for attribute in found:
            inside = any(isinstance(vars(c).get(attribute), property) or inspect.isfunction(vars(c).get(attribute)) for c in own)
            if not inside and attribute not in known and attribute not in INSIDE:
                given = types[attribute] if types.get(attribute) in PLAIN else "Any"
                lines.append(f"{attribute}: {look(ATTRIBUTES, f'{name}.{attribute}', f'{self.short}.{attribute}', attribute) or given}\n")
        return lines

    def of_function(self, f, name, where, cls=None):
        arguments = [p.replace(name=p.name) for p in inspect.signature(f).parameters.values()]
        if cls is not None:
            arguments = expanded(cls, arguments)
        elif name == "compile":
            arguments = arguments[:-1] + unsupported(importlib.import_module("lstmc.training.step").COMPILE_UNSUPPORTED)
        texts, star = [], False
        for n, p in enumerate(arguments):
            if p.kind is p.KEYWORD_ONLY and not star:
                texts.append("*")
                star = True
            star = star or p.kind is p.VAR_POSITIONAL
            mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
            plain = n == 0 and p.name in ("self", "cls")
            default = "" if p.default is p.empty else f" = {p.default!r}" if type(p.default) in (int, float, bool, str, type(None)) else " = ..."
            kind = self.type_of(p, where) if p.annotation is p.empty else p.annotation
            texts.append(f"{mark}{p.name}" + ("" if plain else f": {kind}") + default)
            if p.kind is p.POSITIONAL_ONLY and (n + 1 == len(arguments) or arguments[n + 1].kind is not p.POSITIONAL_ONLY):
                texts.append("/")
        return f"def {name}({', '.join(texts)}) -> {self.returned(f, name, where)}: ...\n"

    def type_of(self, p, where):
        kind = look(ARGUMENTS, f"{where}.{p.name}", f"{where.rpartition('.')[2]}.{p.name}", f"{self.short}.{p.name}", p.name)
        if kind is None and p.name.endswith("_initializer"):
            kind = INITIALIZER
        if kind is None:
            kind = {bool: "bool", int: "int", float: "float", str: "str"}.get(type(p.default), "Any")
        return f"{kind} | None" if p.default is None and kind != "Any" and "None" not in kind else kind

    def returned(self, f, name, where):
        return "None" if name == "__init__" else look(RETURNS, where, f"{self.short}.{name}", name) or ("None" if returns_nothing(f) else "Any")


def above(cls):
    """The classes above one, as long as each has one."""
    while len(cls.__bases__) == 1 and cls.__bases__[0] is not object:
        cls = cls.__bases__[0]
        yield cls


def bases(homes):
    """class -> (module, _Name) of those that are not public, but above several public ones of a module: the stub has what they share once."""
    found = {}
    for short in PUBLIC:
        if exists(short):
            for cls in public(short).values():
                if inspect.isclass(cls) and homes[id(cls)][0] == short:
                    for c in itertools.takewhile(lambda c: id(c) not in homes and c.__module__.startswith("lstmc"), above(cls)):
                        found.setdefault((c, short), set()).add(cls)
    return {c: (short, f"_{c.__name__.lstrip('_')}") for (c, short), below in found.items() if len(below) > 1}


def look(table, *keys):
    return next((table[k] for k in keys if k in table), None)


def tree(f):
    return ast.parse(textwrap.dedent(inspect.getsource(f))).body[0]


def assigned(f):
    """Names of the attributes of self that a method sets, in order."""
    found = {}
    for node in ast.walk(tree(f)):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            for t in target.elts if isinstance(target, ast.Tuple) else (target,):
                if isinstance(t, ast.Attribute) and isinstance(t.value, ast.Name) and t.value.id == "self":
                    found[t.attr] = None
    return list(found)


def makers(c):
    """The methods of a class that set attributes when an object is made."""
    return [f for f in map(vars(c).get, ("__init__", "_set_up")) if inspect.isfunction(f) and c.__module__.startswith("lstmc")]


def attributes_of(c):
    """Names of what a class and its `makers` set."""
    if not c.__module__.startswith("lstmc"):
        return []
    plain = [n for n, v in vars(c).items() if v is None or isinstance(v, (str, bool, int, float))]
    return list(dict.fromkeys(n for n in [*plain, *(n for f in makers(c) for n in assigned(f))] if not n.startswith("_")))


def returns_nothing(f):
    """Whether a function has no value to return, and is not there to be overridden."""
    if not inspect.isfunction(f):
        return False
    node = tree(f)
    if isinstance(node, ast.FunctionDef) and isinstance(node.body[-1], ast.Raise):
        return False
    return not any(isinstance(n, (ast.Yield, ast.YieldFrom)) or (isinstance(n, ast.Return) and n.value is not None) for n in ast.walk(node))


def same_arguments(f, g):
    try:
        mine, theirs = ([(p.name, p.kind) for p in inspect.signature(m).parameters.values()] for m in (f, g))
        return mine == theirs
    except (TypeError, ValueError):
        return False


def fits(f, g):
    """Whether a method can be called as the one that it overrides."""
    mine, theirs = (list(inspect.signature(m).parameters.values()) for m in (f, g))
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = [p for p in theirs if p.kind not in several]
    return ({p.kind for p in theirs if p.kind in several} <= {p.kind for p in mine} and [p.name for p in mine[:len(named)]] == [p.name for p in named]
            and all(p.default is not p.empty or p.kind in several for p in mine[len(named):]))


def unsupported(table):
    """Arguments of Keras that are taken at their defaults."""
    return [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=Ellipsis) for name in table]


def shared(family):
    """The arguments that every class of a family passes on, without those that constructors name."""
    base = importlib.import_module(f"lstmc.{family}.base")
    cls = getattr(base, FAMILIES[family])
    own = [p for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY and p.name != "name"]
    return own + unsupported({**getattr(base, "COMMON", {}), **getattr(cls, "unsupported", {})})


def expanded(cls, arguments):
    """The arguments of a class, with those that it passes on to the classes above in place of **arguments; of a family, a dict, if it names none."""
    if not arguments or arguments[-1].kind is not inspect.Parameter.VAR_KEYWORD:
        return arguments
    hooks = getattr(sys.modules[cls.__module__], "HOOKS", None)
    if arguments[-1].name == "hooks" and hooks:
        return arguments[:-1] + unsupported(hooks)
    found = {p.name: p for p in arguments[:-1]}
    for c in cls.__mro__[1:-1]:
        if "__init__" in vars(c) and c.__module__.startswith("lstmc"):
            parameters = list(inspect.signature(c.__init__).parameters.values())[1:]
            for p in parameters:
                if p.kind is not p.VAR_KEYWORD and p.default is not p.empty:
                    found.setdefault(p.name, p.replace(kind=p.KEYWORD_ONLY))
            if parameters[-1].kind is not inspect.Parameter.VAR_KEYWORD:
                break
    for p in unsupported({**getattr(sys.modules.get("lstmc.layers.base"), "COMMON", {}), **getattr(cls, "unsupported", {})}
                         if issubclass(cls, importlib.import_module("lstmc.layers").Layer) else getattr(cls, "unsupported", {})):
        found.setdefault(p.name, p)
    family = next((f for f, base in FAMILIES.items() if any(c.__module__ == f"lstmc.{f}.base" and c.__name__ == base for c in cls.__mro__)), None)
    names = {p.name for p in shared(family)} if family else found.keys() | {None}
    if names <= found.keys() and not names & {p.name for p in arguments}:
        kind = inspect.Parameter.VAR_KEYWORD
        return [p for p in found.values() if p.name not in names] + [inspect.Parameter("arguments", kind, annotation=f"Unpack[{SHARED}]")]
    return list(found.values())


def with_imports(body, more, short):
    """A stub's text with the imports that it needs before it."""
    own = module_name(short)
    body = re.sub(rf"\b{re.escape(own)}\.(?=[A-Z])", "", body) if short else body
    for name, kind in ALIASES.items():
        kind = kind.replace(f"{module_name(short)}.", "")
        if body.count(f": {kind}") > 4:
            body = re.sub(rf": {re.escape(kind)}(?=[,) \n])", f": {name}", body)
            body = f"{name}: TypeAlias = {kind}\n{body}"
    lines = ["import os"] if "os." in body else []
    abc = [name for name in ("Callable", "Iterable", "Iterator", "Mapping", "Sequence") if re.search(rf"\b{name}\b(?! as)", body)]
    lines += [f"from collections.abc import {', '.join(abc)}"] if abc else []
    typing = [name for name in ("Any", "NamedTuple", "Self", "TypeAlias", "TypedDict", "Unpack") if re.search(rf"\b{name}\b", body)]
    lines += [f"from typing import {', '.join(typing)}"] if typing else []
    lines += ["from enum import IntEnum"] if "(IntEnum)" in body else []
    lines += ["from pathlib import Path"] if re.search(r"\bPath\b", body) else []
    lines += ["import numpy as np"] if "np." in body else []
    array = [name for name in ("DTypeLike", "NDArray") if re.search(rf"\b{name}\b", body)]
    lines += [f"from numpy.typing import {', '.join(array)}"] if array else []
    used = sorted({m for m in re.findall(r"\b(lstmc(?:\.[a-z_]+)+)\.[A-Z]", body) if m != own})
    lines += [f"import {m}" for m in used]
    return HEAD + "\n".join([*lines, *joined(more)]) + "\n\n" + body


def joined(imports):
    """Lines 'from a import b as c', those of one module in one."""
    found = {}
    for line in sorted(imports):
        module, _, names = line.partition(" import ")
        found.setdefault(module, []).append(names)
    return [f"{module} import {', '.join(names)}" for module, names in found.items()]


def stubs():
    """path -> text of every stub."""
    there, homes = [short for short in PUBLIC if exists(short)], {}
    kept = []       # so that no id is used twice
    for short in there:
        for name, thing in sorted(public(short).items(), key=lambda item: item[0] != getattr(item[1], "__name__", "")):
            if callable(thing):
                homes.setdefault(id(thing), (short, name))
                kept.append(thing)
    found, inside = {}, bases(homes)
    for short in there:
        file = Path(sys.modules[module_name(short)].__file__)
        found[file.with_suffix(".pyi")] = Stub(short, homes, inside).text()
    for module in pkgutil.iter_modules([str(ROOT / "kernels")]):
        origin = importlib.util.find_spec(f"lstmc.kernels.{module.name}").origin
        text = "" if origin.endswith(".py") else of_compiled(module.name)
        if text:
            found[ROOT / "kernels" / f"{module.name}.pyi"] = with_imports(text, [], f"kernels.{module.name}")
    return found


def obsolete(wanted):
    """The stubs that are there and not wanted; one of a module that needs what is not installed stays."""
    unknown = {Path(importlib.util.find_spec(module_name(short)).origin).with_suffix(".pyi") for short in PUBLIC
               if not exists(short) and found_spec(module_name(short))}
    return set(ROOT.rglob("*.pyi")) - set(wanted) - unknown


def found_spec(name):
    try:
        return importlib.util.find_spec(name)
    except ImportError:
        return None


if __name__ == "__main__":
    wanted = stubs()
    for path in obsolete(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text)
    print(f"{len(wanted)} stubs, {sum(map(len, wanted.values()))} bytes")
