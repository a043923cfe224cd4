"""Edits by example: which bytes change, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from confighub.data.document import parse
from confighub.data.editor import Editor
from confighub.data.path import MISSING, Steps, positioned, split
from confighub.errors import BadPath
from tests.data.reading_cases import cases, in_form

CASES = cases("edit")


def edited(text: str, edits: list[dict[str, Any]], position: int) -> str:
    """Return the text after the edits of one of its documents."""
    stream = parse(text)
    editor = Editor(stream.documents[position].document)
    for edit in edits:
        apply(editor, edit)
    source, _ = editor.finish()
    return stream.replaced({position: source})


def apply(editor: Editor, edit: dict[str, Any]) -> None:
    """Make one edit as its case describes it."""
    if "at" in edit and "to" in edit:
        editor.set(tuple(edit["at"]), edit["to"])
    elif "set" in edit:
        editor.set(steps(editor, edit["set"]), edit["to"])
    elif "remove" in edit:
        editor.remove(steps(editor, edit["remove"]))
    elif "insert" in edit:
        editor.insert(steps(editor, edit["insert"]), edit["value"], position=edit.get("at"))
    else:
        editor.set_comment(steps(editor, edit["comment"]), edit["text"])


def steps(editor: Editor, path: str) -> Steps:
    """Return a dotted path as steps."""
    return positioned(editor.data, split(path))


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[name for name, _ in CASES])
def test_an_edit_gives_the_expected_text(case: dict[str, Any]) -> None:
    text = in_form(case["text"], case.get("form"))

    if "refused" in case:
        with pytest.raises(BadPath) as refusal:
            edited(text, case["edits"], case.get("document", 0))
        assert case["refused"] in refusal.value.message
        return

    assert edited(text, case["edits"], case.get("document", 0)) == in_form(case["expected"], case.get("form"))


LISTED = "args: [a, b, c]\nenv:\n  - name: A\n    more: {x: 1}\n  - name: B\n    more: [1, 2]\n"


def test_items_are_read_where_they_stand_after_a_removal() -> None:
    editor = Editor(parse(LISTED).documents[0].document)
    editor.remove(("args", 0))
    editor.remove(("env", 0))

    assert editor.at(("args", 1)) == "c"
    assert editor.at(("args", 2)) is MISSING
    assert (editor.shape(("env", 0, "more")), editor.size(("env", 0, "more"))) == ("list", 2)
    assert editor.set(("args", 1), "b")
    assert editor.finish()[0].decode() == "args: [b, b]\nenv:\n  - name: B\n    more: [1, 2]\n"


def test_items_are_read_where_they_stand_after_an_insertion() -> None:
    editor = Editor(parse(LISTED).documents[0].document)
    editor.insert(("args",), "z", position=1)

    assert editor.at(("args", 2)) == "b"
    assert [editor.at(("args", position)) for position in range(4)] == ["a", "z", "b", "c"]
    assert editor.set(("args", 3), "b")
    assert editor.finish()[0].decode().startswith("args: [a, z, b, b]")
