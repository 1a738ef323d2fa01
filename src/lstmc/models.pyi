# Made by tests/typing/make_stubs.py
from lstmc.training import Model as Model, Sequential as Sequential, load as load_model

