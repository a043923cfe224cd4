"""Text as documents whose nodes know where they stand.

A text is cut at its ``---`` lines, and each document is parsed by itself, once per content: two texts that share a
document share its parse, and after an edit only the edited document is parsed again. A document offers two views:

* ``data``: plain dicts, lists and scalars, to look things up;
* ``node ids`` of the parser's own flat tree, to find the bytes of a thing (see spans.py).

The C parser (rapidyaml) works in place on a copy, so a scalar's address in that copy is its offset in the source.
PyYAML's C parser names the place when a text does not parse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

import re2
import ryml

from confighub.data import brackets, meaning, problems, scalars
from confighub.data.cache import Cache
from confighub.data.lazy import lazy
from confighub.data.path import MISSING, get
from confighub.data.tree import (
    MAP,
    NONE,
    SEQ,
    Tree,
    children,
    find_child,
    has_twin,
    last_child,
    node_key,
    node_type,
    nth_child,
    parsed,
)
from confighub.errors import BadPath, NotYaml

_CODE = re.compile(rb"^[ \t]*[^ \t\r\n#]", re.MULTILINE)
_CODE_BEFORE_MARKER = re.compile(rb"^[ \t]*[^ \t\r\n#%]", re.MULTILINE)
# Anchors, aliases and tags; a false alarm, such as an ampersand in a script, only costs time.
_REFERENCE = re2.compile(r"(?:^|[\s\[\]{},])[&*][^\s&*]")
_TAG = re2.compile(r"(?:^|[\s\[\]{},])![^\s=]")
_BOM = b"\xef\xbb\xbf"
# Without such an indentation, so many dashes on a line, or so many brackets, no document has a hundred levels.
_DEEP = b" " * 24
_DEEP_LIST = b"- " * 8
_SMALL = 16
"""Up to so many nodes are read one by one; the parser's way through JSON is faster beyond."""
_parsing = Lock()


Apply = Callable[[Any, tuple[str | int, ...], Any], Any]
"""Makes a change in plain data: takes the data, the steps and the value, returns the changed data."""
Change = tuple[Apply, tuple[str | int, ...], Any]
_MANY = 64
"""So many changes are kept to be made later; more are made at once."""


def changed(data: Any, changes: list[Change]) -> Any:
    """Return plain data with some changes, in order; what they do not touch is shared."""
    for apply, steps, value in changes:
        data = apply(data, steps, value)
    return data


def shape_of(value: Any) -> str:
    """Return the shape of plain data; see Document.shape."""
    return "" if value is MISSING else "map" if type(value) is dict else "list" if type(value) is list else "scalar"


def size_of(value: Any) -> int:
    """Return the number of entries of plain data; see Document.size."""
    return len(value) if type(value) is dict or type(value) is list else 0


def position_in(items: Any, key: str, value: str) -> int | None:
    """Return the position of an item of plain data; see Document.position."""
    for at, item in enumerate(items if type(items) is list else ()):
        if type(item) is dict and item.get(key) == value:
            return at
    return None


class Document:
    """One YAML document: its bytes, its data, and the tree that tells where each node stands.

    It does not know its place in a text, so equal documents are one object. Treat ``data`` as read-only.
    """

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.memo: dict[Any, Any] = {}
        """What later layers computed from this content, by their own keys."""
        self._nodes: dict[tuple[str | int, ...], int] = {}
        self._located: dict[tuple[str | int, ...], tuple[int, int]] = {}
        self._values: dict[tuple[str | int, ...], tuple[Any]] = {}
        self._made_of: tuple[Any, list[Change]] | None = None

    @classmethod
    def derived(cls, before: Document, source: bytes, changes: list[Change]) -> Document:
        """Return a document whose meaning is known from the changes that made it; it is parsed when first needed."""
        made = cls(source)
        if "data" in before.__dict__:
            made._made_of = (before.data, changes)
        elif before._made_of is not None:
            data, earlier = before._made_of
            is_long = len(earlier) + len(changes) > _MANY
            made._made_of = (before.data, changes) if is_long else (data, earlier + changes)
        if before.__dict__.get("has_equal_keys") is False:
            made.__dict__["has_equal_keys"] = False
        return made

    @lazy
    def tree(self) -> Tree:
        """The parser's flat tree; its scalars stand in a private copy of the source."""
        with _parsing:
            known: Tree | None = self.__dict__.get("tree")
            if known is not None:
                return known
            buffer = bytearray(self.source) if self.is_plain else brackets.readable(self.source)
            try:
                tree = parsed(buffer)
            except ryml.ExceptionBasic as error:
                flat = brackets.flattened(self.source)
                if flat is None:
                    raise problems.unreadable(self.source, error) from None
                buffer = flat
                tree = _read_again(buffer, self.source)
            self.__dict__["tree"] = tree
            return tree

    @lazy
    def root(self) -> int:
        """The node of the document itself."""
        return self.tree.root

    @lazy
    def data(self) -> Any:
        """What the document means: dicts in source order, lists, and scalars; the first of equal keys counts."""
        if self._made_of is not None:
            data, changes = self._made_of
            self._made_of = None
            return changed(data, changes)
        tree, source = self.tree, self.source
        if not (self.root or self.has_aliases or (b"!" in source and _TAG.search(source))):
            found = meaning.quick(tree, len(source))
            if found is not None:
                data, has_equal_keys = found
                self.__dict__["has_equal_keys"] = has_equal_keys
                if not has_equal_keys:
                    return data
        return meaning.walked(tree, self.root, self.place)

    def place(self, at: int) -> tuple[int, int]:
        """Return the line and the column of an offset, both from 1."""
        before = self.source[: max(at, 0)].decode("utf-8", "replace")
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    @property
    def is_known(self) -> bool:
        """True when the data is there already, or can be made from that of the document before."""
        return "data" in self.__dict__ or self._made_of is not None

    @property
    def is_read(self) -> bool:
        """True when the data is known, or the tree alone cannot tell it."""
        return "data" in self.__dict__ or self._made_of is not None or not self.is_plain

    @lazy
    def is_plain(self) -> bool:
        """True when every node means what stands there: no aliases, tags, merged maps, and no uncommon forms."""
        source = self.source
        return not (
            (b"<" in source and b"<<" in source)
            or (b"?" in source and b"? " in source)
            or b"\xed" in source
            or _DEEP in source
            or _DEEP_LIST in source
            or self.has_aliases
            or (b"!" in source and _TAG.search(source) is not None)
            or not brackets.are_simple(source)
        )

    @property
    def is_empty(self) -> bool:
        """True when nothing stands here but comments, or null.

        Raises: NotYaml, with line and column, for what cannot be read.
        """
        if not self.is_read and self.is_container:
            return False
        return self.data is None

    @property
    def is_container(self) -> bool:
        """True when the whole document is a map or a list."""
        return bool(node_type(self.tree, self.tree.root) & (MAP | SEQ))

    def at(self, steps: tuple[str | int, ...]) -> Any:
        """Return the value at plain steps, or MISSING; of a document not read yet only that place is read."""
        if not self.is_read:
            for length in range(len(steps), -1, -1) if self._values else ():
                above = self._values.get(steps[:length])
                if above is not None:
                    return get(above[0], steps[length:])
            node = self.find(steps)
            if node != NONE:
                return self.value(node, steps)
            if not any(type(step) is str and step.isdigit() for step in steps):
                return MISSING
        return get(self.data, steps)

    def shape(self, steps: tuple[str | int, ...]) -> str:
        """Return "map", "list" or "scalar" for what stands at plain steps, and nothing when nothing does."""
        node = NONE if self.is_read else self.find(steps)
        if node == NONE:
            return shape_of(self.at(steps))
        kind = node_type(self.tree, node)
        return "map" if kind & MAP else "list" if kind & SEQ else "scalar"

    def size(self, steps: tuple[str | int, ...]) -> int:
        """Return how many entries the map or list at plain steps has; 0 for anything else."""
        node = NONE if self.is_read else self.find(steps)
        if node == NONE:
            return size_of(self.at(steps))
        return len(children(self.tree, node))

    def position(self, steps: tuple[str | int, ...], key: str, value: str) -> int | None:
        """Return the position of the first map in the list at plain steps that has this text at a key, or None."""
        node = NONE if self.is_read else self.find(steps)
        if node == NONE:
            return position_in(self.at(steps), key, value)
        if b"\\" not in self.source and value.encode() not in self.source:
            return None
        tree, name = self.tree, key.encode()
        for at, item in enumerate(children(tree, node) if node_type(tree, node) & SEQ else ()):
            below = find_child(tree, item, name) if node_type(tree, item) & MAP else NONE
            if below != NONE and not node_type(tree, below) & (MAP | SEQ) and self.scalar(below) == value:
                return at
        return None

    def value(self, node: int, steps: tuple[str | int, ...]) -> Any:
        """Return what a node at these steps means, in a document that is not read yet."""
        known = self._values.get(steps)
        if known is not None:
            return known[0]
        tree = self.tree
        if node_type(tree, node) & (MAP | SEQ):
            last = node
            while (below := last_child(tree, last)) != NONE:
                last = below
            if last - node > _SMALL:
                return get(self.data, steps)
            value = meaning.walked(tree, node, self.place)
        else:
            value = self.scalar(node)
        self._values[steps] = (value,)
        return value

    @lazy
    def newline(self) -> bytes:
        """The line end that the document uses, by its first line."""
        end = self.source.find(b"\n")
        return b"\r\n" if end > 0 and self.source[end - 1] == 0x0D else b"\n"

    @lazy
    def has_aliases(self) -> bool:
        """True when the document may hold anchors or aliases; a false alarm only costs time."""
        source = self.source
        if b"&" not in source and b"*" not in source:
            return False
        return _REFERENCE.search(source) is not None

    def find_child(self, node: int, step: str | int) -> int:
        """Return the child at a key or list position, or NONE; a text of digits counts as a position in a list.

        Raises: BadPath when a map has this key twice.
        """
        tree = self.tree
        kind = node_type(tree, node)
        if kind & MAP:
            found = find_child(tree, node, str(step).encode())
            if found != NONE and self.has_equal_keys:
                self._refuse_equal_keys(node, str(step).encode())
            return found
        if kind & SEQ and (isinstance(step, int) or step.isdigit()):
            return nth_child(tree, node, int(step))
        return NONE

    def _refuse_equal_keys(self, node: int, key: bytes) -> None:
        keys = [node_key(self.tree, child) for child in self.children(node)]
        if keys.count(key) > 1:
            raise _equal_keys(key)

    @lazy
    def has_equal_keys(self) -> bool:
        """True when some map may have a key twice; documents with aliases are looked at map by map."""
        return meaning.count_nodes(self.data) != self.tree.size()

    def find(self, steps: tuple[str | int, ...]) -> int:
        """Return the node at keys and list positions, or NONE; aliases are not followed."""
        node = self._nodes.get(steps)
        if node is None:
            node = self._nodes[steps] = self._find(steps)
        return node

    def locate(self, steps: tuple[str | int, ...]) -> tuple[int, int]:
        """Return the node at the steps, or the deepest existing one, and how many steps lead there.

        Aliases are not followed. Raises: BadPath when a map on the way has a key of the steps twice.
        """
        found = self._located.get(steps)
        if found is None:
            found = self._located[steps] = self._locate(steps)
        return found

    def _locate(self, steps: tuple[str | int, ...]) -> tuple[int, int]:
        if not steps:
            return self.tree.root, 0
        above, depth = self.locate(steps[:-1])
        if depth < len(steps) - 1:
            return above, depth
        node = self.find(steps)
        if node == NONE:
            return above, depth
        if self.__dict__.get("has_equal_keys") is not False and node_type(self.tree, above) & MAP:
            key = str(steps[-1]).encode()
            if has_twin(self.tree, node, key):
                raise _equal_keys(key)
        return node, depth + 1

    def _find(self, steps: tuple[str | int, ...]) -> int:
        if not steps:
            return self.tree.root
        above = self.find(steps[:-1])
        if above == NONE:
            return NONE
        tree, step = self.tree, steps[-1]
        kind = node_type(tree, above)
        if kind & MAP:
            return find_child(tree, above, str(step).encode())
        if kind & SEQ and type(step) is int:
            return nth_child(tree, above, step)
        return NONE

    def note(self, steps: tuple[str | int, ...], node: int) -> None:
        """Remember which node was found at the steps."""
        self._nodes[steps] = node

    def type_of(self, node: int) -> int:
        """Return the parser's type bits of a node."""
        return node_type(self.tree, node)

    def key_of(self, node: int) -> str:
        """Return the key of a map entry."""
        return node_key(self.tree, node).decode()

    def children(self, node: int) -> list[int]:
        """Return the node's children in source order."""
        return children(self.tree, node)

    def scalar(self, node: int) -> scalars.Scalar:
        """Return what a scalar node means; aliases are not followed."""
        return meaning.scalar(self.tree, node, node_type(self.tree, node))


def _equal_keys(key: bytes) -> BadPath:
    return BadPath(f"a map here has the key twice: {key.decode()}")


class Placed(NamedTuple):
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
        if len(self.documents) == 1 and self.documents[0].end - self.documents[0].start == len(self.source):
            return changed[0].decode() if changed else self.text
        parts: list[bytes] = []
        at = 0
        for position, new in sorted(changed.items()):
            placed = self.documents[position]
            parts += (self.source[at : placed.start], new)
            at = placed.end
        parts.append(self.source[at:])
        return b"".join(parts).decode()


# A parsed document takes about ten times its bytes. The parses of a thousand ordinary units stay, and what a call on
# all of them made of each; the hub's memory grows by 60 MiB at most, and only while there is so much.
_documents: Cache[bytes, Document] = Cache(6 * 2**20)
_streams: Cache[str, Stream] = Cache(6 * 2**20)


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


def document(source: bytes) -> Document:
    """Return the parse of one document's bytes.

    Raises: NotYaml, with line and column in these bytes.
    """
    found = _documents.get(source)
    if found is None:
        found = Document(source)
        try:
            found.is_empty  # noqa: B018 - asking parses
        except NotYaml as error:
            raise _moved(error, b"") from None
        _documents.put(source, found, len(source))
    return found


def _moved(error: NotYaml, before: bytes) -> NotYaml:
    """Return a document's error at its place in the whole text."""
    line, column = max(error.line, 1), max(error.column, 1)
    if line == 1:
        # the document may begin behind its marker, on the same line
        column += len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace").lstrip("\ufeff"))
    return NotYaml(error.reason, line=line + before.count(b"\n"), column=column, hint=error.hint)


def _cut(source: bytes) -> list[Placed]:
    pieces: list[tuple[int, int]] = []
    begin = len(_BOM) if source.startswith(_BOM) else 0
    for marker in _markers(source, begin):
        pieces.append((begin, marker))
        begin = marker + 3
    pieces.append((begin, len(source)))
    last = len(pieces) - 1
    placed = []
    for position, (begin, end) in enumerate(pieces):
        code = _CODE if position == last or source[end] == 0x2E else _CODE_BEFORE_MARKER
        if code.search(source, begin, end) or _has_code_beside(source, begin, end):
            try:
                found = document(source[begin:end] if end - begin < len(source) else source)
            except NotYaml as error:
                raise _moved(error, source[:begin]) from None
            if not found.is_empty:
                placed.append(Placed(found, begin, end))
    return placed


def _markers(source: bytes, start: int) -> list[int]:
    """Return where ``---`` or ``...`` stands alone at the beginning of a line, in order."""
    found = [start] if source.startswith((b"---", b"..."), start) else []
    for marker in (b"\n---", b"\n..."):
        at = source.find(marker, start)
        while at >= 0:
            found.append(at + 1)
            at = source.find(marker, at + 4)
    return sorted(at for at in found if source[at + 3 : at + 4] in _BEHIND_MARKER)


_BEHIND_MARKER = (b" ", b"\t", b"\r", b"\n", b"")


def _has_code_beside(source: bytes, begin: int, end: int) -> bool:
    """Say whether a document begins on the line of its marker."""
    if not begin or source[begin - 1] in b"\n\xbf":
        return False
    stop = source.find(b"\n", begin, end)
    return source[begin : stop if stop >= 0 else end].strip()[:1] not in (b"", b"#")


def _read_again(buffer: bytearray, source: bytes) -> Tree:
    try:
        return parsed(buffer)
    except ryml.ExceptionBasic as error:
        raise problems.unreadable(source, error) from None


def only(stream: Stream) -> Document:
    """Return the single document of a stream.

    Raises: BadPath when there are none or several.
    """
    if len(stream.documents) != 1:
        raise BadPath(f"one document expected, found {len(stream.documents)}")
    return stream.documents[0].document
