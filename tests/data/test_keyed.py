"""What identifies list items is the same whether a document was read or only its tree is there."""

from __future__ import annotations

from typing import Any

import pytest

from confighub.data import keyed, lists
from confighub.data.document import Document
from confighub.data.editor import Editor

ENV = b"env:\n- name: A\n  value: '1'\n- {value: x, name: B}\n- name: 'C'\n"
PORTS = b"ports:\n- port: 80\n- port: 80\n  protocol: UDP\n- protocol: TCP\n  port: 0x50F\n"


@pytest.mark.parametrize(
    ("source", "fields", "expected"),
    [
        (ENV, ("name",), ["A", "B", "C"]),
        (ENV, ("value",), None),
        (PORTS, ("port", "protocol"), [(80, "TCP"), (80, "UDP"), (0x50F, "TCP")]),
        (PORTS, ("port",), None),
        (b"ports:\n- port: {a: 1}\n", ("port", "protocol"), None),
        (b"args: [x, y]\n", ("name",), None),
        (b"none: 1\n", ("name",), None),
    ],
)
def test_items_are_identified_unread_as_read(
    source: bytes, fields: tuple[str, ...], expected: list[Any] | None
) -> None:
    steps = (source.partition(b":")[0].decode(),)
    read = Document(source)
    assert isinstance(read.data, dict)

    assert keyed.identities(Document(source), steps, fields) == expected
    assert keyed.identities(read, steps, fields) == expected


@pytest.mark.parametrize("item", [{"name": "B"}, {"name": "D"}, {"port": 1}, {"name": "D", "key": "x"}])
def test_an_item_is_found_unread_where_it_is_found_in_data(item: dict[str, Any]) -> None:
    found = keyed.find(Document(ENV), ("env",), "env", item)

    assert found == lists.find("env", item, Document(ENV).data["env"])


def test_a_change_that_waits_counts() -> None:
    editor = Editor(Document(ENV))
    editor.set(("env", 1, "value"), "y")
    assert keyed.identities(editor, ("env",), ("name",)) == ["A", "B", "C"]

    editor.set(("env", 1, "name"), "Z")

    assert keyed.identities(editor, ("env",), ("name",)) == ["A", "Z", "C"]
