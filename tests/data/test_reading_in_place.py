"""Single places read from the tree are those of the whole data, and the tree read from memory is the parser's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confighub.data import lookup, tree
from confighub.data.document import Document
from confighub.data.path import MISSING, Steps, get, pattern, places
from confighub.data.resource import identity
from confighub.errors import BadPath
from tests.data import manifests as some
from tests.data.manifests import written

seeds = st.integers(0, 2**20)
PATTERNS = (
    "spec.replicas",
    "metadata.labels.app",
    "spec.template.spec.containers.*.name",
    "spec.template.spec.containers.*?name:container.image",
    "spec.template.spec.containers.?name=web.image",
    "metadata.labels.*@:label",
    "spec.extra.*",
)


def ways(data: Any, above: Steps = ()) -> Iterator[Steps]:
    """Yield the steps to everything in some data."""
    yield above
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in pairs:
        yield from ways(value, (*above, step))


@settings(max_examples=60)
@given(some.manifests(), seeds)
def test_the_nodes_in_memory_are_those_that_the_parser_tells(data: dict[str, Any], seed: int) -> None:
    parsed = Document(written(data, seed).text.encode()).tree

    told = tree.filled_table(parsed.native)

    assert tree.are_equal_tables(parsed.table, told)


@settings(max_examples=60)
@given(some.manifests(), seeds)
def test_a_place_read_alone_is_that_of_the_whole(data: dict[str, Any], seed: int) -> None:
    source = written(data, seed).text.encode()
    whole, unread = Document(source), Document(source)

    for steps in (*ways(whole.data), ("spec", "nothing"), ("spec", "replicas", "below"), ("metadata", "0")):
        alone = Document(source).at(steps)

        expected = get(whole.data, steps)
        assert (alone is MISSING) == (expected is MISSING)
        assert alone is MISSING or repr(alone) == repr(expected)
    assert identity(unread) == identity(whole)


@settings(max_examples=60)
@given(some.manifests(), seeds)
def test_a_pattern_leads_to_the_same_places_in_a_tree(data: dict[str, Any], seed: int) -> None:
    source = written(data, seed).text.encode()
    whole = Document(source)

    for text in PATTERNS:
        path = pattern(text)
        expected = [(repr(place.steps), repr(place.value), place.bindings) for place in places(whole.data, path)]
        unread = Document(source)
        found = lookup.found(unread, path)
        assert [(repr(place.steps), repr(place.value), place.bindings) for place in found] == expected


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "b:\n  a: 1\n  c: 2\n  'a': 3\n"])
def test_a_key_that_stands_twice_on_the_way_is_refused_unread(text: str) -> None:
    unread = Document(text.encode())
    way = ("a",) if text.startswith("a") else ("b", "a")

    with pytest.raises(BadPath, match="twice: a"):
        unread.locate(way)


def test_a_document_of_which_one_place_is_asked_is_not_read() -> None:
    unread = Document(b"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  type: ClusterIP\n")

    assert unread.at(("spec", "type")) == "ClusterIP"
    assert identity(unread).resource_name == "/web"
    assert "data" not in unread.__dict__
