"""The table of operators, filled by the modules that have them: importing them is what puts their operators there."""

from lstmc.interchange.onnx import elementwise, moves, products
from lstmc.interchange.onnx.node import OPERATORS

MODULES = (elementwise, moves, products)

__all__ = ["MODULES", "OPERATORS"]
