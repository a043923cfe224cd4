"""Patches of the data: JSON merge patch, with Kubernetes list keys.

A patch is a map: its keys are set, null deletes. A list whose items carry the list's key is merged item by item (an
item with ``$patch: delete`` goes); any other list is replaced. A unit of several documents takes a patch that names its
document by ``kind`` and ``metadata.name``, or one that fits a single document.
Source: RFC 7386, and the Kubernetes strategic merge patch for keyed lists.
"""

from __future__ import annotations

from typing import Any

from confighub.data import compare, lists, resource
from confighub.data.differences import Changes
from confighub.data.document import Document, document, parse
from confighub.data.editor import Editor
from confighub.data.path import Steps, get
from confighub.errors import BadRequest
from confighub.records.mutations import ResourceMutation

_DIRECTIVE = "$patch"


def merge_patch(text: str, patch: dict[str, Any], *, index: int = 0) -> tuple[str, list[ResourceMutation]]:
    """Return the text with the patch applied, and one record per resource.

    Raises: BadRequest when the patch fits no document, or more than one; NotYaml.
    """
    stream = parse(text)
    targets = [placed.document for placed in stream.documents]
    target = chosen(targets, patch)
    records, changed = [], {}
    for position, holder in enumerate(targets):
        changes: Changes = {}
        now = holder
        if position == target:
            source, changes = patched(holder, patch)
            if source != holder.source:
                changed[position] = source
                now = document(source)
        records.append(compare.record(compare.Pair(holder, now, resource.identity(now), changes), index=index))
    return stream.replaced(changed) if changed else text, records


def chosen(targets: list[Document], patch: dict[str, Any]) -> int:
    """Return the position of the one document that a patch is for.

    Raises: BadRequest when none or several fit.
    """
    if len(targets) == 1:
        return 0
    metadata = patch.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    fitting = [
        position
        for position, holder in enumerate(targets)
        if patch.get("kind") in (None, get(holder.data, ("kind",)))
        and patch.get("apiVersion") in (None, get(holder.data, ("apiVersion",)))
        and name in (None, get(holder.data, ("metadata", "name")))
    ]
    if len(fitting) != 1:
        raise BadRequest(
            f"the patch fits {len(fitting)} of {len(targets)} documents", hint="name one by kind and metadata.name"
        )
    return fitting[0]


def patched(holder: Document, patch: dict[str, Any]) -> tuple[bytes, Changes]:
    """Return one document's bytes with the patch applied, and what changed."""
    editor = Editor(holder)
    bring_in(editor, patch)
    return editor.finish()


def bring_in(editor: Editor, patch: dict[str, Any]) -> None:
    """Apply a patch through a document's editor.

    Raises: BadPath when a place cannot be edited.
    """
    _map(editor, (), patch)


def _map(editor: Editor, steps: Steps, patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        here = (*steps, key)
        current = get(editor.data, here)
        if value is None:
            editor.remove(here)
        elif isinstance(value, dict):
            if isinstance(current, dict):
                _map(editor, here, value)
            else:
                editor.set(here, without_nulls(value))
        elif isinstance(value, list):
            _list(editor, here, current, value)
        else:
            editor.set(here, value)


def _list(editor: Editor, steps: Steps, current: Any, items: list[Any]) -> None:
    fields = _fields(str(steps[-1]), current, items)
    if fields is None:
        editor.set(steps, without_nulls(items))
        return
    for item in items:
        key = lists.key_of(item, fields)
        present = get(editor.data, steps)
        at = next((place for place, old in enumerate(present) if lists.key_of(old, fields) == key), None)
        if item.get(_DIRECTIVE) == "delete":
            if at is not None:
                editor.remove((*steps, at))
        elif at is None:
            editor.insert(steps, without_nulls(item))
        else:
            _map(editor, (*steps, at), item)


def _fields(name: str, current: Any, items: list[Any]) -> tuple[str, ...] | None:
    if not isinstance(current, list) or not current or not items:
        return None
    if not all(isinstance(item, dict) for item in items):
        return None
    return lists.key_fields(name, current, items)


def without_nulls(value: Any) -> Any:
    """Return a value without the keys that a patch would delete."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None and key != _DIRECTIVE}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
