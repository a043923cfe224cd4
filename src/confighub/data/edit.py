"""Edits as splices: only the addressed bytes change; comments, order, quotes and indentation elsewhere stay.

The functions here, in additions, removals and comments work out the splices of one change; ``Editor`` strings changes
together and applies them at once. Positions hold for the document they were made for.
What cannot be edited safely (a place behind an alias, ``? key`` entries, equal keys beside it) is refused by name.
"""

from __future__ import annotations

from typing import Any

from confighub.data import additions, comments, render, scalars, spans
from confighub.data.document import Document
from confighub.data.path import Steps, join
from confighub.data.render import Raw
from confighub.data.splice import Splice, in_flow, indented, joined
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
    node_type,
    parent,
)
from confighub.errors import BadPath


def locate(document: Document, steps: Steps) -> tuple[int, int]:
    """Return the node at the steps, or the deepest existing one, and how many steps lead there.

    Raises: BadPath when the way leads through an alias, or a map on it has equal keys.
    """
    return _locate_closely(document, steps) if document.has_aliases else document.locate(steps)


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


def set_at(document: Document, node: int, depth: int, steps: Steps, value: Any) -> list[Splice]:
    """Return the splices that put a value at the steps; ``node`` and ``depth`` are what ``locate`` found.

    Missing map keys are added, list items are not. The value is a scalar, plain data, or Raw text. An existing scalar's
    quotes are kept.
    Raises: BadPath when the steps do not fit the document.
    """
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
        return additions.add_key(document, node, str(first), value)
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
    if node != document.root and node_type(document.tree, parent(document.tree, node)) & SEQ:
        value = value.parted()[1]
    if kind & (PROPERTIES | BLOCK_SCALAR) or "\n" in value.text.rstrip("\n"):
        return None
    if node == document.root or in_flow(document, node) or isinstance(render.plain(value), (dict, list)):
        return None
    start, end = spans.scalar_span(document, node)
    if start == end or document.source.find(b"\n", start, end) >= 0:
        return None
    # the text brings its own comment, or none
    end = comments.span_behind(document.source, end)[1]
    return Splice(start, end, (value.text.rstrip("\n") or "null").encode())


def _set_scalar(document: Document, node: int, kind: int, value: scalars.Scalar) -> Splice:
    start, end = spans.scalar_span(document, node)
    if kind & BLOCK_SCALAR and isinstance(value, str):
        end = _behind_kept_lines(document, end, value)
        return Splice(start, end, _block_scalar(document, node, kind, value, is_last=end == len(document.source)))
    style = "double" if kind & DOUBLE else "single" if kind & SINGLE else "plain"
    if isinstance(value, str) and "\n" in value and style == "plain" and not in_flow(document, node) and start < end:
        return _become_block(document, node, value, start, end)
    text = scalars.written(value, style=style, flow=in_flow(document, node), is_new=False)
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
    text = joined(document, [lines[0], *(prefix + line if line else line for line in lines[1:])])
    return text + document.newline if is_last and value.endswith("\n") else text


def _replace_whole(document: Document, node: int, kind: int, value: Any) -> list[Splice]:
    source = document.source
    if node == document.root:
        start, end = spans.value_span(document, node)
        return [Splice(start, end, joined(document, render.block(value, render.layout(document))))]
    form = render.layout_for(document, value)
    stays_flow = kind & FLOW and not kind & ALIAS and isinstance(value, (dict, list))
    if in_flow(document, node) or stays_flow:
        start, end = spans.value_span(document, node)
        return [Splice(start, end, render.flow(render.plain(value), form).encode())]
    up = parent(document.tree, node)
    in_list = bool(node_type(document.tree, up) & SEQ)
    if in_list and isinstance(value, Raw):
        # the comments above an item stay as they are
        value = value.parted()[1]
    behind = (spans.dash(document, node) + 1) if in_list else spans.after_key(document, node)
    start, end = spans.value_span(document, node)
    entry_column = spans.column(source, spans.entry_start(document, node))
    lines = render.block(value, form)
    if in_list:
        if isinstance(value, Raw) and not kind & (MAP | SEQ | BLOCK_SCALAR):
            # the text brings its own comment, or none
            end = comments.comment_span(document, node)[1]
        body = [lines[0], *indented(lines[1:], entry_column + 2)]
        return [Splice(behind, end, b" " + joined(document, body))]
    if not render.goes_below(value, lines):
        body = [lines[0], *indented(lines[1:], entry_column)]
        if (
            isinstance(value, Raw)
            and not kind & (MAP | SEQ)
            and not source[end : spans.line_end(source, end)].strip(b" ")
        ):
            end = spans.line_end(source, end)
        elif isinstance(value, Raw) and not kind & (MAP | SEQ | BLOCK_SCALAR):
            end = comments.comment_span(document, node)[1]
        if start < end and source.find(b"\n", behind, start) < 0:
            return [Splice(start, end, joined(document, body))]
        return [Splice(behind, end, b" " + joined(document, body))]
    indent = entry_column + (form.dash if render.lines_are_list(value, lines) else form.step)
    below = document.newline + joined(document, indented(lines, indent))
    if kind & (MAP | SEQ) and not kind & (FLOW | ALIAS):
        # a block gives way to a block: a comment beside the key stays there
        first = spans.line_end(source, behind)
        return [Splice(first, end, below)] if first <= start else [Splice(behind, end, below)]
    comment = spans.line_end(source, end)
    return [Splice(behind, end, b""), Splice(comment, comment, below)]
