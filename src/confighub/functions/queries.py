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
    r"|anchor|alias|explode|style|filename|fileIndex|load|strenv|envsubst|eval)\b"
)
_PRELUDE = """
def keys: keys_unsorted;
def upcase: ascii_upcase;
def downcase: ascii_downcase;
def to_string: tostring;
def to_number: tonumber;
def sort_keys(f): f |= (if type == "object" then to_entries | sort_by(.key) | from_entries else . end);
def tag: if type == "number" then (if . == floor then "!!int" else "!!float" end)
  else {"object": "!!map", "array": "!!seq", "string": "!!str", "boolean": "!!bool", "null": "!!null"}[type] end;
def type: tag;
def map(f): if . == null then [] else [.[] | f] end;
def pick(f): . as $from | f | map({key: ., value: $from[.]} | select(.key as $key | $from | has($key))) | from_entries;
def omit(f): f as $keys | with_entries(select(.key as $key | $keys | index($key) == null));
def sub(from; to): gsub(from; to);
def to_entries: if . == null then empty else [keys_unsorted[] as $k | {key: $k, value: .[$k]}] end;
"""
"""What yq calls otherwise than jq, or does in another order."""
_LAYOUT = Layout(2, _DASH, is_json=False)
_SUB = re.compile(r"\b(sub\(\s*)(S+)\s*,")
_PLACE = re.compile(r"\.[A-Za-z_\[\"]|\bsort_keys\(")
_GATHERS = re.compile(
    r"\b(?:keys|to_entries|map|group_by|sort_by|unique_by|with_entries)\b(?:\([^()]*\))?\s*(?:\| *join\(.*\))?\Z"
)
"""Ends in a list of new values, which belongs to no document."""


def evaluate(expression: str, documents: list[Document]) -> str:
    """Return what the expression selects, as YAML; what comes of different documents is set apart by ``---``.

    Raises: Failed for an expression that cannot be read or applied.
    """
    adapted = _adapted(expression.strip())
    if _is_collection(adapted):
        return _collected(adapted[1:-1], documents)
    belongs = bool(_PLACE.search(adapted)) and not _GATHERS.search(adapted)
    shown, is_computed, last = "", True, None
    for part in _united(adapted):
        for holder in documents:
            lines, is_made = _selected(part, holder)
            text = "".join(lines)
            # values that were computed from no document's place are not set apart
            if text:
                is_apart = holder is not last and (belongs or not (is_made and is_computed))
                shown += ("---\n" if shown and is_apart else "") + text
                is_computed, last = is_made, holder
    return shown


def _united(adapted: str) -> list[str]:
    """Return the parts of ``a, b``, which yq takes one after the other over all documents."""
    masked = _STRING.sub(lambda match: "s" * len(match.group()), adapted)
    if "," not in masked or "|" in masked or re.search(r"\b(?:as|if|reduce|def)\b", masked):
        return [adapted]
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(masked):
        depth += {"[": 1, "(": 1, "{": 1, "]": -1, ")": -1, "}": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append(adapted[start:at])
            start = at + 1
    return [*parts, adapted[start:]]


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
    # jq sets arguments apart by semicolons
    masked = _STRING.sub(lambda match: "S" * len(match.group()), expression)
    for call in _SUB.finditer(masked):
        expression = expression[: call.end() - 1] + ";" + expression[call.end() :]
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


def _selected(adapted: str, holder: Document) -> tuple[list[str], bool]:
    """Return what the expression selects of one document, and whether it was computed rather than found there."""
    is_update = bool(_CHANGES.search(_STRING.sub('""', adapted)))
    if not is_update:
        try:
            found = _program(f"[path({adapted})]").input_text(_json(holder)).first()
        except ValueError:
            found = None
        # a slice has a place of its own, which no node stands for
        if found is not None and not any(isinstance(step, dict) for steps in found for step in steps):
            return [_text_at(holder, tuple(steps)) for steps in found], False
    try:
        results = _program(adapted).input_text(_json(holder)).all()
    except ValueError as error:
        if _INDEXED_SCALAR.search(str(error)):
            return [], False
        raise Failed(f"yq expression cannot be applied: {_reason(error)}", output={"Payload": ""}) from None
    return [_text_of(result, holder) for result in results], not is_update


def _reason(error: ValueError) -> str:
    """Return the first line of a message: the rest shows the program, ours included."""
    return str(error).split("\n", 1)[0].removeprefix("jq: error: ").partition(" at <top-level>")[0]


def _text_at(holder: Document, steps: Steps) -> str:
    node = holder.root
    for step in steps:
        below = holder.children(node) if isinstance(step, int) and holder.type_of(node) & SEQ else []
        if isinstance(step, int) and step < 0:
            step += len(below)
        node = holder.find_child(node, step) if isinstance(step, str) or 0 <= step < len(below) else NONE
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
