"""Splices: which bytes of a document give way to which others."""

from __future__ import annotations

from typing import NamedTuple

from confighub.data.document import Document
from confighub.data.tree import FLOW, node_type, parent
from confighub.errors import BadPath


class Splice(NamedTuple):
    """Bytes ``start:end`` of a document give way to ``new``.

    ``is_sure`` says that nothing else can change its meaning by it, so that the text need not be read to know.
    """

    start: int
    end: int
    new: bytes
    is_sure: bool = False


def spliced(source: bytes, splices: list[Splice]) -> bytes:
    """Return the bytes with all splices applied; those at one place follow in the given order."""
    if len(splices) == 1:
        start, end, new, _ = splices[0]
        return source[:start] + new + source[end:]
    parts: list[bytes] = []
    at = 0
    for start, end, new, _ in sorted(splices, key=_order):
        if start < at:
            raise BadPath("two edits overlap")
        parts += (source[at:start], new)
        at = end
    parts.append(source[at:])
    return b"".join(parts)


def _order(splice: Splice) -> int:
    return splice.start


def joined(document: Document, lines: list[str]) -> bytes:
    """Return lines as bytes with the document's line ends between them."""
    return document.newline.join(line.encode() for line in lines)


def indented(lines: list[str], indent: int) -> list[str]:
    """Return the lines moved to the right; empty ones stay empty."""
    prefix = " " * indent
    return [prefix + line if line else line for line in lines]


def in_flow(document: Document, node: int) -> bool:
    """Say whether a node stands between brackets."""
    return node != document.root and bool(node_type(document.tree, parent(document.tree, node)) & FLOW)
