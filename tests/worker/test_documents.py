"""A unit's text as objects."""

from __future__ import annotations

import pytest

from confighub.errors import BadRequest, NotYaml
from confighub.worker import documents


def test_documents_come_in_order_and_lists_are_opened() -> None:
    text = "kind: A\n---\n# nothing\n---\nkind: List\nitems:\n- kind: B\n- kind: C\n"

    assert [item["kind"] for item in documents.read(text)] == ["A", "B", "C"]


def test_broken_text_is_told_with_its_place() -> None:
    with pytest.raises(NotYaml, match="line 2, column 5"):
        documents.read("a: 1\nb: c: d\n")


def test_a_document_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadRequest, match="no object but list"):
        documents.read("- a\n")


def test_what_is_written_is_read_back_in_its_order() -> None:
    items = [{"kind": "B", "apiVersion": "v1"}, {"kind": "A"}]

    assert documents.read(documents.write(items)) == items
    assert documents.write(items).startswith("kind: B\napiVersion")
