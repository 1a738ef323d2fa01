"""Writes `programs.npz`: what Keras makes of the programs in `programs.py`, in float64 but where Keras rounds to float32.

To regenerate, from the root of the repository, in an environment that has Keras 3.15, JAX and NumPy::

    python tests/golden/make_programs.py

With names of programs behind it, those alone are made anew.
"""

import os
import sys
from pathlib import Path

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}

import keras
import numpy as np
from programs import PROGRAMS, results


def main():
    keras.config.set_floatx("float64")
    path, chosen = Path(__file__).with_name("programs.npz"), sys.argv[1:] or list(PROGRAMS)
    golden = {key: a for key, a in np.load(path).items() if key.partition("/")[0] not in chosen} if sys.argv[1:] else {}
    golden["keras_version"] = np.array(keras.__version__)
    for name in chosen:
        golden |= {f"{name}/{key}": np.asarray(a) for key, a in results(keras, name).items()}
    np.savez_compressed(path, **golden)
    print(f"{path.name}: {len(PROGRAMS)} programs, {path.stat().st_size} bytes, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
