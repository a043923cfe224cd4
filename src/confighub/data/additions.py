"""Adding entries to maps and lists."""

from __future__ import annotations

import re
from typing import Any

from confighub.data import render, spans
from confighub.data.comments import first_comment_above
from confighub.data.document import Document
from confighub.data.render import Raw
from confighub.data.splice import Splice, indented, joined
from confighub.data.tree import (
    ALIAS,
    BLOCK_SCALAR,
    FLOW,
    MAP,
    NONE,
    PROPERTIES,
    SEQ,
    first_child,
    last_child,
    next_sibling,
    node_type,
)

_SIMPLE_KEY = re.compile(r"[A-Za-z_][\w./-]*\Z", re.ASCII)
_SCALAR = r"""(?:[\w/.+][^|>#"'&*!?%@`{}\[\]\\\n]*|"[^"\\\n]*"|'[^'\n]*')"""
_KEY = r" *(?:- )*[A-Za-z_][\w./-]*:"
_SIMPLE_TEXT = re.compile(rf"(?:(?:{_KEY}(?: {_SCALAR})?\n)*{_KEY} {_SCALAR}|{_SCALAR})\n?\Z", re.ASCII)


def add_key(document: Document, node: int, key: str, value: Any) -> list[Splice]:
    """Return the splices that add an entry at the end of a map."""
    tree, source = document.tree, document.source
    form = render.layout_for(document, value)
    last = last_child(tree, node)
    if node_type(tree, node) & FLOW or last == NONE:
        return [_add_to_flow(document, node, last, render.flow_entry(key, render.plain(value), form))]
    at = spans.entry_start(document, last)
    indent = spans.column(source, at)
    lines = indented(render.entry(key, value, form), indent)
    below, is_simple = _line_behind(document, last)
    end = _end_of_block(source, below, indent)
    is_sure = (
        is_simple
        and end == below
        and not source[at - indent : at].strip(b" -")
        and _is_simple({key: value} if not isinstance(value, Raw) else value)
        and bool(_SIMPLE_KEY.match(key))
    )
    return [_insert_below(document, end, lines, is_sure=is_sure)]


def _line_behind(document: Document, entry: int) -> tuple[int, bool]:
    """Return the line end behind an entry, and whether that line ends in a scalar that has no other line."""
    tree, source, node = document.tree, document.source, entry
    kind = node_type(tree, node)
    while kind & (MAP | SEQ) and not kind & (FLOW | ALIAS) and last_child(tree, node) != NONE:
        node = last_child(tree, node)
        kind = node_type(tree, node)
    if kind & (MAP | SEQ | ALIAS | PROPERTIES | BLOCK_SCALAR):
        return spans.line_end(source, spans.value_end(document, node)), False
    start, end = spans.scalar_span(document, node)
    return spans.line_end(source, end), start < end and source.find(b"\n", start, end) < 0


def _is_simple(value: Any) -> bool:
    """Say whether every scalar of a value is written on one line under a simple key."""
    if isinstance(value, dict):
        return all(_SIMPLE_KEY.match(key) and _is_simple(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_simple(item) for item in value)
    if isinstance(value, Raw):
        return bool(_SIMPLE_TEXT.match(value.text))
    return not isinstance(value, str) or "\n" not in value


def _add_to_flow(document: Document, node: int, last: int, text: str) -> Splice:
    source = document.source
    opening = spans.opening(document, node)
    if last == NONE:
        return Splice(opening + 1, spans.flow_end(source, opening) - 1, text.encode())
    end = spans.value_end(document, last)
    separator = b", "
    start = spans.entry_start(document, last)
    line = spans.line_start(source, start)
    if not source[line:start].strip() and line > opening:
        separator = b"," + document.newline + source[line:start]
        stop = spans.line_end(source, end)
        beside = source[end:stop]
        if beside.lstrip().startswith(b"#"):
            # the comma goes before the comment, which stays with its value
            return Splice(end, stop, b"," + beside + separator[1:] + text.encode())
    elif render.layout(document).is_compact:
        separator = b","
    return Splice(end, end, separator + text.encode())


def _end_of_block(source: bytes, below: int, indent: int) -> int:
    """Return where a block ends: ``below``, or behind the one group of comments in its column that follows.

    At the end of a text, comments behind a blank line belong to the whole document.
    """
    end = below
    has_gap = has_comment = False
    line = source.find(b"\n", end) + 1
    while 0 < line < len(source):
        stop = spans.line_end(source, line)
        text = source[line:stop]
        code = text.lstrip(b" ")
        if code.startswith(b"#") and len(text) - len(code) >= indent:
            end, has_comment = stop, True
        elif not code.strip() and not has_comment:
            has_gap = True
        else:
            return end
        line = source.find(b"\n", stop) + 1
    return below if has_gap else end


def _insert_below(document: Document, at: int, lines: list[str], *, is_sure: bool = False) -> Splice:
    text = document.newline + joined(document, lines)
    if at == len(document.source) and any(line.endswith(("|", "|+", ">", ">+")) for line in lines):
        # the last line of a block scalar needs its line end: it belongs to the value
        text += document.newline
    return Splice(at, at, text, is_sure)


def add_item(document: Document, node: int, value: Any, *, after: int | None = None) -> list[Splice]:
    """Return the splices that add a list item behind ``after`` (a node), at the front for NONE, else at the end."""
    tree, source = document.tree, document.source
    form = render.layout_for(document, value, in_list=True)
    last = last_child(tree, node) if after is None else after
    if node_type(tree, node) & FLOW or first_child(tree, node) == NONE:
        text = render.flow(render.plain(value), form)
        if last == NONE and first_child(tree, node) != NONE:
            start = spans.entry_start(document, first_child(tree, node))
            return [Splice(start, start, text.encode() + b", ")]
        return [_add_to_flow(document, node, last, text)]
    if last == NONE:
        first = spans.dash(document, first_child(tree, node))
        indent = spans.column(source, first)
        line = spans.line_start(source, first)
        lines = render.list_item(value, form)
        if not source[line:first].strip():
            line = first_comment_above(source, line, indent)
            return [Splice(line, line, joined(document, indented(lines, indent)) + document.newline)]
        body = [lines[0], *indented(lines[1:], indent)]
        return [Splice(first, first, joined(document, body) + document.newline + b" " * indent)]
    dash = spans.dash(document, last)
    indent = spans.column(source, dash)
    lines = indented(render.list_item(value, form), indent)
    end, is_simple = _line_behind(document, last)
    is_sure = is_simple and not source[dash - indent : dash].strip(b" ") and _is_simple(value)
    if next_sibling(tree, last) == NONE:
        # beside a list whose dashes stand in the column of its key, a comment may be about the next key
        is_indented = node != document.root and indent > spans.column(source, spans.entry_start(document, node))
        below, end = end, _end_of_block(source, end, indent if is_indented else indent + 1)
        is_sure = is_sure and end == below
    return [_insert_below(document, end, lines, is_sure=is_sure)]
