"""Durations as Go writes them, such as ``1m30s``."""

from __future__ import annotations

import re

from confighub.errors import BadRequest

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Return the seconds. Raises: BadRequest for text that is no duration."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise BadRequest(f"not a duration: {text!r}", hint="write it as 90s or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
