"""Edits by example: which bytes change, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from confighub.data.document import parse
from confighub.data.editor import Editor
from confighub.data.path import Steps, positioned, split
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
