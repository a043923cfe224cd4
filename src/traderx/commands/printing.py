"""How commands print: lines as they happen, and the result as JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confighub.operations.progress import Progress


def saying(as_json: bool) -> Callable[[str], None]:
    """Return how progress is printed: line by line as it happens, beside the result when that is JSON."""
    stream = sys.stderr if as_json else sys.stdout

    def say(line: str) -> None:
        print(line, file=stream, flush=True)

    return say


def showing(as_json: bool) -> tuple[Callable[[str], None], Progress | None]:
    """Return how lines are printed and how a deployment is shown: a tree on a terminal, else None for plain lines."""
    if as_json or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return saying(as_json), None
    from confighub.operations.progress import Tree

    tree = Tree(sys.stdout)
    return tree.say, tree
