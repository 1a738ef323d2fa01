"""The command line, `python -m lstmc COMMAND`: what it accepts. Each command is a module with `run(options)`.

A command's module is imported when the command runs, so that `info` works where a command's own imports would not.
"""

import argparse
import importlib
from pathlib import Path

from lstmc._version import __version__


def main(arguments=None):
    """Run one command and return the exit status; wrong arguments end the process with status 2, as argparse does it."""
    options = parser().parse_args(arguments)
    try:
        return importlib.import_module(f"lstmc.cli.{options.command}").run(options) or 0
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130


def parser():
    """The argparse parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="python -m lstmc", description="recurrent networks on CPUs: what this installation is, a demonstration, and how fast it is.",
        epilog="The environment variables LSTMC_ISA and LSTMC_NUM_THREADS choose instruction set and threads.")
    top.add_argument("--version", action="version", version=f"lstmc {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    info = commands.add_parser(
        "info", help="print version, instruction set, threads, processor and memory",
        description="Print what was built, what is in use and what the machine offers. Worth pasting into a bug report.")
    info.add_argument("--json", action="store_true", help="print one JSON object instead of a table")

    demo = commands.add_parser(
        "demo", help="train an LSTM on real speech, which takes seconds",
        description="Train a bidirectional LSTM to tell nine speakers apart by how they say /ae/ (Japanese Vowels, part of the package), "
                    "and test it on recordings it has not seen.")
    demo.add_argument("--seed", type=at_least(0), default=0, metavar="N",
                      help="seed of weights, shuffling, dropout and jitter (default: %(default)s); the same seed gives the same result")
    demo.add_argument("--seeds", type=at_least(1), default=1, metavar="N",
                      help="train N times, with seeds from --seed on, and print the median (default: %(default)s)")
    demo.add_argument("--epochs", type=at_least(1), default=60, metavar="N",
                      help="passes over the training part (default: %(default)s, for which the schedule was chosen)")
    demo.add_argument("--threads", type=at_least(1, 1024), default=None, metavar="N",
                      help="threads (default: LSTMC_NUM_THREADS if set, else 1); the result does not depend on it, and batches this "
                           "small gain little")

    bench = commands.add_parser(
        "bench", help="measure speed against the machine's limits and other libraries",
        description="Time LSTMs, GRUs and RNNs of many shapes, each verified first, against what the machine could reach and against those of torch, "
                    "onnxruntime, openvino, jax and keras that are installed. Run it on a machine that does nothing else.",
        epilog='pip install "lstmc[bench]" installs torch, onnxruntime, openvino and what --plot needs.')
    bench.add_argument("--quick", action="store_true", help="a short list of cases and peers, under a minute")
    bench.add_argument("--filter", default="", metavar="TEXT", help="only cases whose name contains TEXT, such as train-T100 or H64")
    bench.add_argument("--threads", type=at_least(1, 1024), default=None, metavar="N", help="threads of everyone (default: those lstmc uses)")
    bench.add_argument("--rounds", type=at_least(1, 1000), default=None, metavar="N", help="turns that each contender gets (default: 7, with --quick 5)")
    bench.add_argument("--peers", type=peer_list, default=None, metavar="LIST",
                       help=f"other libraries, separated by commas, or none (default: those installed of {','.join(PEERS)}; "
                            "with --quick not jax and keras)")
    bench.add_argument("--isa-peers", choices=["avx2"], default=None, metavar="ISA",
                       help="avx2: peers that can be held to AVX2 take part once more, held, and are compared with lstmc on AVX2")
    bench.add_argument("--crowded", type=at_least(0, 1024), default=0, metavar="N",
                       help="beside N busy processes, in long blocks and with means; lstmc takes part on one thread as well")
    bench.add_argument("--json", type=writable, default=None, metavar="FILE", help="write everything measured, each round included")
    bench.add_argument("--plot", type=picture, default=None, metavar="FILE", help="draw a roofline, as .png, .svg or .pdf; needs matplotlib")
    bench.add_argument("--compare", type=readable, nargs=2, default=None, metavar=("OLD", "NEW"),
                       help="measure nothing; compare two files of --json, and exit with 1 if a case has become slower")
    bench.add_argument("--tolerance", type=fraction, default=0.1, metavar="X",
                       help="of --compare: how much slower a case may be, beyond the noise (default: %(default)s)")
    bench.add_argument("--force", action="store_true", help="of --compare: compare files of different machines or settings all the same")
    return top


PEERS = ("torch", "onnxruntime", "openvino", "jax", "keras")
PICTURES = (".png", ".svg", ".pdf")


def peer_list(text):
    """An argparse type: "torch,jax" or "none"."""
    names = [] if text == "none" else [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in PEERS]:
        raise argparse.ArgumentTypeError(f"expected names out of {', '.join(PEERS)}, or none, received {unknown[0]!r}")
    return list(dict.fromkeys(names))


def writable(text):
    """An argparse type: the path of a file in a folder that exists."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file in a folder that exists, received {text}")
    return path


def picture(text):
    """An argparse type: the path of a picture in a folder that exists."""
    if Path(text).suffix not in PICTURES:
        raise argparse.ArgumentTypeError(f"expected a name that ends in {', '.join(PICTURES)}, received {text}")
    return writable(text)


def readable(text):
    """An argparse type: the path of a file that exists."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"expected a file that exists, received {text}")
    return Path(text)


def fraction(text):
    """An argparse type: a number from 0 to 10."""
    value = float(text)
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError(f"expected 0 to 10, received {text}")
    return value


fraction.__name__ = "number"


def at_least(low, high=2**63 - 1):
    """An argparse type: whole numbers from `low` to `high`."""

    def whole_number(text):
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected {low} to {high}, received {text}")
        return value

    whole_number.__name__ = "whole number"      # argparse puts it into "invalid ... value"
    return whole_number
