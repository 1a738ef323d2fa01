"""Scores sequences of unequal lengths, from a Parquet file into another, by the workers of an engine.

A table of 20,000 sequences is written to begin with: lists of steps, each a list of four features. Row groups are read one after the other,
scored by processes of this machine, Dask, Ray or Spark, and written in their order, so that memory holds a few of them, however large
the file. At the end some rows are compared with what the model alone predicts: they are the same, bit for bit.

    python -m pip install pyarrow "lstmc[dask]"        # or lstmc[ray], lstmc[spark], which needs Java; processes need lstmc alone
    python examples/score_parquet.py dask
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import lstmc
from lstmc.distributed import predict
from lstmc.layers import LSTM, Dense, Input, Masking

FEATURES = 4


def sequences(column: pa.ChunkedArray) -> list[np.ndarray]:
    """A column of lists of lists as arrays (T_i, FEATURES), without a copy of its numbers."""
    chunk = column.combine_chunks()
    steps = chunk.offsets.to_numpy() - chunk.offsets[0].as_py()
    values = chunk.flatten().flatten().to_numpy().reshape(-1, FEATURES)
    return [values[a:b] for a, b in pairwise(steps)]


def write_some(path: Path, count: int) -> None:
    """A table to be scored."""
    rng = np.random.default_rng(0)
    table = {"id": np.arange(count), "x": [rng.normal(size=(n, FEATURES)).tolist() for n in rng.integers(1, 30, count)]}
    kind = pa.schema({"id": pa.int64(), "x": pa.list_(pa.list_(pa.float32()))})
    pq.write_table(pa.table(table, schema=kind), path, row_group_size=max(count // 10, 1))


def main(engine: str = "processes", count: int = 20000, workers: int = 2, folder: str = ".") -> tuple[int, int, int]:
    """How many rows were scored, and how many of some are what the model alone says."""
    source, target = Path(folder) / "sequences.parquet", Path(folder) / "scores.parquet"
    write_some(source, count)
    lstmc.utils.set_random_seed(0)
    model = lstmc.Sequential([Input((None, FEATURES)), Masking(), LSTM(32), Dense(1, activation="sigmoid")])

    file = pq.ParquetFile(source)
    groups = (sequences(file.read_row_group(n, ["x"])["x"]) for n in range(file.num_row_groups))
    ids = (file.read_row_group(n, ["id"])["id"] for n in range(file.num_row_groups))
    with pq.ParquetWriter(target, pa.schema({"id": pa.int64(), "score": pa.float32()})) as out:
        for some, scores in zip(ids, predict(model, groups, engine, workers=workers, verbose=0), strict=True):
            out.write_table(pa.table({"id": some.combine_chunks(), "score": scores[:, 0]}))

    scored, first = pq.read_table(target), sequences(file.read_row_group(0, ["x"])["x"])
    same = int((scored["score"].to_numpy()[:len(first)] == model.predict(first, verbose=0)[:, 0]).sum())
    print(f"{engine}: {len(scored)} rows scored; of the first {len(first)}, {same} are what the model alone says")
    return len(scored), len(first), same


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "processes")
