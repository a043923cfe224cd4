"""Queries in the language of yq, over documents that keep their comments and order.

jq evaluates; what it selects is shown from the document's own text, comments included. An expression that changes
the document (``=``, ``|=``, ``del``) shows the changed document. Not covered: what yq adds beyond jq about comments,
anchors, styles, tags and document numbers; such an expression is refused by name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import jq
import msgspec

from confighub.data import normal, render, scalars
from confighub.data.document import Document
from confighub.data.editor import Editor
from confighub.data.path import Steps
from confighub.data.render import Layout
from confighub.data.tree import MAP, NONE, SEQ
from confighub.errors import BadPath
from confighub.functions.work import Failed

_DASH = 2
"""yq indents the dashes of a list below its key."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_INDEXED_SCALAR = re.compile(r"Cannot index (?:string|number|boolean) with")
_DASHED_KEY = re.compile(r"(?<=\.)([A-Za-z_]\w*(?:-[A-Za-z_0-9]+)+)")
_ITERATE = re.compile(r"\[\s*\](?!\?)")
_CHANGES = re.compile(r"(?:^|[^=!<>])(?:\|=|\+=|-=|\*=|/=|=)(?!=)|\bdel\(|\bsetpath\(|\bdelpaths\(|\bwith_entries\(")
_BEYOND = re.compile(
    r"\b(documentIndex|document_index|di|line_comment|lineComment|head_comment|headComment|foot_comment|footComment"
    r"|anchor|alias|explode|style|tag|filename|fileIndex|load|strenv|envsubst|eval)\b"
)
_PRELUDE = """
def keys: keys_unsorted;
def upcase: ascii_upcase;
def downcase: ascii_downcase;
def to_string: tostring;
def to_number: tonumber;
def sort_keys(f): f |= (if type == "object" then to_entries | sort_by(.key) | from_entries else . end);
def to_entries: if . == null then empty else [keys_unsorted[] as $k | {key: $k, value: .[$k]}] end;
"""
"""What yq calls otherwise than jq, or does in another order."""
_LAYOUT = Layout(2, _DASH, is_json=False)


def evaluate(expression: str, documents: list[Document]) -> str:
    """Return what the expression selects, as YAML; what comes of different documents is set apart by ``---``.

    Raises: Failed for an expression that cannot be read or applied.
    """
    adapted = _adapted(expression.strip())
    if _is_collection(adapted):
        return _collected(adapted[1:-1], documents)
    shown, is_computed = "", True
    for holder in documents:
        lines, is_made = _selected(expression, adapted, holder)
        text = "".join(lines)
        # values that were computed belong to no document, so nothing sets them apart
        if text:
            shown += ("---\n" if shown and not (is_made and is_computed) else "") + text
            is_computed = is_made
    return shown


def _is_collection(adapted: str) -> bool:
    """Say whether the whole expression is ``[…]``, which yq gathers over all documents."""
    if not (adapted.startswith("[") and adapted.endswith("]")):
        return False
    depth = 0
    for at, sign in enumerate(_STRING.sub(lambda match: "s" * len(match.group()), adapted)):
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if depth == 0:
            return at == len(adapted) - 1
    return False


def _collected(inner: str, documents: list[Document]) -> str:
    try:
        program = _program(f"{inner or 'empty'} | select(. != null)")
        found = [value for holder in documents for value in program.input_text(_json(holder)).all()]
    except ValueError as error:
        raise Failed(f"yq expression cannot be applied: {_reason(error)}", output={"Payload": ""}) from None
    return "\n".join(render.block(found, _LAYOUT)) + "\n"


def _adapted(expression: str) -> str:
    """Return the expression as jq reads it: dashed keys quoted, and iterating over nothing is no error."""
    without_strings = _STRING.sub('""', expression)
    beyond = _BEYOND.search(without_strings)
    if beyond:
        raise Failed(f"yq operator not supported: {beyond.group(1)}", output={"Payload": ""})
    parts, at = [], 0
    for match in [*_STRING.finditer(expression), None]:
        code = expression[at : match.start() if match else len(expression)]
        parts.append(_ITERATE.sub("[]?", _DASHED_KEY.sub(r'"\1"', code)))
        if match:
            parts.append(match.group())
            at = match.end()
    return "".join(parts)


def _json(holder: Document) -> str:
    text = holder.memo.get("json")
    if text is None:
        text = holder.memo["json"] = msgspec.json.encode(holder.data).decode()
    return str(text)


@lru_cache(maxsize=256)
def _program(expression: str) -> Any:
    return jq.compile(_PRELUDE + expression)


def _selected(expression: str, adapted: str, holder: Document) -> tuple[list[str], bool]:
    """Return what the expression selects of one document, and whether it was computed rather than found there."""
    if not _CHANGES.search(_STRING.sub('""', expression)):
        try:
            found = _program(f"[path({adapted})]").input_text(_json(holder)).first()
        except ValueError:
            found = None
        if found is not None:
            return [_text_at(holder, tuple(steps)) for steps in found], False
    try:
        results = _program(adapted).input_text(_json(holder)).all()
    except ValueError as error:
        if _INDEXED_SCALAR.search(str(error)):
            return [], False
        raise Failed(f"yq expression cannot be applied: {_reason(error)}", output={"Payload": ""}) from None
    is_update = bool(_CHANGES.search(_STRING.sub('""', expression)))
    return [_text_of(result, holder) for result in results], not is_update


def _reason(error: ValueError) -> str:
    """Return the first line of a message: the rest shows the program, ours included."""
    return str(error).split("\n", 1)[0].removeprefix("jq: error: ").partition(" at <top-level>")[0]


def _text_at(holder: Document, steps: Steps) -> str:
    node = holder.find(steps)
    if node == NONE:
        return "null\n"
    if holder.type_of(node) & (MAP | SEQ):
        return normal.value_text(holder, node, dash=_DASH)
    return _scalar(holder.scalar(node))


def _scalar(value: Any) -> str:
    return (value if isinstance(value, str) else scalars.written(value)) + "\n"


def _text_of(result: Any, holder: Document) -> str:
    if isinstance(result, dict) and isinstance(holder.data, dict) and result.keys() & holder.data.keys():
        changed = _changed(holder, result)
        if changed is not None:
            return normal.value_text(changed, changed.root, dash=_DASH)
    if isinstance(result, (dict, list)):
        return "\n".join(render.block(result, _LAYOUT)) + "\n"
    return _scalar(result)


def _changed(holder: Document, result: Any) -> Document | None:
    """Return the document with this data, comments kept where they still fit; None when it cannot be brought there."""
    editor = Editor(holder)
    try:
        _bring(editor, (), holder.data, result)
        changed = editor.document
    except BadPath:
        return None
    return changed if changed.data == result else None


def _bring(editor: Editor, steps: Steps, old: Any, new: Any) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [key for key in old if key not in new]:
            editor.remove((*steps, key))
        for key, value in new.items():
            if key in old:
                _bring(editor, (*steps, key), old[key], value)
            else:
                editor.set((*steps, key), value)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (was, now) in enumerate(zip(old, new, strict=True)):
            _bring(editor, (*steps, at), was, now)
    else:
        editor.set(steps, new)
