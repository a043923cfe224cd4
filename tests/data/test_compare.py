"""What a comparison of two texts records, and that an edit records the same as a comparison of its texts."""

from __future__ import annotations

from typing import Any

import pytest

from confighub.data import compare
from confighub.data.differences import changes
from confighub.data.document import Document, only, parse
from confighub.data.editor import Editor
from confighub.data.render import Raw
from tests.data.reading_cases import cases

CASES = cases("compare")


def document(text: str) -> Document:
    """Return the one document of a text."""
    return only(parse(text))


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[name for name, _ in CASES])
def test_what_differs_is_recorded_with_its_comments(case: dict[str, Any]) -> None:
    found = changes(document(case["old"]), document(case["new"]))

    assert {path: list(change) for path, change in found.items()} == case["changes"]


EDITS: list[tuple[str, Any]] = [
    ("m: {a: x, b: y} # note\n", lambda editor: editor.set(("m", "a"), "z")),
    ("m: {\n  a: x, # one\n  b: y\n}\n", lambda editor: editor.set(("m", "a"), "z")),
    ("l: [x, y] # note\n", lambda editor: editor.set(("l", 1), "z")),
    ("l:\n# one\n- x\n# two\n- y # beside\n", lambda editor: editor.set(("l", 1), "z")),
    ("m:\n  a: x # one\n", lambda editor: editor.set(("m", "a"), "z")),
    ("m: {a: {b: 1, c: 2}}\n", lambda editor: editor.set(("m", "a"), Raw("{b: 1, c: 3}"))),
    ("m:\n  a: {b: 1}\n  c: 2\n", lambda editor: editor.set(("m", "a"), {"b": 1, "d": [1]})),
    ("l:\n- a\n- b\n", lambda editor: editor.set(("l",), ["a", "c", "d"])),
    ("m:\n  a: 1\n", lambda editor: (editor.remove(("m", "a")), editor.set(("m", "b"), 2))),
    ("m: {a: 1}\n", lambda editor: (editor.remove(("m", "a")), editor.set(("m", "b"), 2))),
    ("m: {}\n", lambda editor: editor.set(("m", "b"), 2)),
    ("l:\n- a # one\n", lambda editor: editor.remove(("l", 0))),
]


@pytest.mark.parametrize(("text", "edit"), EDITS, ids=range(len(EDITS)))
def test_an_edit_records_what_a_comparison_of_its_texts_would(text: str, edit: Any) -> None:
    before = document(text)
    editor = Editor(before)

    edit(editor)
    source, recorded = editor.finish()

    assert recorded == changes(before, document(source.decode()))


def test_a_resource_pairs_with_another_name_only_while_it_has_fewer_differences_than_lines() -> None:
    old = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n" + "".join(
        f"  k{number}: x\n" for number in range(20)
    )
    renamed = old.replace("name: a", "name: b")
    another = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\ndata:\n  z: y\n"

    followed = compare.mutations(old, renamed, index=1)
    replaced = compare.mutations(old, another, index=1)

    assert [one.resource_mutation_info.mutation_type for one in followed] == ["Update"]
    assert list(followed[0].path_mutation_map) == ["metadata.name"]
    assert [one.resource_mutation_info.mutation_type for one in replaced] == ["Add", "Delete"]
