"""Other libraries that run recurrent networks on CPUs: which there are, and how they are held to lesser instructions.

A module here has one class or more with `use(threads)`, which imports the library, sets the threads and returns what a
reader must know about it in one line, and is itself a Contender on a case. Libraries are imported nowhere else, and by the
benchmark only in a process of their own (`worker`).
"""

from typing import NamedTuple

from lstmc.bench import worker

NAMES = {
    "torch": "lstmc.bench.peers.torch:Torch",
    "onnxruntime": "lstmc.bench.peers.onnx:OnnxRuntime",
    "openvino": "lstmc.bench.peers.onnx:OpenVino",
    "jax": "lstmc.bench.peers.jax:Jax",
    "keras": "lstmc.bench.peers.keras:Keras",
}
QUICK = ("torch", "onnxruntime", "openvino")        # those that need no compilation per case

# Instruction set -> peer -> the variables that hold it there: oneDNN, ATen and, of products on processors of Intel, MKL have one each. onnxruntime,
# openvino and keras have no such switch that is known to work.
HELD = {"avx2": {
    "torch": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "jax": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
}}


class Peer(NamedTuple):
    """A library imported into this process: `side(case)` is a Contender."""

    name: str
    about: str
    side: type


def find(names, threads):
    """The peers of these names, imported here, and why each other cannot be. For tests: the benchmark asks a process of each.

    Returns
    -------
    list of Peer
    dict
        Name -> reason.
    """
    found, missing = [], {}
    for name in names:
        try:
            side = worker.load(NAMES[name])
            found.append(Peer(name, side.use(threads), side))
        except ImportError as error:
            missing[name] = worker.reason(error)
    return found, missing
