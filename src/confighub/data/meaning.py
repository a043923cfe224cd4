"""What a parsed document means: plain dicts, lists and scalars.

Ordinary documents go from the parser's tree through its JSON to plain data, all in C. Those with anchors, tags, odd
numbers or equal keys are walked node by node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import re2
from ryml import ExceptionVisit, _ryml

from confighub.data import scalars
from confighub.data.tree import (
    ALIAS,
    ANCHOR,
    BLOCK_SCALAR,
    KEY_QUOTED,
    MAP,
    NONE,
    QUOTED,
    SEQ,
    TAG,
    Tree,
    address,
    children,
    first_child,
    key_place,
    node_key,
    node_type,
    parent,
    silenced,
    value_place,
    value_size,
)
from confighub.errors import NotYaml

MAX_EXPANDED_NODES = 100_000
"""How many nodes a document may have once its aliases are followed; a real manifest stays far below."""

MAX_DEPTH = 100
"""How many levels a document may have; the C parser's own limit for plain documents is a little lower."""

# Scalars that rapidyaml writes as text though plain ones mean a number, a boolean or null. RE2 scans nine times faster.
_ODD = re2.compile(
    r'"(?:~|True|TRUE|False|FALSE|Null|NULL|[-+]?0[0-9bBoOxX_]|[-+]?[1-9][0-9]*_[0-9_]*"|[-+]?\.(?:inf|Inf|INF)"'
    r'|\.(?:nan|NaN|NAN)")'
)


def quick(tree: Tree, size_bytes: int) -> tuple[Any, bool] | None:
    """Return the data, and whether some map has a key twice; None for a document that needs a walk.

    Only for documents without anchors, aliases and tags.
    """
    text = _json(tree, size_bytes)
    if text is None or _ODD.search(text):
        return None
    try:
        data = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return data, _has_equal_keys(text, data, tree)


def _has_equal_keys(text: bytes, data: Any, tree: Tree) -> bool:
    """Say whether the JSON has keys that its data lacks: the decoder took equal ones for one."""
    try:
        kept = _encode(data)
    except OverflowError:  # a number beyond 64 bits
        return bool(count_nodes(data) != tree.size())
    # a quote and a colon inside a text count on both sides
    return text.count(b'":') != kept.count(b'":')


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def _json(tree: Tree, size: int) -> bytes | None:
    """Return the tree as JSON, or None when it is nested too deep for the emitter."""
    # JSON of ordinary manifests is shorter than twice the YAML; the emitter says how much it would have needed
    buffer = bytearray(2 * size + 256)
    try:
        failed, needed = silenced(_ryml.emit_json_to_substr, tree.native, 0, buffer)
    except ExceptionVisit:
        return None
    if failed:
        buffer = bytearray(needed)
        _, needed = _ryml.emit_json_to_substr(tree.native, 0, buffer)
    return bytes(memoryview(buffer)[:needed])


def count_nodes(data: Any) -> int:
    """Count the nodes of plain data, to notice keys that the JSON decoder took for one."""
    kind = type(data)
    if kind is dict:
        values = data.values()
    elif kind is list:
        values = data
    else:
        return 1
    count = 1 + len(data)
    for value in values:
        if type(value) in _CONTAINERS and value:
            count += count_nodes(value) - 1
    return count


_CONTAINERS = frozenset({dict, list})


Place = Callable[[int], tuple[int, int]]
"""Tells the line and the column of an offset."""


def walked(tree: Tree, root: int, place: Place) -> Any:
    """Return the data, built node by node; aliases are followed, the first of equal keys counts.

    Raises: NotYaml for an unknown anchor, aliases that expand beyond measure, or too many levels.
    """
    return _Walk(tree, place).value(root)


class _Walk:
    """Builds data node by node: for documents with anchors, tags, odd numbers or equal keys."""

    def __init__(self, tree: Tree, place: Place) -> None:
        self.tree, self.place = tree, place
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.expanded = 0

    def value(self, root: int) -> Any:
        return self._visit(root, 0)[0]

    def _visit(self, node: int, depth: int) -> tuple[Any, int]:
        if depth > MAX_DEPTH:
            raise self._refused(node, f"nested deeper than {MAX_DEPTH} levels", "split the document")
        tree = self.tree
        kind = node_type(tree, node)
        if kind & ALIAS:
            return self._alias(node)
        found: tuple[Any, int]
        if kind & MAP:
            found = self._map(node, depth)
        elif kind & SEQ:
            items = [self._visit(child, depth + 1) for child in children(self.tree, node)]
            found = [item for item, _ in items], 1 + sum(size for _, size in items)
        else:
            found = scalar(tree, node, kind), 1
        if kind & ANCHOR:
            self.anchors[bytes(tree.native.val_anchor(node)).decode()] = found
        if found[1] > MAX_EXPANDED_NODES:
            reason = f"aliases expand to more than {MAX_EXPANDED_NODES} nodes"
            raise self._refused(node, reason, "write out what the aliases stand for")
        return found

    def _alias(self, node: int) -> tuple[Any, int]:
        name = bytes(self.tree.native.val_ref(node)).decode().lstrip("*")
        if name not in self.anchors:
            hint = f"put &{name} before the value that is meant, or quotes around the text"
            raise self._refused(node, f"unknown anchor: {name}", hint)
        return self.anchors[name]

    def _refused(self, node: int, reason: str, hint: str) -> NotYaml:
        line, column = 1, 1
        while node != NONE:
            at = self._start(node)
            if at is not None:
                line, column = self.place(at)
                break
            node = first_child(self.tree, node)
        return NotYaml(reason, line=line, column=column, hint=hint)

    def _start(self, node: int) -> int | None:
        """Return where the first thing of a node that has a place begins: its key, its alias, or its value."""
        tree, kind = self.tree, node_type(self.tree, node)
        if kind & ALIAS:
            return address(tree.native.val_ref(node)) - tree.base
        if node != NONE and parent(tree, node) != NONE and node_type(tree, parent(tree, node)) & MAP:
            return key_place(tree, node) if node_key(tree, node) else None
        return value_place(tree, node) if not kind & (MAP | SEQ) and value_size(tree, node) else None

    def _map(self, node: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        merged: list[Any] = []
        size = 1
        for child in children(self.tree, node):
            key = node_key(self.tree, child).decode()
            value, child_size = self._visit(child, depth + 1)
            size += child_size
            if key == "<<" and not node_type(self.tree, child) & KEY_QUOTED:
                merged += value if isinstance(value, list) else [value]
            else:
                found.setdefault(key, value)
        for source in merged:
            if isinstance(source, dict):
                for key, value in source.items():
                    found.setdefault(key, value)
        return found, size


_NOT_PLAIN = TAG | QUOTED | BLOCK_SCALAR


def scalar(tree: Tree, node: int, kind: int) -> scalars.Scalar:
    """Return what a scalar node of these type bits means; aliases are not followed."""
    text = tree.text(node)
    if not kind & _NOT_PLAIN:
        # most often a word
        return text if text[:1].isalpha() and text not in scalars.WORDS else scalars.resolve(text)
    if kind & TAG:
        tag = bytes(tree.native.val_tag(node)).decode()
        return _tagged(text, tag, plain=not kind & (QUOTED | BLOCK_SCALAR))
    if kind & (QUOTED | BLOCK_SCALAR):
        return text
    return scalars.resolve(text)


def _tagged(text: str, tag: str, *, plain: bool) -> scalars.Scalar:
    if tag in ("!!str", "!", "!<tag:yaml.org,2002:str>", "!!binary"):
        return text
    value = scalars.resolve(text)
    if tag == "!!float" and isinstance(value, int):
        return float(value)
    if tag.startswith("!!") or plain:
        return value
    return text
