"""A job that takes a fraction of a second: a script that fits a line."""

from pathlib import Path

TOY = Path(__file__).parent / "toy"
"""The folder of the script, ``train.py``."""
