# Made by tests/typing/make_stubs.py
from typing import Any

def forward(weights: list[Any], schedule: Any, x: Any, y: Any, state: tuple[Any, ...], final: tuple[Any, ...], options: Any, train: bool = ..., threads: Any = ..., chunk: Any = ..., direction0: int = ..., forced: dict[str, Any] | None = ...) -> Any: ...
