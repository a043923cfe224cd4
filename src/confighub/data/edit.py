"""Edits as splices: only the addressed bytes change; comments, order, quotes and indentation elsewhere stay.

A splice says which bytes of a document give way to which others. The functions here work out splices for one change;
``Editor`` strings changes together and applies them at once. Positions hold for the document they were made for.
What cannot be edited safely (a place behind an alias, ``? key`` entries, equal keys beside it) is refused by name.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from confighub.data import render, scalars, spans
from confighub.data.document import Document
from confighub.data.path import Step, Steps, join
from confighub.data.render import Raw
from confighub.data.tree import (
    ALIAS,
    BLOCK_SCALAR,
    DOUBLE,
    FLOW,
    FOLDED,
    LITERAL,
    MAP,
    NONE,
    PROPERTIES,
    SEQ,
    SINGLE,
    child_at,
    first_child,
    last_child,
    next_sibling,
    node_type,
    parent,
    prev_sibling,
)
from confighub.errors import BadPath


class Splice(NamedTuple):
    """Bytes ``start:end`` of a document give way to ``new``."""

    start: int
    end: int
    new: bytes


def spliced(source: bytes, splices: list[Splice]) -> bytes:
    """Return the bytes with all splices applied; those at one place follow in the given order."""
    if len(splices) == 1:
        start, end, new = splices[0]
        return source[:start] + new + source[end:]
    parts: list[bytes] = []
    at = 0
    for start, end, new in sorted(splices, key=_order):
        if start < at:
            raise BadPath("two edits overlap")
        parts += (source[at:start], new)
        at = end
    parts.append(source[at:])
    return b"".join(parts)


def _order(splice: Splice) -> int:
    return splice.start


def locate(document: Document, steps: Steps) -> tuple[int, int]:
    """Return the node at the steps, or the deepest existing one, and how many steps lead there.

    Raises: BadPath when the way leads through an alias, or a map on it has equal keys.
    """
    if not document.has_aliases and not document.has_equal_keys:
        for depth in range(len(steps), -1, -1):
            node = document.find(steps[:depth])
            if node != NONE:
                return node, depth
    return _locate_closely(document, steps)


def _locate_closely(document: Document, steps: Steps) -> tuple[int, int]:
    tree, node = document.tree, document.root
    for depth, step in enumerate(steps):
        kind = node_type(tree, node)
        if kind & ALIAS:
            raise BadPath(f"{join(steps[:depth])} is an alias; edit the place of its anchor, or write the value out")
        below = document.find_child(node, step) if kind & (MAP | SEQ) else NONE
        if below == NONE:
            return node, depth
        node = below
    return node, len(steps)


def set_value(document: Document, steps: Steps, value: Any) -> list[Splice]:
    """Return the splices that put a value at the steps; missing map keys are added, list items are not.

    The value is a scalar, plain data, or Raw text. An existing scalar's quotes are kept.
    Raises: BadPath when the steps do not fit the document.
    """
    node, depth = locate(document, steps)
    return set_at(document, node, depth, steps, value)


def set_at(document: Document, node: int, depth: int, steps: Steps, value: Any) -> list[Splice]:
    """Return the splices of set_value for a place that ``locate`` found."""
    if depth == len(steps):
        return replace(document, node, value)
    kind = node_type(document.tree, node)
    rest = steps[depth:]
    for step in reversed(rest[1:]):
        # a position in a list that is not there: lists are never made up
        if isinstance(step, int) or step.isdigit():
            raise BadPath(f"no list item at {join(steps)}")
        value = {step: value}
    first = rest[0]
    if kind & SEQ:
        raise BadPath(f"no list item at {join(steps[: depth + 1])}")
    if kind & MAP:
        return add_key(document, node, str(first), value)
    if document.scalar(node) is not None:
        raise BadPath(f"{join(steps[:depth]) or 'the document'} is no map")
    return replace(document, node, {str(first): value})


def replace(document: Document, node: int, value: Any) -> list[Splice]:
    """Return the splices that put a value in the place of a node's value."""
    leaf = leaf_splice(document, node, value)
    return [leaf] if leaf is not None else _replace_whole(document, node, node_type(document.tree, node), value)


def leaf_splice(document: Document, node: int, value: Any) -> Splice | None:
    """Return the splice that puts a scalar in a scalar's place; nothing else can change its meaning by that.

    None when either is more: a container, an alias, or raw text over several lines.
    """
    kind = node_type(document.tree, node)
    if kind & (MAP | SEQ | ALIAS) or isinstance(value, (dict, list)):
        return None
    if not isinstance(value, Raw):
        return _set_scalar(document, node, kind, value)
    if kind & (PROPERTIES | BLOCK_SCALAR) or "\n" in value.text.rstrip("\n"):
        return None
    if node == document.root or _in_flow(document, node) or isinstance(plain(value), (dict, list)):
        return None
    start, end = spans.scalar_span(document, node)
    if start == end or document.source.find(b"\n", start, end) >= 0:
        return None
    # the text brings its own comment, or none
    end = _comment_behind_span(document.source, end)[1]
    return Splice(start, end, value.text.rstrip("\n").encode())


def _set_scalar(document: Document, node: int, kind: int, value: scalars.Scalar) -> Splice:
    start, end = spans.scalar_span(document, node)
    if kind & BLOCK_SCALAR and isinstance(value, str):
        end = _behind_kept_lines(document, end, value)
        return Splice(start, end, _block_scalar(document, node, kind, value, is_last=end == len(document.source)))
    style = "double" if kind & DOUBLE else "single" if kind & SINGLE else "plain"
    if isinstance(value, str) and "\n" in value and style == "plain" and not _in_flow(document, node) and start < end:
        return _become_block(document, node, value, start, end)
    text = scalars.written(value, style=style, flow=_in_flow(document, node), is_new=False)
    if style == "plain" and text[:1] in "\"'" and isinstance(value, str) and render.layout(document).is_json:
        text = scalars.double_quoted(value)
    if start == end and document.source[start - 1 : start] in (b":", b"-"):
        text = " " + text
    return Splice(start, end, text.encode())


def _become_block(document: Document, node: int, value: str, start: int, end: int) -> Splice:
    """Return the splice that makes a plain scalar a block; a comment beside it moves up to the block's header."""
    source = document.source
    stop = spans.line_end(source, end)
    beside = source[end:stop].rstrip()
    stop = _behind_kept_lines(document, stop, value)
    text = _block_scalar(document, node, LITERAL, value, is_last=not source[stop:].strip(b" "))
    header, newline, body = text.partition(document.newline)
    return Splice(start, stop, header + beside + newline + body)


def _behind_kept_lines(document: Document, end: int, value: str) -> int:
    # empty lines that follow would become part of a text that keeps its line ends
    return spans.behind_empty_lines(document.source, end) if value.endswith("\n\n") else end


def _in_flow(document: Document, node: int) -> bool:
    return node != document.root and bool(node_type(document.tree, parent(document.tree, node)) & FLOW)


def _block_scalar(document: Document, node: int, kind: int, value: str, *, is_last: bool) -> bytes:
    if not render.is_block_text(value):
        return scalars.double_quoted(value).encode()
    lines = render.literal(value, 0)
    if kind & FOLDED and "\n" not in value.rstrip("\n"):
        lines[0] = ">" + lines[0][1:]
    if node == document.root:
        indent = 2
    else:
        up = parent(document.tree, node)
        at = spans.entry_start(document, node)
        indent = spans.column(document.source, at) + (
            2 if node_type(document.tree, up) & SEQ else render.layout(document).step
        )
    prefix = " " * indent
    text = _joined(document, [lines[0], *(prefix + line if line else line for line in lines[1:])])
    return text + document.newline if is_last and value.endswith("\n") else text


def _joined(document: Document, lines: list[str]) -> bytes:
    return document.newline.join(line.encode() for line in lines)


def _replace_whole(document: Document, node: int, kind: int, value: Any) -> list[Splice]:
    source = document.source
    if node == document.root:
        start, end = spans.value_span(document, node)
        return [Splice(start, end, _joined(document, render.block(value, render.layout(document))))]
    form = render.layout_for(document, value)
    if _in_flow(document, node):
        start, end = spans.value_span(document, node)
        return [Splice(start, end, render.flow(plain(value), form).encode())]
    up = parent(document.tree, node)
    in_list = bool(node_type(document.tree, up) & SEQ)
    behind = (spans.dash(document, node) + 1) if in_list else spans.after_key(document, node)
    start, end = spans.value_span(document, node)
    entry_column = spans.column(source, spans.entry_start(document, node))
    lines = render.block(value, form)
    if in_list:
        if isinstance(value, Raw) and not kind & (MAP | SEQ | BLOCK_SCALAR):
            # the text brings its own comment, or none
            end = comment_span(document, node)[1]
        body = [lines[0], *_indented(lines[1:], entry_column + 2)]
        return [Splice(behind, end, b" " + _joined(document, body))]
    if not render.goes_below(value, lines):
        body = [lines[0], *_indented(lines[1:], entry_column)]
        if (
            isinstance(value, Raw)
            and not kind & (MAP | SEQ)
            and not source[end : spans.line_end(source, end)].strip(b" ")
        ):
            end = spans.line_end(source, end)
        elif isinstance(value, Raw) and not kind & (MAP | SEQ | BLOCK_SCALAR):
            end = comment_span(document, node)[1]
        if start < end and source.find(b"\n", behind, start) < 0:
            return [Splice(start, end, _joined(document, body))]
        return [Splice(behind, end, b" " + _joined(document, body))]
    indent = entry_column + (form.dash if render.lines_are_list(value, lines) else form.step)
    below = document.newline + _joined(document, _indented(lines, indent))
    if kind & (MAP | SEQ) and not kind & (FLOW | ALIAS):
        # a block gives way to a block: a comment beside the key stays there
        first = spans.line_end(source, behind)
        return [Splice(first, end, below)] if first <= start else [Splice(behind, end, below)]
    comment = spans.line_end(source, end)
    return [Splice(behind, end, b""), Splice(comment, comment, below)]


def _indented(lines: list[str], indent: int) -> list[str]:
    prefix = " " * indent
    return [prefix + line if line else line for line in lines]


def plain(value: Any) -> Any:
    """Return a value as plain data, Raw text read."""
    if isinstance(value, Raw):
        from confighub.data.document import document

        return document(value.text.encode()).data
    return value


def add_key(document: Document, node: int, key: str, value: Any) -> list[Splice]:
    """Return the splices that add an entry at the end of a map."""
    tree, source = document.tree, document.source
    form = render.layout_for(document, value)
    last = last_child(tree, node)
    if node_type(tree, node) & FLOW or last == NONE:
        return [_add_to_flow(document, node, last, render.flow_entry(key, plain(value), form))]
    at = spans.entry_start(document, last)
    indent = spans.column(source, at)
    lines = _indented(render.entry(key, value, form), indent)
    return [_insert_below(document, _end_of_block(document, last, indent), lines)]


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


def _end_of_block(document: Document, last: int, indent: int) -> int:
    """Return where a block ends: behind its last entry and the one group of comments in its column that follows.

    At the end of a text, comments behind a blank line belong to the whole document.
    """
    source = document.source
    first = end = spans.line_end(source, spans.value_end(document, last))
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
    return first if has_gap else end


def _insert_below(document: Document, at: int, lines: list[str]) -> Splice:
    text = document.newline + _joined(document, lines)
    if at == len(document.source) and any(line.endswith(("|", "|+", ">", ">+")) for line in lines):
        # the last line of a block scalar needs its line end: it belongs to the value
        text += document.newline
    return Splice(at, at, text)


def add_item(document: Document, node: int, value: Any, *, after: int | None = None) -> list[Splice]:
    """Return the splices that add a list item behind ``after`` (a node), at the front for NONE, else at the end."""
    tree, source = document.tree, document.source
    form = render.layout_for(document, value, in_list=True)
    last = last_child(tree, node) if after is None else after
    if node_type(tree, node) & FLOW or first_child(tree, node) == NONE:
        text = render.flow(plain(value), form)
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
            return [Splice(line, line, _joined(document, _indented(lines, indent)) + document.newline)]
        body = [lines[0], *_indented(lines[1:], indent)]
        return [Splice(first, first, _joined(document, body) + document.newline + b" " * indent)]
    indent = spans.column(source, spans.dash(document, last))
    lines = _indented(render.list_item(value, form), indent)
    end = spans.line_end(source, spans.value_end(document, last))
    if next_sibling(tree, last) == NONE:
        # beside a list whose dashes stand in the column of its key, a comment may be about the next key
        is_indented = node != document.root and indent > spans.column(source, spans.entry_start(document, node))
        end = _end_of_block(document, last, indent if is_indented else indent + 1)
    return [_insert_below(document, end, lines)]


def remove(document: Document, node: int) -> list[Splice]:
    """Return the splices that take an entry out, with the comment lines directly above it.

    The last entry of a container leaves it empty, written as ``{}`` or ``[]``.
    """
    tree = document.tree
    if node == document.root:
        raise BadPath("a whole document is removed from its text, not from itself")
    up = parent(tree, node)
    kind = node_type(tree, up)
    if first_child(tree, up) == last_child(tree, up):
        return _empty(document, up, b"{}" if kind & MAP else b"[]")
    if kind & FLOW:
        return [_remove_from_flow(document, node)]
    return [_remove_lines(document, node)]


def _empty(document: Document, container: int, text: bytes) -> list[Splice]:
    start, end = spans.value_span(document, container)
    if container != document.root and not node_type(document.tree, container) & FLOW:
        up = parent(document.tree, container)
        in_list = node_type(document.tree, up) & SEQ
        behind = (spans.dash(document, container) + 1) if in_list else spans.after_key(document, container)
        return [Splice(behind, end, b" " + text)]
    return [Splice(start, end, text)]


def _remove_from_flow(document: Document, node: int) -> Splice:
    tree = document.tree
    before, behind = prev_sibling(tree, node), next_sibling(tree, node)
    if before != NONE:
        return Splice(spans.value_end(document, before), spans.value_end(document, node), b"")
    return Splice(spans.entry_start(document, node), spans.entry_start(document, behind), b"")


def _remove_lines(document: Document, node: int) -> Splice:
    source, _tree = document.source, document.tree
    start = spans.entry_start(document, node)
    end = spans.line_end(source, spans.value_end(document, node))
    line = spans.line_start(source, start)
    if source[line:start].strip():
        return _remove_beside_dash(document, node, start, end)
    line = first_comment_above(source, line, start - line)
    newline = source.find(b"\n", end)
    if newline >= 0:
        return Splice(line, newline + 1, b"")
    # the last line of a text that ends without a line end takes the line end before it along
    before = spans.line_end(source, line - 1) if line else 0
    return Splice(before, end, b"")


def _remove_beside_dash(document: Document, node: int, start: int, end: int) -> Splice:
    source = document.source
    behind = next_sibling(document.tree, node)
    following = spans.entry_start(document, behind)
    if b"#" in source[end:following]:
        # a comment of the next entry: it stays, below the bare dash
        return Splice(len(source[:start].rstrip(b" ")), end, b"")
    return Splice(start, following, b"")


def first_comment_above(source: bytes, line: int, indent: int) -> int:
    """Return the start of the comment lines directly above a line and in its column; the line itself if none."""
    while line > 0:
        above = spans.line_start(source, line - 1)
        text = source[above : line - 1]
        stripped = text.lstrip(b" ")
        if not stripped.startswith(b"#") or len(text) - len(stripped) != indent:
            break
        line = above
    return line


def comment_span(document: Document, node: int) -> tuple[int, int]:
    """Return where the comment beside a node's value stands, ``#`` to line end; empty at the line end when none."""
    source = document.source
    tree = document.tree
    kind = node_type(tree, node)
    if kind & (MAP | SEQ) and not kind & (FLOW | ALIAS):
        behind = (
            spans.after_key(document, node)
            if node_type(tree, parent(tree, node)) & MAP
            else spans.dash(document, node) + 1
        )
        at = behind
    elif kind & BLOCK_SCALAR:
        at = spans.scalar_span(document, node)[0]
    else:
        at = spans.value_span(document, node)[1]
    return _comment_behind_span(source, at)


def _comment_behind_span(source: bytes, at: int) -> tuple[int, int]:
    end = spans.line_end(source, at)
    found = source.find(b" #", at, end)
    return (found + 1, end) if found >= 0 else (end, end)


def comment_behind(source: bytes, end: int) -> str:
    """Return the comment behind a value that ends there, on the same line, or an empty text."""
    line_end = source.find(b"\n", end)
    found = source.find(b" #", end, line_end if line_end >= 0 else len(source))
    return "" if found < 0 else source[found + 1 : line_end if line_end >= 0 else len(source)].decode().rstrip()


def comment_beside(document: Document, node: int) -> str:
    """Return the comment on a value's own line, from its ``#``, or an empty text."""
    start, end = comment_span(document, node)
    return document.source[start:end].decode().rstrip()


def set_comment(document: Document, node: int, text: str) -> list[Splice]:
    """Return the splices that put a comment beside a value; an empty text takes it away.

    Inside brackets, in JSON and beside a list in block form there is no room for one: nothing changes.
    """
    source = document.source
    is_block_list = node_type(document.tree, node) & SEQ and not node_type(document.tree, node) & FLOW
    if _in_flow(document, node) or is_block_list or render.layout(document).is_json:
        return []
    start, end = comment_span(document, node)
    if not text:
        return [Splice(len(source[:start].rstrip(b" ")), end, b"")] if start < end else []
    comment = "# " + text.replace("\n", " ") if not text.startswith("#") else text.replace("\n", " ")
    if start < end:
        return [Splice(start, end, comment.encode())]
    return [Splice(end, end, b" " + comment.encode())]


def item_at(document: Document, node: int, position: int) -> int:
    """Return a list's item by position, or NONE."""
    return int(child_at(document.tree, node, position))


__all__ = ["Raw", "Splice", "Step", "add_item", "add_key", "remove", "replace", "set_value", "spliced"]
