"""Taking entries out of maps and lists."""

from __future__ import annotations

from confighub.data import spans
from confighub.data.comments import first_comment_above
from confighub.data.document import Document
from confighub.data.splice import Splice
from confighub.data.tree import (
    FLOW,
    MAP,
    NONE,
    SEQ,
    first_child,
    last_child,
    next_sibling,
    node_type,
    parent,
    prev_sibling,
)
from confighub.errors import BadPath


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
    if node_type(document.tree, container) & FLOW:
        return [Splice(start, end, text)]
    # what stands behind the last entry is its comment
    end = spans.line_end(document.source, end)
    if container == document.root:
        return [Splice(start, end, text)]
    up = parent(document.tree, container)
    in_list = node_type(document.tree, up) & SEQ
    behind = (spans.dash(document, container) + 1) if in_list else spans.after_key(document, container)
    beside = spans.line_end(document.source, behind)
    # a comment beside the key stays there
    kept = document.source[behind:beside].rstrip() if beside < start else b""
    return [Splice(behind, end, b" " + text + kept)]


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
