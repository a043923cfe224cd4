"""The parser's flat tree by node ids: type bits, relations, and where scalars stand.

The C parser keeps its nodes in one array. Its generated wrappers cost half a microsecond a look, so the array itself is
read: one view on its memory, a number per field. Only versions whose layout is known are read so, after a look at a
sample; with others the same table is filled by the parser's own functions.
"""

from __future__ import annotations

import ctypes
import struct
from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import ryml
from ryml import _ryml

NONE: int = ryml.NONE
"""The node id that means "no such node"."""

MAP, SEQ, VAL, STREAM = ryml.MAP, ryml.SEQ, ryml.VAL, ryml.STREAM
FLOW = ryml.CONTAINER_STYLE_FLOW
QUOTED = ryml.VALQUO
SINGLE, DOUBLE = ryml.VAL_SQUO, ryml.VAL_DQUO
LITERAL, FOLDED = ryml.VAL_LITERAL, ryml.VAL_FOLDED
VAL_STYLE = ryml.VAL_STYLE
BLOCK_SCALAR = LITERAL | FOLDED
KEY_QUOTED = ryml.KEYQUO
KEY_DOUBLE = ryml.KEY_DQUO
ANCHOR, ALIAS, TAG = ryml.VALANCH, ryml.VALREF, ryml.VALTAG
PROPERTIES = ANCHOR | TAG
KEY_PROPERTIES = ryml.KEYANCH | ryml.KEYREF | ryml.KEYTAG

# Where the fields stand in a node, in words of eight bytes: type bits, then tag, text and anchor of the key and of the
# value (address and length each), then the ids of the neighbours.
_TYPE, _KEY, _KEY_SIZE, _VALUE, _VALUE_SIZE = 0, 3, 4, 9, 10
_PARENT, _FIRST, _LAST, _NEXT, _PREVIOUS = 13, 14, 15, 16, 17
_WORDS = 18
_BITS = 2**32 - 1
_KNOWN = ("0.15.",)
"""Versions of the parser that keep their nodes so."""


class Tree:
    """A parsed document: the parser's tree, its nodes as numbers, and the bytes they point into."""

    __slots__ = ("base", "buffer", "native", "root", "table")

    def __init__(self, native: Any, buffer: bytearray) -> None:
        # the tree points into this very buffer
        self.native, self.buffer, self.base = native, buffer, address_of(buffer)
        self.table: Sequence[int] = _table(native)
        # several documents would hang below a stream; the text is cut before, so there is one
        self.root = self.table[_FIRST] if self.table[_TYPE] & STREAM == STREAM else 0

    def size(self) -> int:
        """Return how many nodes there are."""
        return len(self.table) // _WORDS

    def _bytes(self, address: int, size: int) -> bytes:
        start = address - self.base
        if 0 <= start <= len(self.buffer) - size:
            return bytes(self.buffer[start : start + size])
        return ctypes.string_at(address, size)  # decoded elsewhere

    def text(self, node: int) -> str:
        """Return a scalar's text, decoded; empty when nothing stands there."""
        at = node * _WORDS
        address, size = self.table[at + _VALUE], self.table[at + _VALUE_SIZE]
        start = address - self.base
        if 0 <= start <= len(self.buffer) - size:
            return self.buffer[start : start + size].decode()
        return ctypes.string_at(address, size).decode() if address else ""


def node_type(tree: Tree, node: int) -> int:
    """Return a node's type bits."""
    return tree.table[node * _WORDS] & _BITS


def parent(tree: Tree, node: int) -> int:
    """Return the node above, or NONE."""
    return tree.table[node * _WORDS + _PARENT]


def first_child(tree: Tree, node: int) -> int:
    """Return a container's first node, or NONE; scalars have none."""
    return tree.table[node * _WORDS + _FIRST]


def last_child(tree: Tree, node: int) -> int:
    """Return a container's last node, or NONE; scalars have none."""
    return tree.table[node * _WORDS + _LAST]


def next_sibling(tree: Tree, node: int) -> int:
    """Return the node behind, or NONE."""
    return tree.table[node * _WORDS + _NEXT]


def prev_sibling(tree: Tree, node: int) -> int:
    """Return the node before, or NONE."""
    return tree.table[node * _WORDS + _PREVIOUS]


def children(tree: Tree, node: int) -> list[int]:
    """Return a node's children in source order."""
    table, found = tree.table, []
    child = table[node * _WORDS + _FIRST]
    while child != NONE:
        found.append(child)
        child = table[child * _WORDS + _NEXT]
    return found


def nth_child(tree: Tree, node: int, position: int) -> int:
    """Return a node's child by position, or NONE."""
    if position < 0:
        return NONE
    table = tree.table
    child = table[node * _WORDS + _FIRST]
    while position and child != NONE:
        child = table[child * _WORDS + _NEXT]
        position -= 1
    return child


def find_child(tree: Tree, node: int, key: bytes) -> int:
    """Return a map's first child with a key, or NONE."""
    table, buffer, base, size = tree.table, tree.buffer, tree.base, len(key)
    child = table[node * _WORDS + _FIRST]
    while child != NONE:
        at = child * _WORDS
        if table[at + _KEY_SIZE] == size:
            start = table[at + _KEY] - base
            if buffer.startswith(key, start) if 0 <= start < len(buffer) else node_key(tree, child) == key:
                return child
        child = table[at + _NEXT]
    return NONE


def has_twin(tree: Tree, node: int, key: bytes) -> bool:
    """Say whether a map entry behind this one has the same key."""
    table, size = tree.table, len(key)
    child = table[node * _WORDS + _NEXT]
    while child != NONE:
        at = child * _WORDS
        if table[at + _KEY_SIZE] == size and node_key(tree, child) == key:
            return True
        child = table[at + _NEXT]
    return False


def nodes_below(tree: Tree, node: int, key: bytes) -> list[int] | None:
    """Return for each item of a list its entry with a key; None when an item is no map or lacks it."""
    table, buffer, base, size = tree.table, tree.buffer, tree.base, len(key)
    found = []
    item = table[node * _WORDS + _FIRST]
    while item != NONE:
        at = item * _WORDS
        if not table[at] & MAP:
            return None
        item, entry = table[at + _NEXT], table[at + _FIRST]
        # most often it is the first entry
        first = entry * _WORDS
        start = table[first + _KEY] - base if entry != NONE and table[first + _KEY_SIZE] == size else -1
        if start < 0 or not buffer.startswith(key, start):
            entry = find_child(tree, at // _WORDS, key)
            if entry == NONE:
                return None
        found.append(entry)
    return found


def node_key(tree: Tree, node: int) -> bytes:
    """Return a map entry's key, decoded."""
    at = node * _WORDS
    return tree._bytes(tree.table[at + _KEY], tree.table[at + _KEY_SIZE])


def node_value(tree: Tree, node: int) -> bytes | None:
    """Return a scalar's text, decoded, or None when nothing stands there."""
    at = node * _WORDS
    address = tree.table[at + _VALUE]
    return tree._bytes(address, tree.table[at + _VALUE_SIZE]) if address else None


def key_place(tree: Tree, node: int) -> int:
    """Return where a key begins in the source, or a number outside it for one decoded elsewhere."""
    return tree.table[node * _WORDS + _KEY] - tree.base


def value_place(tree: Tree, node: int) -> int:
    """Return where a scalar begins in the source, or a number outside it for one decoded elsewhere or not there."""
    return tree.table[node * _WORDS + _VALUE] - tree.base


def value_size(tree: Tree, node: int) -> int:
    """Return how many bytes a scalar has, decoded; 0 when nothing stands there."""
    return tree.table[node * _WORDS + _VALUE_SIZE]


def _table(native: Any) -> Sequence[int]:
    """Return the nodes as one sequence of numbers."""
    return _view(native) if _is_known_layout() else filled_table(native)


def _view(native: Any) -> Sequence[int]:
    at = int(native.this)
    nodes = ctypes.c_uint64.from_address(at).value
    size = ctypes.c_uint64.from_address(at + 16).value
    words = (ctypes.c_uint64 * (_WORDS * size)).from_address(nodes)
    return memoryview(words).cast("B").cast("Q")


def filled_table(native: Any) -> Sequence[int]:
    """Return the nodes as numbers by the parser's own functions, which any version has."""
    table = array("Q", bytes(8 * _WORDS * native.size()))
    for node in range(native.size()):
        at = node * _WORDS
        kind = table[at + _TYPE] = _ryml.Tree_type(native, node)
        for has, read, place in (
            (_ryml.Tree_has_key, _ryml.Tree_key, _KEY),
            (_ryml.Tree_has_val, _ryml.Tree_val, _VALUE),
        ):
            view = read(native, node) if has(native, node) else None
            if view is not None:
                table[at + place], table[at + place + 1] = address(view), len(view)
        is_container = kind & (MAP | SEQ | STREAM)
        table[at + _PARENT] = _ryml.Tree_parent(native, node) if node else NONE
        table[at + _FIRST] = _ryml.Tree_first_child(native, node) if is_container else NONE
        table[at + _LAST] = _ryml.Tree_last_child(native, node) if is_container else NONE
        table[at + _NEXT] = _ryml.Tree_next_sibling(native, node) if node else NONE
        table[at + _PREVIOUS] = _ryml.Tree_prev_sibling(native, node) if node else NONE
    return table


_SAMPLE = b"a: 1\n'b c': [x, \"y\", {}]\nd:\n  - e: \n    f: ''\n"


@lru_cache(maxsize=1)
def _is_known_layout() -> bool:
    """Say whether the nodes of this parser stand in memory as known."""
    if struct.calcsize("P") != 8 or not ryml.__version__.startswith(_KNOWN):
        return False
    buffer = bytearray(_SAMPLE)
    native = _native(buffer)
    at = int(native.this)
    if struct.unpack("3Q", ctypes.string_at(at, 24))[1:] != (native.capacity(), native.size()):
        return False
    return are_equal_tables(_view(native), filled_table(native))


def are_equal_tables(one: Sequence[int], other: Sequence[int]) -> bool:
    """Say whether two tables tell the same of every node, as far as it has it."""
    if len(one) != len(other):
        return False
    for at in range(0, len(one), _WORDS):
        kind = other[at]
        if one[at] & _BITS != kind or list(one[at + _PARENT : at + _WORDS]) != list(other[at + _PARENT : at + _WORDS]):
            return False
        fields = [_KEY] * bool(kind & _HAS_KEY) + [_VALUE] * bool(kind & VAL)
        if any(list(one[at + place : at + place + 2]) != list(other[at + place : at + place + 2]) for place in fields):
            return False
    return True


_HAS_KEY = ryml.KEY


class _View(ctypes.Structure):
    """The C struct behind a memoryview; only its address is used."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("owner", ctypes.c_void_p),
        ("size", ctypes.c_ssize_t),
        ("item_size", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("dimensions", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("sub_offsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = [ctypes.py_object, ctypes.POINTER(_View), ctypes.c_int]
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = [ctypes.POINTER(_View)]


def _standard_error() -> ctypes.c_void_p | None:
    """Return the C library's variable for the standard error stream, None where it has another name."""
    try:
        return ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr")
    except ValueError:
        return None


def _nowhere() -> int | None:
    """Return a C stream that keeps nothing."""
    opened = ctypes.CDLL(None).fopen
    opened.restype = ctypes.c_void_p
    stream: int | None = opened(b"/dev/null", b"w")
    return stream


_stderr, _silence = _standard_error(), _nowhere()
_speaking = Lock()


def silenced(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function of the parser makes of the arguments; it raises, and what it prints besides goes nowhere.

    No other thread can print meanwhile: the interpreter's lock is held.
    """
    if _stderr is None or _silence is None:
        return work(*arguments)
    with _speaking:
        usual, _stderr.value = _stderr.value, _silence
        try:
            return work(*arguments)
        finally:
            _stderr.value = usual


def parsed(buffer: bytearray) -> Tree:
    """Return the tree of a document that is parsed in place.

    Raises: ryml.ExceptionBasic.
    """
    return Tree(_native(buffer), buffer)


def _native(buffer: bytearray) -> Any:
    native = ryml.Tree()
    # room for an ordinary manifest's nodes: growing doubles, which copies and wastes
    _ryml.Tree_reserve(native, buffer.count(b"\n") * 4 // 3 + 16)
    silenced(_ryml.parse_substr, buffer, native)
    return native


def address_of(buffer: bytearray) -> int:
    """Return where a buffer's bytes stand in memory."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def address(view: memoryview) -> int:
    """Return where a scalar's bytes stand in memory."""
    info = _View()
    _get_buffer(view, info, 0)
    found = info.address or 0
    _release_buffer(info)
    return found
