"""lstmc: recurrent networks on CPUs.

`lstmc.nn` is PyTorch's layers on NumPy arrays; `lstmc.layers` and `lstmc.Sequential` are Keras's model.
Importing the package starts no thread and needs NumPy alone.
"""

from lstmc import names
from lstmc._version import __version__
from lstmc.errors import FormatError
from lstmc.runtime import build_info, get_num_threads, set_num_threads, threads

# Imported at first use, so that `import lstmc` stays quick: name -> its module, or the module it is in.
_LAZY = {name: f"lstmc.{name}" for name in ("activations", "callbacks", "datasets", "distributed", "initializers", "layers", "losses", "metrics", "models",
                                            "nn", "optimizers", "reference", "regularizers", "training", "utils")}
_LAZY |= {"Input": "lstmc.layers", "Model": "lstmc.training", "Sequential": "lstmc.training", "load": "lstmc.training"}
_LAZY |= {"from_keras": "lstmc.interchange.keras", "from_onnx": "lstmc.interchange.onnx", "from_torch": "lstmc.interchange.from_torch"}
# Not shown by dir(): what looks at every name there shall not need an optional package.
_OPTIONAL = {"sklearn": "lstmc.sklearn", "torch": "lstmc.torch"}

__all__ = ["FormatError", "Input", "Model", "Sequential", "__version__", "build_info", "from_keras", "from_onnx", "from_torch", "get_num_threads",
           "load", "set_num_threads", "threads"]

__getattr__, __dir__ = names.face(__name__, {*__all__, *_LAZY}, _LAZY | _OPTIONAL)
