"""Modules and models as ONNX files: `nn.LSTM(...).to_onnx(path)`, `Sequential(...).to_onnx(path)`.

Reading order: `builder.py` (a graph under construction), `cells.py` (one recurrent node), `modules.py` (modules of `lstmc.nn`); `masks.py` (which
steps count) and `values.py`, `activations.py`, `recurrent.py` and `merging.py`, `layers.py` (layers of `lstmc.layers`), `networks.py` (models).

The file is written once the graph is whole and onnx's checker has accepted it; what ONNX cannot express raises before that, by name. The same
model gives the same bytes.
"""
