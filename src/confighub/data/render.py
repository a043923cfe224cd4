"""Values as new YAML text, in the layout of the document that takes them in.

Text that is added follows its neighbours: the indentation step, whether list dashes are indented, line ends, and JSON's
quotes inside JSON text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import re2

from confighub.data import scalars
from confighub.data.document import Document, document

# RE2 scans the whole text at once; these run on every document that takes in a map or list
_NESTED_LIST = re2.compile(r"(?m)^( *)(?:- +)*[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)- ")
_NESTED_MAP = re2.compile(r"(?m)^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( +)[^\s#-]")
_BLOCK_TEXT = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]*\Z"
)


@dataclass(frozen=True, slots=True)
class Raw:
    """YAML text in block form without indentation, to be placed as it is: comments, quotes and order stay.

    ``is_wire`` says that the text is in wire form already (see normal.py).
    """

    text: str
    is_wire: bool = False

    def parted(self) -> tuple[list[str], Raw]:
        """Return the comment lines at the head, and the text below them."""
        lines = self.text.split("\n")
        head = next((at for at, line in enumerate(lines) if not line.startswith("#")), 0)
        return (lines[:head], Raw("\n".join(lines[head:]), self.is_wire)) if head else ([], self)


def plain(value: Any) -> Any:
    """Return a value as plain data, Raw text read."""
    return document(value.text.encode()).data if isinstance(value, Raw) else value


@dataclass(frozen=True, slots=True)
class Layout:
    """How a document is laid out: spaces a level, spaces before a list's dash, and whether it is JSON."""

    step: int
    dash: int
    is_json: bool
    is_compact: bool = False


def layout(holder: Document) -> Layout:
    """Return the document's layout, by its first nested map and list; two spaces and no dash indent without them."""
    found: Layout | None = holder.memo.get("layout")
    if found is None:
        source = holder.source
        is_json = source.lstrip()[:1] in (b"{", b"[") and b'"' in source
        nested = None if is_json else _NESTED_LIST.search(source)
        dash = 0 if nested is None else max(len(nested.group(2)) - len(nested.group(1)), 0)
        inner = None if is_json else _NESTED_MAP.search(source)
        step = 2 if inner is None else len(inner.group(2)) - len(inner.group(1))
        found = holder.memo["layout"] = Layout(
            step if step in (2, 3, 4, 8) else 2,
            dash if dash in (2, 4) else 0,
            is_json,
            is_compact=is_json and b'": ' not in source,
        )
    return found


def layout_for(holder: Document, value: Any, *, in_list: bool = False) -> Layout:
    """Return the layout that matters for one value, the document's own only where its measures are needed."""
    if holder.source.lstrip()[:1] in (b"{", b"["):
        return layout(holder)
    if in_list:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        needs_measures = any(isinstance(item, (dict, list)) or _has_lines(item) for item in inner)
    else:
        needs_measures = isinstance(value, (dict, list, Raw))
    return layout(holder) if needs_measures or _has_lines(value) else _DEFAULT


def _has_lines(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value


_DEFAULT = Layout(2, 0, is_json=False)


def flow(value: Any, form: Layout | None = None) -> str:
    """Return a value on one line, with brackets for containers; as JSON inside JSON text."""
    if form is not None and form.is_json:
        return _json(value, ":" if form.is_compact else ": ", "," if form.is_compact else ", ")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalars.written(key, flow=True)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalars.written(value, flow=True)


def _json(value: Any, colon: str, comma: str) -> str:
    if isinstance(value, dict):
        pairs = (f"{scalars.double_quoted(key)}{colon}{_json(item, colon, comma)}" for key, item in value.items())
        return "{" + comma.join(pairs) + "}"
    if isinstance(value, list):
        return "[" + comma.join(_json(item, colon, comma) for item in value) + "]"
    if isinstance(value, float):
        return scalars.written(value)
    return msgspec.json.encode(value).decode()


def flow_entry(key: str, value: Any, form: Layout) -> str:
    """Return ``key: value`` as it stands between brackets."""
    if form.is_json:
        return f"{scalars.double_quoted(key)}{':' if form.is_compact else ': '}{flow(value, form)}"
    return f"{scalars.written(key, flow=True)}: {flow(value)}"


def block(value: Any, form: Layout) -> list[str]:
    """Return a value as lines without indentation; a scalar is one line, or a block scalar's header and lines."""
    if isinstance(value, Raw):
        return (value.text.rstrip("\n") or "null").split("\n")
    if isinstance(value, dict) and value:
        lines: list[str] = []
        for key, item in value.items():
            lines += entry(key, item, form)
        return lines
    if isinstance(value, list) and value:
        lines = []
        for item in value:
            lines += list_item(item, form)
        return lines
    if isinstance(value, str) and "\n" in value and is_block_text(value):
        return literal(value, form.step)
    return [flow(value)]


def entry(key: str, value: Any, form: Layout) -> list[str]:
    """Return ``key: value`` as lines without indentation."""
    lines = block(value, form)
    name = _written_key(key)
    if goes_below(value, lines):
        is_list = lines_are_list(value, lines)
        indent = " " * (form.dash if is_list else form.step)
        return [f"{name}:", *(indent + line if line else line for line in lines)]
    return [f"{name}: {lines[0]}", *lines[1:]]


@lru_cache(maxsize=1024)
def _written_key(key: str) -> str:
    return scalars.written(key, is_new=False)


def list_item(value: Any, form: Layout) -> list[str]:
    """Return ``- value`` as lines without indentation."""
    above: list[str] = []
    if isinstance(value, Raw):
        above, value = value.parted()
    lines = block(value, form)
    return [*above, f"- {lines[0]}", *("  " + line if line else line for line in lines[1:])]


def goes_below(value: Any, lines: list[str]) -> bool:
    """Say whether a value stands below its key, not beside it."""
    if isinstance(value, Raw):
        return (len(lines) > 1 and not lines[0].startswith(("|", ">"))) or _is_container_line(lines[0])
    return isinstance(value, (dict, list)) and bool(value)


def _is_container_line(line: str) -> bool:
    return line.startswith(("- ", "#")) or line == "-" or bool(_ENTRY_LINE.match(line))


_ENTRY_LINE = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'\[{|>&*!%@`#][^#]*?)\s*:(?:\s|\Z)""")


def lines_are_list(value: Any, lines: list[str]) -> bool:
    """Say whether the lines of a value below a key are a list."""
    if isinstance(value, Raw):
        code = next((line for line in lines if line and not line.startswith("#")), "")
        return code.startswith("- ") or code == "-"
    return isinstance(value, list)


def is_block_text(text: str) -> bool:
    """Say whether a block scalar can hold the text without an indentation indicator."""
    return bool(_BLOCK_TEXT.match(text))


def literal(text: str, step: int) -> list[str]:
    """Return a text as a literal block scalar: the header, then the indented lines."""
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    header = "|-" if ends == 0 else "|" if ends == 1 else "|+"
    indent = " " * step
    lines = body.split("\n") + [""] * max(ends - 1, 0)
    return [header, *(indent + line if line else line for line in lines)]
