"""Text as documents whose nodes know where they stand.

A text is cut at its ``---`` lines, and each document is parsed by itself, once per content: two texts that share a
document share its parse, and after an edit only the edited document is parsed again. A document offers two views:

* ``data``: plain dicts, lists and scalars, to look things up;
* ``node ids`` of the parser's own flat tree, to find the bytes of a thing (see spans.py).

The C parser (rapidyaml) works in place on a copy, so a scalar's address in that copy is its offset in the source.
PyYAML's C parser names the place when a text does not parse.
"""

from __future__ import annotations

import ctypes
import re
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

import msgspec
import re2
import ryml
import yaml
from ryml import _ryml

from confighub.data import scalars
from confighub.data.lazy import lazy
from confighub.errors import BadPath, NotYaml

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

MAX_EXPANDED_NODES = 100_000
"""How many nodes a document may have once its aliases are followed; a real manifest stays far below."""

_MARKER = re.compile(rb"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_CODE = re.compile(rb"^[ \t]*[^ \t\r\n#]", re.MULTILINE)
_CODE_BEFORE_MARKER = re.compile(rb"^[ \t]*[^ \t\r\n#%]", re.MULTILINE)
# Scalars that rapidyaml writes as text though plain ones mean a number, a boolean or null. RE2 scans nine times faster.
_ODD = re2.compile(
    r'"(?:~|True|TRUE|False|FALSE|Null|NULL|[-+]?0[0-9bBoOxX_]|[-+]?[1-9][0-9]*_[0-9_]*"|[-+]?\.(?:inf|Inf|INF)"'
    r'|\.(?:nan|NaN|NAN)")'
)
# Anchors, aliases and tags; a false alarm, such as an ampersand in a script, only costs time.
_REFERENCE = re2.compile(r"(?:^|[\s\[\]{},])[&*][^\s&*]")
_TAG = re2.compile(r"(?:^|[\s\[\]{},])![^\s=]")
_BOM = b"\xef\xbb\xbf"

Key = TypeVar("Key")
Value = TypeVar("Value")


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


class Document:
    """One YAML document: its bytes, its data, and the tree that tells where each node stands.

    It does not know its place in a text, so equal documents are one object. Treat ``data`` as read-only.
    """

    def __init__(self, source: bytes) -> None:
        self.source = source
        self._buffer = b""  # type: bytes | bytearray
        self._base = 0
        self._nodes: dict[tuple[str | int, ...], int] = {}

    @classmethod
    def derived(cls, source: bytes, data: Any, *, has_unique_keys: bool = False) -> Document:
        """Return a document whose meaning is known from the edit that made it; it is parsed when a place is asked for."""
        made = cls(source)
        made.__dict__["data"] = data
        if has_unique_keys:
            made.__dict__["has_equal_keys"] = False
        return made

    @lazy
    def tree(self) -> Any:
        """The parser's flat tree; its scalars are views on a private copy of the source."""
        self._buffer = bytearray(self.source)
        try:
            return ryml.parse_in_place(self._buffer)
        except ryml.ExceptionBasic as error:
            raise _not_yaml(self.source, error) from None

    @lazy
    def root(self) -> int:
        """The node of the document itself."""
        tree = self.tree
        return int(first_child(tree, 0)) if node_type(tree, 0) & STREAM == STREAM else 0

    @lazy
    def data(self) -> Any:
        """What the document means: dicts in source order, lists, and scalars; the first of equal keys counts."""
        source = self.source
        tree = self.tree
        if self.root or self.has_aliases or (b"!" in source and _TAG.search(source)):
            return _Walk(self).value(self.root)
        text = _json(tree, len(source))
        if _ODD.search(text):
            return _Walk(self).value(self.root)
        try:
            data = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _Walk(self).value(self.root)
        equal = self.__dict__["has_equal_keys"] = _count(data) != tree.size()
        return _Walk(self).value(self.root) if equal else data

    @lazy
    def newline(self) -> bytes:
        """The line end that the document uses, by its first line."""
        end = self.source.find(b"\n")
        return b"\r\n" if end > 0 and self.source[end - 1] == 0x0D else b"\n"

    @lazy
    def has_aliases(self) -> bool:
        """True when the document may hold anchors or aliases; a false alarm only costs time."""
        source = self.source
        return (b"&" in source or b"*" in source) and bool(_REFERENCE.search(source))

    @lazy
    def memo(self) -> dict[Any, Any]:
        """What later layers computed from this content, by their own keys."""
        return {}

    def offset(self, view: memoryview) -> int:
        """Return where a scalar of the tree begins in the source, or a number outside it for one decoded elsewhere."""
        if not self._base:
            self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))
        info = _View()
        _get_buffer(view, info, 0)
        address = info.address or 0
        _release_buffer(info)
        return address - self._base

    def find_child(self, node: int, step: str | int) -> int:
        """Return the child at a key or list position, or NONE; a text of digits counts as a position in a list.

        Raises: BadPath when a map has the key twice.
        """
        tree = self.tree
        kind = node_type(tree, node)
        if kind & MAP:
            if self.has_equal_keys:
                self._refuse_equal_keys(node)
            found: int = find_child(tree, node, str(step).encode())
            return found
        if kind & SEQ and (isinstance(step, int) or step.isdigit()):
            return _nth(tree, node, int(step))
        return NONE

    def _refuse_equal_keys(self, node: int) -> None:
        keys = [bytes(node_key(self.tree, child)) for child in self.children(node)]
        twice = next((key for key in keys if keys.count(key) > 1 and key != b"<<"), None)
        if twice is not None:
            raise BadPath(f"a map here has the key twice: {twice.decode()}")

    @lazy
    def has_equal_keys(self) -> bool:
        """True when some map may have a key twice; documents with aliases are looked at map by map."""
        return _count(self.data) != self.tree.size()

    def find(self, steps: tuple[str | int, ...]) -> int:
        """Return the node at keys and list positions, or NONE; aliases are not followed."""
        node = self._nodes.get(steps)
        if node is None:
            node = self._nodes[steps] = self._find(steps)
        return node

    def _find(self, steps: tuple[str | int, ...]) -> int:
        tree, node, here = self.tree, self.root, self.data
        for step in steps:
            # the data tells maps from lists without asking the tree
            if type(here) is dict:
                node = find_child(tree, node, str(step).encode())
                here = here.get(step)
            elif type(here) is list and type(step) is int:
                node = _nth(tree, node, step)
                here = here[step] if step < len(here) else None
            else:
                return NONE
            if node == NONE:
                return NONE
        return node

    def type_of(self, node: int) -> int:
        """Return the parser's type bits of a node."""
        return int(node_type(self.tree, node))

    def key_of(self, node: int) -> str:
        """Return the key of a map entry."""
        return bytes(node_key(self.tree, node)).decode()

    def children(self, node: int) -> list[int]:
        """Return the node's children in source order."""
        tree = self.tree
        found = []
        child = first_child(tree, node)
        while child != NONE:
            found.append(child)
            child = next_sibling(tree, child)
        return found

    def scalar(self, node: int) -> scalars.Scalar:
        """Return what a scalar node means; aliases are not followed."""
        return _scalar(self.tree, node, node_type(self.tree, node))


def _nth(tree: Any, node: int, position: int) -> int:
    if position < 0:
        return NONE
    child: int = first_child(tree, node)
    while position and child != NONE:
        child = next_sibling(tree, child)
        position -= 1
    return child


def _scalar(tree: Any, node: int, kind: int) -> scalars.Scalar:
    view = node_value(tree, node)
    text = bytes(view).decode() if view is not None else ""
    if kind & TAG:
        tag = bytes(tree.val_tag(node)).decode()
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


class _Walk:
    """Builds data node by node: for documents with anchors, tags, odd numbers or equal keys."""

    def __init__(self, document: Document) -> None:
        self.document, self.tree = document, document.tree
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.expanded = 0

    def value(self, root: int) -> Any:
        return self._visit(root, 0)[0]

    def _visit(self, node: int, depth: int) -> tuple[Any, int]:
        tree = self.tree
        kind = node_type(tree, node)
        if kind & ALIAS:
            return self._alias(node)
        found: tuple[Any, int]
        if kind & MAP:
            found = self._map(node, depth)
        elif kind & SEQ:
            items = [self._visit(child, depth + 1) for child in self.document.children(node)]
            found = [item for item, _ in items], 1 + sum(size for _, size in items)
        else:
            found = _scalar(tree, node, kind), 1
        if kind & ANCHOR:
            self.anchors[bytes(tree.val_anchor(node)).decode()] = found
        if found[1] > MAX_EXPANDED_NODES:
            raise NotYaml(f"aliases expand to more than {MAX_EXPANDED_NODES} nodes")
        return found

    def _alias(self, node: int) -> tuple[Any, int]:
        name = bytes(self.tree.val_ref(node)).decode().lstrip("*")
        if name not in self.anchors:
            raise NotYaml(f"unknown anchor: {name}")
        return self.anchors[name]

    def _map(self, node: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        merged: list[Any] = []
        size = 1
        for child in self.document.children(node):
            key = self.document.key_of(child)
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


_decode = msgspec.json.Decoder().decode


def _json(tree: Any, size: int) -> bytes:
    # JSON of ordinary manifests is shorter than twice the YAML; the emitter says how much it would have needed
    buffer = bytearray(2 * size + 256)
    failed, needed = _ryml.emit_json_to_substr(tree, 0, buffer)
    if failed:
        buffer = bytearray(needed)
        _, needed = _ryml.emit_json_to_substr(tree, 0, buffer)
    return bytes(memoryview(buffer)[:needed])


def _count(data: Any) -> int:
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
            count += _count(value) - 1
    return count


_CONTAINERS = frozenset({dict, list})


@dataclass(frozen=True, slots=True)
class Placed:
    """A document and where its bytes lie in a text."""

    document: Document
    start: int
    end: int


class Stream:
    """A text and its documents, in order; those without content are left out."""

    __slots__ = ("__dict__", "documents", "source", "text")

    def __init__(self, text: str, source: bytes, documents: tuple[Placed, ...]) -> None:
        self.text, self.source, self.documents = text, source, documents

    def replaced(self, changed: dict[int, bytes]) -> str:
        """Return the text with some documents' bytes exchanged, by position; every other byte stays."""
        parts: list[bytes] = []
        at = 0
        for position, new in sorted(changed.items()):
            placed = self.documents[position]
            parts += (self.source[at : placed.start], new)
            at = placed.end
        parts.append(self.source[at:])
        return b"".join(parts).decode()


class _Cache(Generic[Key, Value]):
    """Remembers the latest values, bounded by the bytes of their keys."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget, self._used, self._lock = budget_bytes, 0, Lock()
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        found = self._values.get(key)
        if found is None:
            return None
        with suppress(KeyError):  # another thread may just have dropped it
            self._values.move_to_end(key)
        return found[0]

    def put(self, key: Key, value: Value, size_bytes: int) -> None:
        with self._lock:
            old = self._values.pop(key, None)
            self._used += size_bytes - (old[1] if old else 0)
            self._values[key] = (value, size_bytes)
            while self._used > self._budget and len(self._values) > 1:
                _, (_, dropped) = self._values.popitem(last=False)
                self._used -= dropped

    def drop(self, key: Key) -> None:
        with self._lock:
            old = self._values.pop(key, None)
            self._used -= old[1] if old else 0

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self._used = 0


# A parsed document takes about eight times its bytes; 4 MiB of sources keep the hub's idle memory small.
_documents: _Cache[bytes, Document] = _Cache(4 * 2**20)
_streams: _Cache[str, Stream] = _Cache(4 * 2**20)


def clear_caches() -> None:
    """Forget every parse, for measurements of a cold start."""
    _documents.clear()
    _streams.clear()


def parse(text: str) -> Stream:
    """Return the text's documents; parsed once per content.

    Raises: NotYaml, with line and column, for text that does not parse or that is beyond us (see spans.py).
    """
    stream = _streams.get(text)
    if stream is None:
        source = text.encode("utf-8", "surrogatepass")
        stream = Stream(text, source, tuple(_cut(source)))
        _streams.put(text, stream, len(source))
    return stream


def remember(made: Document) -> Document:
    """Keep a document that an edit made, and return it; one that is known already is returned instead."""
    found = _documents.get(made.source)
    if found is None:
        _documents.put(made.source, made, len(made.source))
        return made
    return found


def forget(made: Document) -> None:
    """Drop a document whose meaning could not be proven."""
    _documents.drop(made.source)


def document(source: bytes, *, before: bytes = b"") -> Document:
    """Return the parse of one document's bytes; ``before`` is the text in front of it, to count lines for errors."""
    found = _documents.get(source)
    if found is None:
        found = Document(source)
        try:
            found.data  # noqa: B018 - reading it parses
        except NotYaml as error:
            line = error.line + before.count(b"\n")
            raise NotYaml(error.reason, line=line, column=error.column, hint=error.hint) from None
        _documents.put(source, found, len(source))
    return found


def _cut(source: bytes) -> list[Placed]:
    start = len(_BOM) if source.startswith(_BOM) else 0
    pieces: list[tuple[int, int]] = []
    begin = start
    if b"\n---" in source or b"\n..." in source or source.startswith((b"---", b"..."), start):
        for marker in _MARKER.finditer(source, start):
            pieces.append((begin, marker.start()))
            begin = marker.end()
    pieces.append((begin, len(source)))
    last = len(pieces) - 1
    placed = []
    for position, (begin, end) in enumerate(pieces):
        code = _CODE if position == last or source[end] == 0x2E else _CODE_BEFORE_MARKER
        if code.search(source, begin, end):
            found = document(source[begin:end] if end - begin < len(source) else source, before=source[:begin])
            if found.data is not None:
                placed.append(Placed(found, begin, end))
    return placed


def _not_yaml(source: bytes, error: Exception) -> NotYaml:
    try:
        for _ in yaml.parse(source, Loader=yaml.CSafeLoader):
            pass
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        where = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return NotYaml(problem.problem or "cannot be read", line=where[0], column=where[1])
    except yaml.YAMLError as problem:
        return NotYaml(str(problem).splitlines()[0])
    except ValueError as problem:
        return NotYaml(str(problem))
    details = getattr(error, "errdata", None)
    location = getattr(details, "ymlloc", None)
    line = getattr(location, "line", -1) + 1
    column = getattr(location, "col", -1) + 1
    return NotYaml("this form of YAML is not supported", line=max(line, 0), column=max(column, 0))


def first_problem(text: str) -> NotYaml | None:
    """Return why a strict YAML reader refuses the text, or None; slower than parse, and stricter."""
    try:
        for _ in yaml.parse(text, Loader=yaml.CSafeLoader):
            pass
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        return NotYaml(
            problem.problem or "cannot be read",
            line=mark.line + 1 if mark else 0,
            column=mark.column + 1 if mark else 0,
        )
    except yaml.YAMLError as problem:
        return NotYaml(str(problem).splitlines()[0])
    return None


def only(stream: Stream) -> Document:
    """Return the single document of a stream.

    Raises: BadPath when there are none or several.
    """
    if len(stream.documents) != 1:
        raise BadPath(f"one document expected, found {len(stream.documents)}")
    return stream.documents[0].document
