"""Where the nodes of a document stand in its bytes.

All positions are byte offsets into ``document.source``; spans are half-open. An *entry* is a key with its value, or a
list item with its dash. Forms that no span can describe safely (``? key`` entries, keys with anchors, scalars that the
parser had to decode elsewhere) raise BadPath that names the form, and the caller edits nothing.
"""

from __future__ import annotations

import re

from confighub.data.document import Document
from confighub.data.tree import (
    ALIAS,
    BLOCK_SCALAR,
    DOUBLE,
    FLOW,
    KEY_DOUBLE,
    KEY_PROPERTIES,
    KEY_QUOTED,
    MAP,
    NONE,
    PROPERTIES,
    SEQ,
    SINGLE,
    first_child,
    key_place,
    last_child,
    next_sibling,
    node_key,
    node_type,
    node_value,
    parent,
    prev_sibling,
    value_place,
    value_size,
)
from confighub.errors import BadPath

_DOUBLE = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SINGLE = re.compile(rb"'(?:[^']|'')*'")
_BLANK = re.compile(rb"(?:[ \t\r\n]+|(?:(?<=[ \t\r\n])|(?<![\s\S]))#[^\n]*)*")
"""White space and comments; a comment needs white space, or nothing at all, before it."""
_PROPERTY = re.compile(rb"(?:[&!][^ \t\r\n,\[\]{}]*)[ \t]*")
_ALIAS = re.compile(rb"\*[^ \t\r\n,\[\]{}]+")
_SPACES = re.compile(rb"[ \t]*")
_EMPTY_LINES = re.compile(rb"(?:\r?\n[ \t]*(?=\r?\n|\Z))*")
_CONTENT_INDENT = re.compile(rb"(?:[ \t]*\r?\n)*( *)[^ \r\n]")


def key_span(document: Document, node: int) -> tuple[int, int]:
    """Return where a map entry's key stands, quotes included."""
    tree, source = document.tree, document.source
    kind = node_type(tree, node)
    if kind & KEY_PROPERTIES:
        raise BadPath("a key with an anchor, alias or tag cannot be edited")
    start = key_place(tree, node)
    if kind & KEY_QUOTED:
        start -= 1
        pattern = _DOUBLE if kind & KEY_DOUBLE else _SINGLE
        match = pattern.match(source, start) if 0 <= start < len(source) else None
        if match is None:
            raise BadPath("this form of key cannot be edited")
        return start, match.end()
    key = node_key(tree, node)
    end = start + len(key)
    if not 0 <= start <= end <= len(source) or not source.startswith(key, start):
        raise BadPath("this form of key cannot be edited")
    return start, end


def after_key(document: Document, node: int) -> int:
    """Return the offset behind the colon of a map entry."""
    _, end = key_span(document, node)
    source = document.source
    colon = _SPACES.match(source, end).end()  # type: ignore[union-attr]
    if source[colon : colon + 1] != b":":
        raise BadPath(f"the entry of {document.key_of(node)} has a form that cannot be edited")
    return colon + 1


def skip_blank(source: bytes, at: int) -> int:
    """Return the offset of the next token at or behind ``at``, past white space and comments."""
    match = _BLANK.match(source, at)
    return match.end() if match else at


def is_flow(document: Document, node: int) -> bool:
    """Say whether a container is written with brackets."""
    return bool(node_type(document.tree, node) & FLOW)


def value_start(document: Document, node: int) -> int:
    """Return where a node's value begins, its anchor and tag included; behind the colon or dash when it has none."""
    tree, source = document.tree, document.source
    if node == document.root:
        return skip_blank(source, 0)
    up = parent(tree, node)
    if node_type(tree, up) & MAP:
        behind = after_key(document, node)
    elif is_flow(document, up):
        return _flow_item_start(document, node)
    else:
        behind = dash(document, node) + 1
    if _is_empty(document, node):
        return behind
    return skip_blank(source, behind)


def _is_empty(document: Document, node: int) -> bool:
    kind = node_type(document.tree, node)
    if kind & (MAP | SEQ | PROPERTIES | ALIAS):
        return False
    return not kind & (SINGLE | DOUBLE | BLOCK_SCALAR) and value_size(document.tree, node) == 0


def value_span(document: Document, node: int) -> tuple[int, int]:
    """Return where a node's value stands: quotes and brackets, anchor and tag included."""
    tree, source = document.tree, document.source
    kind = node_type(tree, node)
    if not kind & (MAP | SEQ | PROPERTIES | ALIAS | BLOCK_SCALAR):
        return scalar_span(document, node)
    start = value_start(document, node)
    if kind & ALIAS:
        match = _ALIAS.match(source, start)
        if match is None:
            raise BadPath("this alias cannot be edited")
        return match.span()
    return start, value_end(document, node, start)


def scalar_span(document: Document, node: int) -> tuple[int, int]:
    """Return where a scalar stands without its anchor and tag; for a block scalar with its header and last line end."""
    tree, source = document.tree, document.source
    kind = node_type(tree, node)
    size = value_size(tree, node)
    if size == 0 and not kind & (SINGLE | DOUBLE | BLOCK_SCALAR):
        start = (
            _behind_properties(source, value_start(document, node))
            if kind & PROPERTIES
            else value_start(document, node)
        )
        return start, start
    if kind & BLOCK_SCALAR:
        start = _behind_properties(source, value_start(document, node))
        return start, _block_scalar_end(document, node, start)
    start = value_place(tree, node)
    if kind & (SINGLE | DOUBLE):
        start -= 1
        match = (_DOUBLE if kind & DOUBLE else _SINGLE).match(source, start) if 0 <= start < len(source) else None
        if match is None:
            start = _behind_properties(source, value_start(document, node))
            match = (_DOUBLE if kind & DOUBLE else _SINGLE).match(source, start)
            if match is None:
                raise BadPath("this form of text cannot be edited")
        return start, match.end()
    if not 0 <= start < len(source):
        raise BadPath("this form of text cannot be edited")
    value = node_value(tree, node) or b""
    if not source.startswith(value, start):
        return start, _folded_end(source, start, value)
    return start, start + size


def _folded_end(source: bytes, start: int, value: bytes) -> int:
    # plain text over several lines: the parser joined the words with single spaces or line ends
    match = re.compile(rb"\s+".join(re.escape(word) for word in value.split())).match(source, start)
    if match is None:
        raise BadPath("this form of text cannot be edited")
    return match.end()


def _behind_properties(source: bytes, at: int) -> int:
    while source[at : at + 1] in (b"&", b"!"):
        match = _PROPERTY.match(source, at)
        if match is None or match.end() == at:
            break
        at = match.end()
    if source[at : at + 1] in (b"\r", b"\n", b"#"):
        return skip_blank(source, at)
    return at


def value_end(document: Document, node: int, start: int | None = None) -> int:
    """Return where a node's value ends: behind the last character of its last line, or its closing bracket."""
    tree, source = document.tree, document.source
    kind = node_type(tree, node)
    if kind & (MAP | SEQ) and not kind & ALIAS:
        if kind & FLOW:
            return flow_end(source, _bracket(document, node, start))
        last = last_child(tree, node)
        if last == NONE:
            raise BadPath("an empty block cannot be edited")
        return value_end(document, last)
    if kind & ALIAS:
        return value_span(document, node)[1]
    return scalar_span(document, node)[1]


def _bracket(document: Document, node: int, start: int | None = None) -> int:
    """Return where a flow container's opening bracket stands."""
    at = value_start(document, node) if start is None else start
    return _behind_properties(document.source, at)


def opening(document: Document, node: int) -> int:
    """Return where the opening bracket of a flow container stands."""
    return _bracket(document, node)


def flow_end(source: bytes, start: int) -> int:
    """Return the offset behind the bracket that closes the one at ``start``."""
    depth, at, size = 0, start, len(source)
    while at < size:
        sign = source[at]
        if sign in b"[{":
            depth += 1
        elif sign in b"]}":
            depth -= 1
            if depth == 0:
                return at + 1
        elif sign in b"\"'" and source[at - 1] in b" \t\r\n,[{:":
            match = (_DOUBLE if sign == 0x22 else _SINGLE).match(source, at)
            if match is None:
                break
            at = match.end()
            continue
        elif sign == 0x23 and source[at - 1] in b" \t\r\n":
            end = source.find(b"\n", at)
            at = size if end < 0 else end
            continue
        at += 1
    raise BadPath("the brackets at this place cannot be followed")


def _flow_item_start(document: Document, node: int) -> int:
    source, tree = document.source, document.tree
    before = prev_sibling(tree, node)
    if before == NONE:
        return skip_blank(source, _bracket(document, parent(tree, node)) + 1)
    comma = skip_blank(source, value_end(document, before))
    if source[comma : comma + 1] != b",":
        raise BadPath("the list at this place cannot be followed")
    return skip_blank(source, comma + 1)


def dash(document: Document, node: int) -> int:
    """Return where the dash of a block list's item stands."""
    tree, source = document.tree, document.source
    before = prev_sibling(tree, node)
    if before != NONE:
        first = _first_offset(document, node)
        if first >= 0:
            at = _dash_before(source, first)
            if at >= 0:
                return at
        at = skip_blank(source, value_end(document, before))
    else:
        up = parent(tree, node)
        at = _behind_properties(source, value_start(document, up))
    if source[at : at + 1] != b"-":
        raise BadPath("the list at this place cannot be followed")
    return at


def _first_offset(document: Document, node: int) -> int:
    """Return the offset of a list item's first key, or -1 when it is no plain block map."""
    tree = document.tree
    kind = node_type(tree, node)
    if not kind & MAP or kind & (FLOW | PROPERTIES | ALIAS):
        return -1
    child = first_child(tree, node)
    if child == NONE or node_type(tree, child) & (KEY_PROPERTIES | KEY_QUOTED):
        return -1
    return key_place(tree, child)


def _dash_before(source: bytes, at: int) -> int:
    # "- key": only spaces between the dash and the key on its line
    line = source.rfind(b"\n", 0, at) + 1
    found = source.rfind(b"-", line, at)
    if found < 0 or source[found + 1 : at].strip(b" ") or not source[found + 1 : at]:
        return -1
    return found


def entry_start(document: Document, node: int) -> int:
    """Return where an entry begins: at its key, its dash, or in a flow list at its value."""
    tree = document.tree
    up = parent(tree, node)
    if node_type(tree, up) & MAP:
        return key_span(document, node)[0]
    if is_flow(document, up):
        return _flow_item_start(document, node)
    return dash(document, node)


def _block_scalar_end(document: Document, node: int, start: int) -> int:
    """Return the end of the last content line, its line end excluded; trailing blank lines are no content here."""
    source = document.source
    line_end = source.find(b"\n", start)
    if line_end < 0:
        return len(source)
    header = source[start:line_end]
    match = _CONTENT_INDENT.match(source, line_end + 1)
    if match is None:
        return line_end - (source[line_end - 1] == 0x0D)
    indent = _explicit_indent(document, node, header)
    if indent is None:
        indent = len(match.group(1))
    if node != document.root and indent <= _column_of_parent(document, node):
        return line_end - (source[line_end - 1] == 0x0D)
    lines = re.compile(rb"(?:(?:[ \t]*\r?\n)*" + rb" " * indent + rb"[^\n]*(?:\n|\Z))*")
    found = lines.match(source, line_end + 1)
    end = found.end() if found else line_end
    if found is None or end <= line_end + 1:
        return line_end - (source[line_end - 1] == 0x0D)
    return len(source[:end].rstrip(b"\r\n")) if source[end - 1 : end] == b"\n" else end


def behind_empty_lines(source: bytes, at: int) -> int:
    """Return the end of the last empty line that follows directly on the line that ends at ``at``, else ``at``."""
    match = _EMPTY_LINES.match(source, at)
    return match.end() if match else at


def _explicit_indent(document: Document, node: int, header: bytes) -> int | None:
    digits = re.match(rb"[|>][-+]?([1-9])|[|>]([1-9])", header)
    if not digits:
        return None
    return max(_column_of_parent(document, node), 0) + int(digits.group(1) or digits.group(2))


def _column_of_parent(document: Document, node: int) -> int:
    if node == document.root:
        return -1
    return column(document.source, entry_start(document, node))


def column(source: bytes, at: int) -> int:
    """Return how many bytes stand before ``at`` on its line."""
    return at - (source.rfind(b"\n", 0, at) + 1)


def line_start(source: bytes, at: int) -> int:
    """Return the offset of the first byte of the line that holds ``at``."""
    return source.rfind(b"\n", 0, at) + 1


def line_end(source: bytes, at: int) -> int:
    """Return the offset of the line end at or behind ``at``; a carriage return belongs to the line end."""
    end = source.find(b"\n", at)
    if end < 0:
        return len(source)
    return end - 1 if end > at and source[end - 1] == 0x0D else end


def line_of(source: bytes, at: int) -> int:
    """Return the number of the line that holds ``at``; the first is 1."""
    return source.count(b"\n", 0, at) + 1


def next_entry(document: Document, node: int) -> int:
    """Return the sibling behind a node, or NONE."""
    return next_sibling(document.tree, node)
