"""The parser's flat tree by node ids: its C functions, type bits, and where a scalar stands in memory."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from threading import Lock
from typing import Any

import ryml
from ryml import _ryml

NONE: int = ryml.NONE
"""The node id that means "no such node"."""

# The generated wrappers add a Python call to each; these are the C functions themselves.
first_child = _ryml.Tree_first_child
last_child = _ryml.Tree_last_child
next_sibling = _ryml.Tree_next_sibling
prev_sibling = _ryml.Tree_prev_sibling
parent = _ryml.Tree_parent
child_at = _ryml.Tree_child
find_child = _ryml.Tree_find_child
node_type = _ryml.Tree_type
node_key = _ryml.Tree_key
node_value = _ryml.Tree_val

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


def parsed(buffer: bytearray) -> Any:
    """Return the tree of a document that is parsed in place; the buffer must live as long.

    Raises: ryml.ExceptionBasic.
    """
    tree = ryml.Tree()
    # room for an ordinary manifest's nodes: growing doubles, which copies and wastes
    tree.reserve(buffer.count(b"\n") * 4 // 3 + 16)
    silenced(_ryml.parse_substr, buffer, tree)
    return tree


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


def children(tree: Any, node: int) -> list[int]:
    """Return a node's children in source order."""
    found = []
    child = first_child(tree, node)
    while child != NONE:
        found.append(child)
        child = next_sibling(tree, child)
    return found


def nth_child(tree: Any, node: int, position: int) -> int:
    """Return a node's child by position, or NONE."""
    return int(child_at(tree, node, position)) if position >= 0 else NONE
