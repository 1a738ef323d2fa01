"""The README: every Python block runs as written, in a fresh namespace and an empty folder, and the commands are those that CI runs."""

import re
from importlib.metadata import metadata
from pathlib import Path

import pytest

from lstmc.cli import info

README = Path(__file__).parents[1] / "README.md"
# Outside the source tree, the installed package carries the text as its description.
TEXT = README.read_text(encoding="utf-8") if README.exists() else metadata("lstmc").get_payload()
# The one that needs torch runs in parity/test_torch_swapping.py.
BLOCKS = [block for block in re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S) if "lstmc.torch" not in block]


def test_there_is_an_example_for_each_face():
    assert len(BLOCKS) >= 2
    assert any("nn.LSTM(" in block for block in BLOCKS)
    assert any("lstmc.Sequential(" in block for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block{n}{'-sklearn' * ('lstmc.sklearn' in block)}" for n, block in enumerate(BLOCKS, 1)])
def test_a_block_runs_as_written(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    exec(compile(block, "README.md", "exec"), names)
    assert {"lstm", "model"} & names.keys()


@pytest.mark.parametrize("command", ["python -m pip install . && python -m lstmc demo", 'python -m pip install -e ".[test]" && python -m pytest'])
def test_the_two_commands_stand_alone_in_a_block(command):
    assert f"```sh\n{command}\n```" in TEXT


def test_the_settings_that_info_prints_are_explained():
    table = re.findall(r"^\| `(\w+)` \|", TEXT, re.M)
    assert set(info.ENVIRONMENT) <= set(table)
