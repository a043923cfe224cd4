"""Case files: lists in YAML, read with a parser that is not ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

CASES = Path(__file__).parents[1] / "cases"


def cases(folder: str) -> list[tuple[str, dict[str, Any]]]:
    """Return every case of a folder with its name, the file and the description."""
    return [
        (f"{file.stem}: {case['description']}", case)
        for file in sorted((CASES / folder).glob("*.yaml"))
        for case in yaml.safe_load(file.read_text(encoding="utf-8"))
    ]


def in_form(text: str, form: str | None) -> str:
    """Return a text as its case wants it: with CRLF, or behind a byte order mark."""
    if form == "crlf":
        return text.replace("\n", "\r\n")
    return "\ufeff" + text if form == "bom" else text
