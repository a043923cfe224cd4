"""Comments: where they stand beside values and above entries."""

from __future__ import annotations

import re2

from confighub.data import render, spans
from confighub.data.document import Document
from confighub.data.splice import Splice, in_flow
from confighub.data.tree import ALIAS, BLOCK_SCALAR, FLOW, MAP, SEQ, node_type, parent


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
    return span_behind(source, at)


def span_behind(source: bytes, at: int) -> tuple[int, int]:
    """Return where the comment behind ``at`` stands on its line; empty at the line end when none.

    Behind a closing bracket it belongs to what the brackets enclose.
    """
    end = spans.line_end(source, at)
    found = source.find(b" #", at, end)
    return (found + 1, end) if found >= 0 and not source[at:found].strip(b" \t,") else (end, end)


# The code before a comment on its line; a false alarm, such as in a script, only costs time.
_BEFORE_COMMENT = re2.compile(r"(?m)^([^\n]*?[^\s])[ \t]+#")


def can_be_beside(document: Document, value: bytes, *, is_quoted: bool) -> bool:
    """Say whether a comment may stand beside a scalar with this text; quick, and never wrong with False."""
    words = document.memo.get("before comments")
    if words is None:
        words = document.memo["before comments"] = _before_comments(document.source)
    if not words or not value or is_quoted or b"" in words:
        return bool(words)
    return value.split()[-1:] == [] or value.split()[-1] in words


def _before_comments(source: bytes) -> frozenset[bytes]:
    """Return the last word before each comment, or only an empty one when brackets may be around such a line."""
    if b" #" not in source and b"\t#" not in source:
        return frozenset()
    codes = [match.group(1) for match in _BEFORE_COMMENT.finditer(source)]
    is_flow = any(sign in code for code in codes for sign in (b"[", b"]", b"{", b"}", b",", b'":', b"':"))
    return frozenset((b"",)) if is_flow else frozenset(code.split()[-1] for code in codes)


def comment_behind(source: bytes, end: int) -> str:
    """Return the comment behind a value that ends there, on the same line, or an empty text."""
    line_end = source.find(b"\n", end)
    found = source.find(b" #", end, line_end if line_end >= 0 else len(source))
    if found < 0 or source[end:found].strip(b" \t,"):
        return ""
    return source[found + 1 : line_end if line_end >= 0 else len(source)].decode().rstrip()


def comment_beside(document: Document, node: int) -> str:
    """Return the comment on a value's own line, from its ``#``, or an empty text."""
    start, end = comment_span(document, node)
    return document.source[start:end].decode().rstrip()


def set_comment(document: Document, node: int, text: str) -> list[Splice]:
    """Return the splices that put a comment beside a value; an empty text takes it away.

    Inside brackets, in JSON, and beside a list in block form or a map in one there is no room: nothing changes.
    """
    source, kind = document.source, node_type(document.tree, node)
    is_block = kind & (MAP | SEQ) and not kind & (FLOW | ALIAS)
    has_no_line = is_block and (
        kind & SEQ or (node != document.root and node_type(document.tree, parent(document.tree, node)) & SEQ)
    )
    if in_flow(document, node) or has_no_line or node == document.root or render.layout(document).is_json:
        return []
    start, end = comment_span(document, node)
    if not text:
        return [Splice(len(source[:start].rstrip(b" ")), end, b"")] if start < end else []
    comment = "# " + text.replace("\n", " ") if not text.startswith("#") else text.replace("\n", " ")
    if start < end:
        return [Splice(start, end, comment.encode())]
    return [Splice(end, end, b" " + comment.encode())]
