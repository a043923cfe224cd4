"""Files that are whole at every moment: written aside, synced, renamed."""

from __future__ import annotations

import os
from pathlib import Path


def replace(path: Path, content: bytes, *, mode: int = 0o644, synced: bool = True) -> None:
    """Put the content at the path so that a reader, or a crash, sees the old file or the new one.

    Returns after both the content and its name are on disk, unless ``synced`` is off: then a crash of
    the machine (not of the daemon) may bring back the old file. ``mode`` holds from the first byte.
    """
    aside = path.with_name(f".{path.name}.new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(descriptor, mode)
        _write_all(descriptor, content)
        if synced:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    aside.replace(path)
    if not synced:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
