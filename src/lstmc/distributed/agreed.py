"""What must be the same on all ranks before the first batch, and which of it is not."""

import hashlib
import json
from pathlib import Path

import numpy as np

import lstmc
from lstmc.training.data import values_of


class Disagreement(ValueError):
    """Which all ranks raise: nobody needs to tell the others."""


def check(comm, entries):
    """Raise ValueError on all ranks unless each of the entries, a dict of texts, is the same on all."""
    found = comm.gather(entries)
    wrong = []
    for name in entries:
        values = [e[name] for e in found]
        if len(set(values)) > 1:
            other = next(r for r, v in enumerate(values) if v != values[0])
            wrong.append(f"{name}: {values[0]} on rank 0, {values[other]} on rank {other}")
    if wrong:
        hint = "; call lstmc.utils.set_random_seed(n) with one n on all ranks before the model is made" if any(
            w.startswith(("seeds", "weights")) for w in wrong) else ""
        raise Disagreement(f"distribute: expected the same on all {comm.size} ranks, received different ones: {'; '.join(wrong)}{hint}")


def entries_of(model, data, arguments):
    """The entries of a fit: of its program, model, optimizer, data and arguments."""
    config = model.get_config()
    o, rate = model.optimizer, model.optimizer._learning_rate
    settings = {k: v for k, v in vars(o).items() if isinstance(v, (bool, int, float, str, type(None))) and k != "_learning_rate"}
    return {
        "version of lstmc": lstmc.__version__, "version of NumPy": np.__version__, "code of lstmc": code(),
        "model": digest(json.dumps(without_seeds(config), sort_keys=True)), "dtype": str(model.dtype),
        "seeds": digest([*seeds_in(config), model.shuffle_seed]),
        "loss and metrics": f"{', '.join(type(loss).__name__ for loss in model.losses)} and {', '.join(m.name for m in model.metrics)}",
        "optimizer": f"{type(o).__name__} of rate {rate if isinstance(rate, float) else type(rate).__name__}, {digest(settings)}",
        "weights": digest_of_arrays(model.weights),
        "state of the optimizer": digest_of_arrays(a for slots in o.state for a in slots.values()),
        "step": str(model.step), "training data": described(data[0]), "validation data": described(data[1]),
        "arguments": ", ".join(map(str, arguments)),
    }


def digest(value):
    return hashlib.blake2b(repr(value).encode(), digest_size=6).hexdigest()


def digest_of_arrays(arrays):
    found = hashlib.blake2b(digest_size=6)
    for a in arrays:
        found.update(np.ascontiguousarray(a))
    return found.hexdigest()


def code():
    """The digest of the package's own Python."""
    root = Path(lstmc.__file__).parent
    return digest([(str(p.relative_to(root)), p.read_bytes()) for p in sorted(root.rglob("*.py"))])


def described(data):
    """Shapes and dtypes."""
    if data is None:
        return "none"
    if not hasattr(data, "targets"):
        return "batches"

    def one(a):
        parts = getattr(a, "parts", None)
        a = parts[0] if parts else values_of(getattr(a, "array", a))
        text = f"{a.dtype} {a.shape if not parts else (len(parts), None, *a.shape[1:])}"
        return text if not parts else f"{text} of lengths {digest([len(p) for p in parts])}"

    names = zip(("x", "y", "targets", "sample_weight"), data, strict=True)
    return ", ".join(f"{name} {one(a)}" for name, several in names if name != "targets" for a in several if a is not None)


def without_seeds(thing):
    if isinstance(thing, dict):
        return {k: without_seeds(v) for k, v in thing.items() if k != "seed"}
    return [without_seeds(v) for v in thing] if isinstance(thing, (list, tuple)) else thing


def seeds_in(thing):
    if isinstance(thing, dict):
        return [s for k, v in thing.items() for s in ([v] if k == "seed" else seeds_in(v))]
    return [s for v in thing for s in seeds_in(v)] if isinstance(thing, (list, tuple)) else []
