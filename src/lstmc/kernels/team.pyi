# Made by tests/typing/make_stubs.py
from typing import Any

def better_alone(long_waits: int, waited: float, seconds: float, n: int) -> Any: ...
