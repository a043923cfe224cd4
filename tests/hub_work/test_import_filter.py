from __future__ import annotations

from typing import Any

import pytest

from confighub.errors import BadQuery
from confighub.hub.domain import import_filter
from confighub.records.work import ImportFilter


@pytest.mark.parametrize(
    ("text", "filters", "options"),
    [
        ("metadata.namespace = 'shop'", [("metadata.namespace", "include", ["shop"])], {}),
        ("kind != 'Secret'", [("kind", "exclude", ["Secret"])], {}),
        ("kind NOT IN ('Secret', 'ConfigMap')", [("kind", "exclude", ["Secret", "ConfigMap"])], {}),
        ("import.include_system = true", [], {"include_system": True}),
        ("import.depth = 3 AND kind='Pod'", [("kind", "include", ["Pod"])], {"depth": 3}),
        (
            "metadata.namespace IN ('a','b') AND kind = 'Pod' AND import.include_custom = false",
            [("metadata.namespace", "include", ["a", "b"]), ("kind", "include", ["Pod"])],
            {"include_custom": False},
        ),
    ],
)
def test_terms_become_filters_and_options(
    text: str, filters: list[tuple[str, str, list[str]]], options: dict[str, Any]
) -> None:
    found = import_filter.parse(text)

    assert found == ([ImportFilter(type=t, operator=o, values=v) for t, o, v in filters], options)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("kind", 0),
        ("kind > 'a'", 0),
        ("kind = 'a' OR kind = 'b'", 11),
        ("kind = 'a' AND", 14),
        ("kind IN 'a'", 8),
        ("kind = ('a')", 7),
        ("import.depth != 3", 13),
    ],
)
def test_a_refusal_points_at_its_place(text: str, position: int) -> None:
    with pytest.raises(BadQuery) as refused:
        import_filter.parse(text)

    assert refused.value.position == position
