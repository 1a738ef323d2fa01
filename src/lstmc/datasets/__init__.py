"""Data sets that ship with the package. Each has its licence and source in LICENSE.md beside this file."""

from lstmc import names
from lstmc.datasets.japanese_vowels import JapaneseVowels, load_japanese_vowels

__all__ = ["JapaneseVowels", "load_japanese_vowels"]

__getattr__, __dir__ = names.face(__name__, __all__)
