"""Brackets over several lines, and tabs behind a colon, made readable for the C parser.

It takes a comment behind a plain value in brackets for a part of the value, and refuses a closing bracket in the column
of its key, which other readers accept. A copy in which comments and line ends between brackets are spaces means the
same, byte for byte at the same places. A tab behind a colon it takes for a part of the key.
"""

from __future__ import annotations

import re

import re2
import yaml

from confighub.errors import NotYaml

# A comment, then a bracket that closes or a comma: outside of brackets, only a script in a text looks like that.
_COMMENT_BEFORE_END = re2.compile(r"[ \t]#[^\n]*\n(?:\s|#[^\n]*\n)*[\]},]")


MAX_DEPTH = 1000
"""How many brackets may be open at once: strict readers take quadratic time, and nobody writes a hundred."""


def refuse_deep(source: bytes) -> None:
    """Return when no more than MAX_DEPTH brackets are open at any place; those inside texts count too.

    Raises: NotYaml.
    """
    if source.count(b"[") + source.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in re.finditer(rb"[\[\]{}]", source):
        depth += 1 if bracket.group() in b"[{" else -1 if depth else 0
        if depth > MAX_DEPTH:
            before = source[: bracket.start()].decode("utf-8", "replace")
            raise NotYaml(
                f"more than {MAX_DEPTH} brackets are open",
                line=before.count("\n") + 1,
                column=len(before) - before.rfind("\n"),
                hint="close them, or put quotes around the text",
            )


def readable(source: bytes) -> bytearray:
    """Return a copy of a document that the C parser reads as other readers do.

    Raises: NotYaml for brackets nested beyond measure.
    """
    refuse_deep(source)
    if b":\t" in source or (b" #" in source and _COMMENT_BEFORE_END.search(source)):
        return flattened(source) or bytearray(source)
    return bytearray(source)


FEW = 12


def are_simple(source: bytes) -> bool:
    """Say whether no tab follows a colon, and no more than FEW brackets stand there, each closed on its own line.

    Never wrong with True.
    """
    if b":\t" in source:
        return False
    left = FEW
    for opening, closing in ((b"{", b"}"), (b"[", b"]")):
        at = source.find(opening)
        while at >= 0:
            end = source.find(b"\n", at)
            stop = len(source) if end < 0 else end
            rest = source[at:stop]
            found = rest.count(opening)
            left -= found
            if left < 0 or found > rest.count(closing) or b"#" in rest or b'"' in rest or b"'" in rest:
                return False
            at = source.find(opening, stop)
    return True


def flattened(source: bytes) -> bytearray | None:
    """Return a copy without comments and line ends between brackets, and without tabs between values.

    None when there are none, or it is no YAML.
    """
    try:
        gaps = _gaps(source.decode())
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    if not gaps:
        return None
    flat = bytearray(source)
    for start, end in gaps:
        flat[start:end] = b" " * (end - start)
    return flat


def _gaps(text: str) -> list[tuple[int, int]]:
    """Return what stands between the tokens inside brackets and is more than spaces, as byte offsets."""
    found: list[tuple[int, int]] = []
    depth = end = 0
    for token in yaml.scan(text, Loader=yaml.CSafeLoader):
        start = token.start_mark.index
        if depth and start > end and "\n" in text[end:start]:
            found.append((end, start))
        elif start > end and "\t" in text[end:start]:
            found += [(end + at, end + at + 1) for at in _tabs(text[end:start])]
        if isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken):
            depth += 1
        elif isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken):
            depth -= 1
        end = max(end, token.end_mark.index)
    return found if text.isascii() else _in_bytes(text, found)


def _tabs(gap: str) -> list[int]:
    """Return where tabs stand between tokens, those in comments left out."""
    found: list[int] = []
    at = 0
    for line in gap.split("\n"):
        code = line.partition("#")[0]
        found += [at + place for place, sign in enumerate(code) if sign == "\t"]
        at += len(line) + 1
    return found


def _in_bytes(text: str, gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return character offsets as byte offsets."""
    found: list[tuple[int, int]] = []
    at = passed = 0
    for start, end in gaps:
        first = passed + len(text[at:start].encode())
        at, passed = end, first + len(text[start:end].encode())
        found.append((first, passed))
    return found
