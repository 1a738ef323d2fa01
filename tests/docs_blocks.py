"""The Python blocks of docs/*.md, and how one runs: as written, in a fresh namespace and an empty folder."""

import re
import warnings
from pathlib import Path

PAGES = Path(__file__).parents[1] / "docs"
PEERS = re.compile(r"^(?:import|from) (?:torch|keras|onnxruntime|lstmc\.torch)\b", re.M)


def blocks(with_peers):
    """name -> text of the blocks that import another engine, or of those that do not."""
    found = {}
    for page in sorted(PAGES.glob("*.md")):
        for n, text in enumerate(re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S), 1):
            if bool(PEERS.search(text)) == with_peers:
                found[f"{page.stem}{n}"] = text
    return found


def run(name, text, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with warnings.catch_warnings():
        exec(compile(text, f"docs: {name}", "exec"), {"__name__": "docs"})
