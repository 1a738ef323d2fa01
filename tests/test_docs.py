"""The pages: each Python block that needs no other engine runs as written; the others run in tests/parity. Every page is linked, every picture is there."""

import re

import pytest

import docs_blocks

pytestmark = pytest.mark.once
BLOCKS = docs_blocks.blocks(False)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_runs_as_written(name, tmp_path, monkeypatch):
    docs_blocks.run(name, BLOCKS[name], tmp_path, monkeypatch)


def test_pages_and_pictures_are_there():
    pages = {p.stem: p.read_text(encoding="utf-8") for p in docs_blocks.PAGES.glob("*.md")}
    assert set(re.findall(r"^\w+$", pages["index"].split("{toctree}")[1], re.M)) == set(pages) - {"index"}
    for text in pages.values():
        for picture in re.findall(r"\{image\} (\S+)", text):
            assert (docs_blocks.PAGES / picture).exists()


def test_code_is_as_wide_as_a_page():
    lines = [line for p in docs_blocks.PAGES.rglob("*.md") for block in re.findall(r"^```.*?^```$", p.read_text(encoding="utf-8"), re.M | re.S)
             for line in block.splitlines() if not line.startswith(":alt:")]
    assert len(lines) > 300
    assert [line for line in lines if len(line) > 90] == []
