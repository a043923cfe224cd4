"""What counts as a figure, and which are known."""

from __future__ import annotations

import pytest

from confighub.operations.figures import invented

FACTS = {"p95_millicores": 40, "memory": "512Mi", "usd": 1234.5, "note": "twice a day", "n": None, "on": True}


@pytest.mark.parametrize(
    "text",
    [
        "The p95 is 40, of 512Mi, for 1,234.50 USD.",
        "It runs twice a day; one of them is slow.",
        "No figure at all.",
        "forty of them",
    ],
)
def test_figures_of_the_facts_are_known_by_value(text: str) -> None:
    assert invented(text, FACTS) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("41 or 1235", ["41", "1235"]),
        ("It doubled, a hundredfold.", ["doubled", "hundredfold"]),
        ("40 million, 40k", ["40 million", "40 k"]),
        ("٤١ and 5 and 5 again", ["٤١", "5"]),
        ("0.5 and .75", ["0.5", "75"]),
    ],
)
def test_any_other_figure_is_named_as_it_is_written(text: str, expected: list[str]) -> None:
    assert invented(text, FACTS) == expected
