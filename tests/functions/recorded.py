"""The recorded function cases beside the project, and the comparison that comes with them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recorded:
    """A folder of cases: ``book`` as it was read, and ``check``, which lists what is wrong with a result."""

    folder: Path
    book: dict[str, Any]
    check: Callable[[dict[str, Any], dict[str, Any]], list[str]]

    @property
    def cases(self) -> list[dict[str, Any]]:
        """Every case, in the order of the book."""
        found: list[dict[str, Any]] = self.book["cases"]
        return found


def recorded(shared: Path) -> Recorded:
    """Return the cases of the folder with the recorded facts."""
    home = shared / "spec" / "functions"
    spec = importlib.util.spec_from_file_location("compare_recorded", home / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = home / "visible"

    def check(case: dict[str, Any], got: dict[str, Any]) -> list[str]:
        failures: list[str] = module.check(folder, case, got)[0]
        return failures

    return Recorded(folder, json.loads((folder / "cases.json").read_text()), check)
