"""Words for people."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return number and noun as they are said: ``1 unit``, ``17 units``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
