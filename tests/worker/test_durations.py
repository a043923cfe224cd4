"""Durations as Go writes them."""

from __future__ import annotations

import pytest

from confighub.errors import BadRequest
from confighub.worker.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"), [("60s", 60), ("1m30s", 90), ("2m0s", 120), ("250ms", 0.25), ("1.5h", 5400)]
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "60", "s", "1x", "1m 30s", "-5s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="not a duration"):
        seconds(text)
