from __future__ import annotations

from typing import Any

import pytest

from confighub.data.document import document, parse
from confighub.data.editor import Editor
from confighub.data.path import positioned, split
from confighub.errors import BadPath


def edited(text: str, path: str, value: Any) -> str:
    editor = Editor(document(text.encode()))
    editor.set(positioned(editor.data, split(path)), value)
    return editor.finish()[0].decode()


@pytest.mark.parametrize(
    ("text", "path", "value", "reason"),
    [
        ("a: &x {b: 1}\nc: *x\n", "c.b", 2, "c is an alias"),
        ("a: 1\na: 2\n", "a", 3, "twice: a"),
        ("a: [1, 2]\n", "a.5", 3, "no list item at a.5"),
        ("a: 1\n", "a.b", 3, "a is no map"),
        ("? [a]\n: 1\nb: 2\n", "b", 3, "not supported"),
    ],
)
def test_what_cannot_be_edited_is_refused_by_name(text: str, path: str, value: Any, reason: str) -> None:
    with pytest.raises(Exception, match=reason):
        edited(text, path, value)


def test_taking_an_anchor_away_that_is_used_is_refused() -> None:
    editor = Editor(document(b"a: &x 1\nb: *x\n"))

    with pytest.raises(BadPath, match="anchor"):
        editor.remove(("a",))


def test_a_refused_change_leaves_no_half_written_text() -> None:
    editor = Editor(document(b"a: &x 1\nb: *x\n"))
    with pytest.raises(BadPath):
        editor.remove(("a",))

    with pytest.raises(BadPath):
        editor.finish()


def test_records_name_each_change_once() -> None:
    editor = Editor(document(b"spec:\n  replicas: 1 # one\n  paused: true\n  strategy: {}\n"))
    editor.set(("spec", "replicas"), 3)
    editor.remove(("spec", "paused"))
    editor.set(("spec", "strategy", "type"), "Recreate")
    editor.set(("metadata", "labels", "app"), "x")
    editor.set(("metadata", "labels", "tier"), "z")

    _, changes = editor.finish()

    assert changes == {
        "spec.replicas": ("Update", "3 # one\n"),
        "spec.paused": ("Delete", "true\n"),
        "spec.strategy": ("Update", "{type: Recreate}\n"),
        "metadata": ("Add", "labels:\n  app: x\n  tier: z\n"),
    }


def test_a_key_that_comes_and_goes_leaves_no_record() -> None:
    editor = Editor(document(b"a: 1\n"))
    editor.set(("b",), 2)
    editor.remove(("b",))

    assert editor.finish() == (b"a: 1\n", {})


def test_a_removed_list_item_is_recorded_by_position() -> None:
    editor = Editor(document(b"env:\n- name: A\n  value: x\n- name: B\n  value: x\n"))
    editor.remove(("env", 0))

    _, changes = editor.finish()

    assert changes == {"env.0.name": ("Update", "B\n"), "env.1": ("Delete", "name: B\nvalue: x\n")}


def test_an_edited_document_is_not_parsed_when_the_one_before_was_read() -> None:
    text = "a: 1\nb: [x, y]\n"
    before = document(text.encode())
    assert before.data == {"a": 1, "b": ["x", "y"]}
    editor = Editor(before)
    editor.set(("a",), 2)
    source, _ = editor.finish()

    made = document(source)

    assert "tree" not in made.__dict__
    assert made.data == {"a": 2, "b": ["x", "y"]}
    assert parse(source.decode()).documents[0].document is made
