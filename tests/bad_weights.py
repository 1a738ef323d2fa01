"""A corpus of bad .safetensors files of PyTorch's weights, made from a good one: name -> bytes. Every one must be a FormatError, at once and in little
memory. `damaged` gives some whose bytes were changed at random, with a fixed seed: a few of them are still good.
"""

import json

import numpy as np

from bad_files import WRONG


def table_of(good):
    """(tensor table, data) of a file."""
    n = int.from_bytes(good[:8], "little")
    return json.loads(good[8:8 + n]), good[8 + n:]


def joined(table, data, length=None):
    """A file of these; table may be bytes already. length: what it says of its header."""
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def truncated(good):
    n = int.from_bytes(good[:8], "little") + 8
    for at in [*range(0, n, 37), n - 1, *range(n, len(good), 29), len(good) - 1]:
        yield f"first {at} bytes", good[:at]
    yield "one byte more", good + b"\0"
    yield "twice", good + good
    table, data = table_of(good)
    for length in (0, 1, n - 9, n - 7, len(good), 2**22 + 1, 2**31, 2**63, 2**64 - 1):
        yield f"header of {length}", joined(table, data, length)


def wrong_entries(good):
    table, data = table_of(good)
    for name in ("weight_hh_l0", "bias_ih_l1_reverse"):
        entry, (begin, end) = table[name], table[name]["data_offsets"]
        shape = entry["shape"]
        for key, values in {
            "data_offsets": ([begin + 4, end + 4], [begin, end - 4], [begin - 4, end], [0, end - begin], [end, begin], [begin, 2**63], [-4, end], [begin],
                             [begin, end, end], [], None, {}, [1.5, 2], [begin + 0.0, end + 0.0], [True, end], [begin, 10**30]),
            "shape": ([*shape[::-1], 1], [*shape, 1], shape[:-1], [shape[0], -4], [shape[0], 2**62], [2**31, 2**31], [shape[0], 10**40], [], None, "5",
                      [[5], [4]], [None, 4], [n + 0.0 for n in shape], [shape[0] + 1, *shape[1:]], [0, *shape[1:]]),
            "dtype": ("F64", "F16", "BF16", "I32", "BOOL", "F8_E4M3", "X", "F" * 5000, "", None, 32, ["F32"]),
        }.items():
            for value in values:
                yield f"{name} {key} {str(value)[:40]}", joined({**table, name: {**entry, key: value}}, data)
            yield f"{name} no {key}", joined({**table, name: {k: v for k, v in entry.items() if k != key}}, data)
        for value in WRONG:
            yield f"{name} {str(value)[:30]}", joined(json.dumps({**table, name: value}).encode(), data)
        yield f"{name} more", joined({**table, name: {**entry, "more": 1}}, data)


def wrong_sets(good):
    table, data = table_of(good)
    for name in table:
        yield f"without {name}", joined({n: e for n, e in table.items() if n != name}, data)
        for end in ("_l0", "_l9", "_l-", ""):
            other = name.replace("_l", end, 1)
            if other != name and other not in table:
                yield f"{name} as {other}", joined({other if n == name else n: e for n, e in table.items()}, data)
        for other in (f"{name}_g", f"x{name}", name.upper(), ""):
            yield f"{name} as {other!r}", joined({other if n == name else n: e for n, e in table.items()}, data)
    yield "nothing", joined({}, b"")
    yield "nothing with data", joined({}, data)
    begin = len(data)
    for name, shape in (("weight_hr_l0", [0, 4]), ("weight_hh_l2", [0, 4]), ("weight_ih", [16, 0])):
        yield f"more {name}", joined({**table, name: {"dtype": "F32", "shape": shape, "data_offsets": [begin, begin]}}, data)
    huge = {n: {**e, "shape": [2**20 * s for s in e["shape"]]} for n, e in table.items()}
    yield "huge and consistent", joined(huge, data)
    at, wide = 0, {}
    for n, e in table.items():
        size = 4 * int(np.prod([2**20 * s for s in e["shape"]], dtype=object))
        wide[n] = {**e, "shape": [2**20 * s for s in e["shape"]], "data_offsets": [at, at + size]}
        at += size
    yield "huge with offsets", joined(wide, data)
    small = {n: {**e, "shape": [0 for _ in e["shape"]], "data_offsets": [0, 0]} for n, e in table.items()}
    yield "empty", joined(small, b"")


def odd_texts(good):
    table, data = table_of(good)
    text = json.dumps(table)
    for odd in ("", "{", "[]", "null", "7", '"a"', "[" * 100_000, '{"a":' * 50_000, "\ufeff{}", "NaN", " " * 1000, text[:-1] + "," + text[1:-1] + "}",
                text.replace('"shape":', '"shape": [1], "shape":', 1), text.replace(":", ";"), text + "x", text.replace("4", "4" * 5000, 1)):
        yield f"table {odd[:10]!r} {len(odd)}", joined(odd.encode(), data)
    yield "table of no text", joined(b"\xff" * 100, data)
    yield "no file of this kind", b"PK\x03\x04" + good


def corpus(good):
    found = {}
    for make in (truncated, wrong_entries, wrong_sets, odd_texts):
        for name, content in make(good):
            assert content != good, name
            found[f"{make.__name__}: {name} ({len(found)})"] = content
    return found


def damaged(good, n, seed=0):
    """Copies with some bytes changed, in the table more often than in the data."""
    rng, header = np.random.default_rng(seed), 8 + int.from_bytes(good[:8], "little")
    for _ in range(n):
        content = bytearray(good)
        for at in rng.integers(0, header if rng.random() < 0.8 else len(good), rng.integers(1, 4)):
            content[at] = rng.integers(0, 256) if rng.random() < 0.5 else rng.choice(list(b'0123456789[]{}",:-_lhi'))
        yield bytes(content)
