"""The command line, `python -m lstmc COMMAND`: what it accepts. Each command is a module with `run(options)`.

A command's module is imported when the command runs, so that `info` works where a command's own imports would not.
"""

import argparse
import importlib

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
        prog="python -m lstmc", description="LSTM networks on CPUs: what this installation is, and a demonstration.",
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
    return top


def at_least(low, high=2**63 - 1):
    """An argparse type: whole numbers from `low` to `high`."""

    def whole_number(text):
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected {low} to {high}, received {text}")
        return value

    whole_number.__name__ = "whole number"      # argparse puts it into "invalid ... value"
    return whole_number
