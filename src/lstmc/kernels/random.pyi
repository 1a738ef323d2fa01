# Made by tests/typing/make_stubs.py
from typing import Any
from enum import IntEnum

class Purpose(IntEnum):
    DROPOUT = 0
    LAYER = 1
    ZONEOUT_H = 2
    ZONEOUT_C = 3
    NOISE = 4
    INPUT = 16
    RECURRENT = 32
def derived_key(seed: int, step: int, layer: int, purpose: int) -> Any: ...
def keep_mask(out: Any, p: float, seed: int, step: int, layer: int, purpose: int, threads: Any = ..., first: int = ...) -> Any: ...
def words(out: Any, seed: int, step: int, layer: int, purpose: int, threads: Any = ..., first: int = ...) -> Any: ...
