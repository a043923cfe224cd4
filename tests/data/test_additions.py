"""Entries that are added without reading the text back mean what was asked, wherever they come."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from confighub.data.document import document
from confighub.data.editor import Editor
from tests.data import manifests as some
from tests.data.manifests import at, read, written

bounded = settings(max_examples=60)
seeds = st.integers(0, 2**20)
values = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["yes", "0x1f", "- a", "a: b", "# no", "|", ">-", "~", "'", '"', "{}", "[", "&a", "*a", "!t", "%", "@"]
    ),
    st.integers(-5, 10**20),
    st.booleans(),
    st.none(),
)


def maps(data: Any, steps: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the steps to every map."""
    found = [steps] if isinstance(data, dict) else []
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in pairs:
        found += maps(value, (*steps, step))
    return found


@bounded
@given(some.manifests("web"), seeds, values, st.data())
def test_a_new_key_is_read_as_it_was_set(data: dict[str, Any], seed: int, value: Any, chosen: st.DataObject) -> None:
    place = chosen.draw(st.sampled_from(maps(data)))
    editor = Editor(document(written(data, seed).text.encode()))

    editor.set((*place, "added"), value)

    wanted = deepcopy(data)
    at(wanted, place)["added"] = value
    assert read(editor.finish()[0].decode()) == [wanted]


@bounded
@given(some.manifests("web"), seeds, st.lists(values, min_size=1, max_size=4))
def test_several_entries_at_once_are_read_as_they_were_set(data: dict[str, Any], seed: int, several: list[Any]) -> None:
    editor = Editor(document(written(data, seed).text.encode()))
    wanted = deepcopy(data)

    for number, value in enumerate(several):
        place = maps(data)[number % len(maps(data))]
        editor.set((*place, f"added-{number}"), value)
        at(wanted, place)[f"added-{number}"] = value
    editor.set(("spec", "replicas"), 77)
    wanted["spec"]["replicas"] = 77

    assert read(editor.finish()[0].decode()) == [wanted]


def test_an_entry_behind_every_form_of_value_is_read_alone() -> None:
    forms = [
        "1",
        "a b",
        '"a b"',
        "'a'",
        "",
        "~",
        "{}",
        "[]",
        "{x: 1}",
        "|\n    text",
        ">-\n    text",
        "a\n    b",
        "1 # c",
    ]
    for form in forms:
        text = f"top:\n  last: {form}\nnext: 1\n".replace("last: \n", "last:\n")
        editor = Editor(document(text.encode()))

        editor.set(("top", "added"), "new")

        was, now = yaml.safe_load(text), yaml.safe_load(editor.finish()[0])
        was["top"]["added"] = "new"
        assert now == was, form
