"""Folders outside of pytest's own, for programs whose sockets need short paths."""

from __future__ import annotations

import tempfile
from pathlib import Path

MADE: list[Path] = []
"""Every one of this process, also those that are gone: at the end nothing may run on any of them."""


def short_folder() -> Path:
    """Return a new folder with a short path; whoever asks removes it."""
    MADE.append(Path(tempfile.mkdtemp(prefix="traderx-")))
    return MADE[-1]
