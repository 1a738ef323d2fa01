"""A corpus of bad model files, made from a good one: name -> bytes. Every one must be a FormatError, at once and in little memory.

What the checksum would find first is written without one, so that each check is met by itself.
"""

import json
import struct


def parts(good):
    """(tensor table, what `save` says, data) of a file."""
    n = struct.unpack("<Q", good[:8])[0]
    table = json.loads(good[8:8 + n])
    return table, json.loads(table.pop("__metadata__")["lstmc"]), good[8 + n:]


def joined(table, header, data=b"", length=None):
    """A file of these; table and header may be texts already. length: what it says of its header."""
    if not isinstance(header, str):
        header = json.dumps({k: v for k, v in header.items() if k != "checksum"})
    if not isinstance(table, str):
        table = json.dumps({"__metadata__": {"lstmc": header}, **table})
    text = table.encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def truncated(good):
    n = struct.unpack("<Q", good[:8])[0] + 8
    for at in [*range(0, n, 7), n - 1, *range(n, len(good), 97), len(good) - 1]:
        yield f"first {at} bytes", good[:at]
    yield "one byte more", good + b"\0"
    yield "twice", good + good


def wrong_lengths(good):
    table, header, data = parts(good)
    n = len(joined(table, header)) - 8
    for length in (0, 1, n - 1, n + 1, n + len(data), 2**22, 2**22 + 1, 2**31, 2**32 + n, 2**63 - 1, 2**63, 2**64 - 1):
        yield f"length {length - n:+} of its header", joined(table, header, data, length)
    yield "more header than is read", joined(table, {**header, "more": "a" * 2**22}, data)


def wrong_tables(good):
    table, header, data = parts(good)
    name = "dense/kernel"
    entry = table[name]
    begin, end = entry["data_offsets"]
    for key, values in {
        "data_offsets": ([begin + 4, end + 4], [begin, end - 4], [begin - 4, end], [0, end - begin], [end, begin], [begin, 2**63], [-4, end],
                         [begin, 10**30], [begin], [], None, {}, "0", [1.5, 2], [begin + 0.0, end + 0.0], [True, end]),
        "shape": ([4, 5], [20], [5, 4, 1], [5, -4], [5, 2**62], [5, 10**40], [5.0, 4.5], [], None, "5", [[5], [4]], [None, 4]),
        "dtype": ("F64", "F16", "BF16", "I32", "BOOL", "F8_E4M3", "X", "F" * 5000, "", None, 32, ["F32"]),
    }.items():
        for value in values:
            yield f"{key} {str(value)[:40]}", joined({**table, name: {**entry, key: value}}, header, data)
        yield f"no {key}", joined({**table, name: {k: v for k, v in entry.items() if k != key}}, header, data)
    for value in (None, [], "F32", 7, {}):
        yield f"entry {value!r}", joined({**table, name: value}, header, data)
    yield "no tensors", joined({}, header)
    yield "without one", joined({k: v for k, v in table.items() if k != name}, header, data)
    yield "one more", joined({**table, "more": {"dtype": "F32", "shape": [0], "data_offsets": [len(data)] * 2}}, header, data)
    yield "half of an optimizer", joined({k: v for k, v in table.items() if not k.startswith("optimizer/v")}, header, data)
    yield "two names changed", joined({**table, "lstm/bias": table["dense/bias"], "dense/bias": table["lstm/bias"]}, header, data)


def duplicates(good):
    table, header, data = parts(good)
    whole, inner = json.dumps({"__metadata__": {"lstmc": json.dumps(header)}, **table}), json.dumps(header)
    yield "a tensor twice", joined(whole[:-1] + f', "dense/bias": {json.dumps(table["dense/bias"])}}}', header, data)
    yield "metadata twice", joined(whole[:-1] + f', "__metadata__": {json.dumps({"lstmc": inner})}}}', header, data)
    yield "a shape twice", joined(whole.replace('"shape":', '"shape": [1], "shape":', 1), header, data)
    yield "a setting twice", joined(table, inner.replace('"units":', '"units": 1, "units":', 1), data)
    yield "a format twice", joined(table, '{"format": "lstmc.Sequential", ' + inner[1:], data)


def odd_texts(good):
    table, header, data = parts(good)
    for text in ("", "{", "[]", "null", "7", '"a"', "[" * 100_000, '{"a":' * 50_000, "\ufeff{}", "NaN", "{}", " " * 1000):
        yield f"table {text[:10]!r}", joined(text, header, data)
        yield f"header {text[:10]!r}", joined(table, text, data)
    yield "table of UTF-16", struct.pack("<Q", 4) + "{}".encode("utf-16-le") + data
    yield "table of no text", struct.pack("<Q", 100) + b"\xff" * 100 + data
    for value in (None, [], "a", 7, {}, {"lstmc": None}, {"lstmc": []}, {"lstmc": 7}):
        yield f"metadata {value!r}", joined(json.dumps({"__metadata__": value, **table}), header, data)


# Values for every setting of every kind.
WRONG = (None, True, -1, 0, 1.5, 10**18, 10**4000, -(10**30), float("inf"), float("nan"), "", "elephant", "1" * 5000, "f4," * 2000 + "f4", "(" * 500, "\0", [],
         [1], [None], {}, {"class": "Dense", "config": {}}, {"class": {}, "config": []})


def wrong_headers(good):
    table, header, data = parts(good)
    for key in header:
        if key != "checksum":
            yield f"no {key}", joined(table, {k: v for k, v in header.items() if k != key}, data)
            for value in WRONG:
                if not (key == "name" and isinstance(value, str)) and not (key == "compile" and value is None):
                    yield f"{key} {str(value)[:20]!r}", joined(table, {**header, key: value}, data)
    for shape in ([None, 6, "a"], [None, "a", 3], [None, 1.5, 3], [None, -6, 3], [True, 6, 3], [None, 6, 10**30], [None] * 1000, [[], 6, 3], [None, 6]):
        yield f"input_shape {str(shape)[:30]}", joined(table, {**header, "input_shape": shape}, data)
    for n in (1001, 20_000):
        yield f"{n} layers", joined(table, {**header, "layers": [{"class": "Dense", "config": {"units": 1, "name": f"d{i}"}} for i in range(n)]}, data)
    dense = header["layers"][-1]
    for layer in ({**dense, "class": "Exec"}, {**dense, "class": ["Dense"]}, {**dense, "class": "Layer"}, {**dense, "class": None}, {"class": "Dense"},
                  {"config": dense["config"]}, {**dense, "config": None}, {**dense, "config": []}, [], None, "Dense",
                  {"class": "Bidirectional", "config": {"layer": dense["config"]}}, {"class": "Bidirectional", "config": {"layer": None}},
                  {"class": "Bidirectional", "config": {"layer": {"units": 4, "dtype": "1" * 5000}}}):
        yield f"last layer {str(layer)[:60]}", joined(table, {**header, "layers": [*header["layers"][:-1], layer]}, data)


def wrong_settings(good):
    """Every setting of the layers and of compile, one at a time, that changes what weights there must be or is none."""
    table, header, data = parts(good)

    def changed(at, key, value):
        found = json.loads(json.dumps(header))
        place = found
        for step in at:
            place = place[step]
        place[key] = value
        return joined(table, found, data)

    layers = {("layers", 1, "config"): ("units", "use_bias", "dtype", "return_sequences", "kernel_initializer", "name", "seed"),
              ("layers", 2, "config"): ("units", "activation", "use_bias", "bias_initializer", "dtype"),
              ("compile",): ("optimizer", "loss", "metrics", "step", "passes", "iterations", "shuffle_seed"),
              ("compile", "optimizer"): ("class", "config"),
              ("compile", "optimizer", "config"): ("learning_rate", "beta_1", "epsilon", "clipnorm", "weight_decay"),
              ("compile", "loss"): ("class", "config")}
    count, number = (0, 10**18), (0, 1.5, 10**18)
    right = {"use_bias": (True,), "return_sequences": (True,), "name": (None,), "seed": (None, *count), "dtype": (None,), "activation": (None,),
             "loss": (None,), "metrics": ([],), "config": ({},), "step": count, "passes": count, "iterations": count, "shuffle_seed": count,
             "learning_rate": number, "epsilon": number, "beta_1": (0,), "clipnorm": (None, 1.5, 10**18), "weight_decay": (None, *number)}
    for at, keys in layers.items():
        for key in keys:
            for value in WRONG:
                if not any(value is r or (type(value) is type(r) and value == r) for r in right.get(key, ())):
                    yield f"{'/'.join(map(str, at))}/{key} {str(value)[:20]!r}", changed(at, key, value)
    for value in ("nope", 5, None, [], {"class": "MeanSquaredError", "config": {"name": 5}}, {"class": "MeanOf", "config": {}}):
        yield f"metric {value!r}", changed(("compile",), "metrics", [value])
    for key in ("forward", "units_", "__class__", "self", "module", "weights"):
        yield f"a setting {key}", changed(("layers", 2, "config"), key, 1)


def corpus(good):
    """name -> bytes of all."""
    found = {}
    for make in (truncated, wrong_lengths, wrong_tables, duplicates, odd_texts, wrong_headers, wrong_settings):
        for name, content in make(good):
            assert content != good, name
            found[f"{make.__name__}: {name} ({len(found)})"] = content
    return found
