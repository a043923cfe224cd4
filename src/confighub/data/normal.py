"""The wire form of YAML text: how bodies and mutation values are written in answers.

Two spaces a level, list dashes in the column of their key, one space before a comment, no blank lines, keys in order,
quotes and comments kept. Documents themselves are never rewritten to this form; only what answers show of them is.
Source: spec functions/README.md, "What the reference does to the text".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from confighub.data import comments, scalars, spans
from confighub.data.document import Document
from confighub.data.tree import ALIAS, BLOCK_SCALAR, FLOW, MAP, PROPERTIES, SEQ, node_type, parent

_KEY = re.compile(
    r"""((?:[&!]\S*\s+)*(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'\[\]{}|>%@`#,&*!?-][^#]*?|[-?]\S[^#]*?|\*\S+?))"""
    r"""\s*:(?:[ \t]+|\Z)"""
)
# Lines like "key: value", "- key: value" and "key:", where nothing needs a closer look.
_SIMPLE = re.compile(
    r"""( *)((?:- )*)([A-Za-z_][^\s:#"'{}\[\]&*!|>%@`,]*):(?: ([^\s#"'{}\[\]&*!|>%@`][^#:]*(?::[^\s#:]+)*))? *\Z"""
)
_COMMENT = re.compile(r"(?:^|\s)#")
_HEADER = re.compile(r"(?:[&!][^\s]*\s+)*([|>])([-+0-9]*)\s*(#.*)?\Z")
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""")
_FLOW_TOKEN = re.compile(
    r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|#[^\n]*\n?|[\[\]{},]|:(?=[\s,\[\]{}"]|\Z)|\s+|[^\s\[\]{},:"'#]+|."""
)


class _Level(NamedTuple):
    column: int
    out: int
    is_list: bool


def document_text(document: Document) -> str:
    """Return the whole document in wire form, its comments included."""
    text = document.memo.get("normal")
    if text is None:
        text = document.memo["normal"] = lines_text(document.source.decode(), is_document=True)
    return str(text)


def value_text(document: Document, node: int, *, dash: int = 0) -> str:
    """Return one value in wire form, with the comment beside a scalar; ``dash`` indents lists below their key."""
    kind = node_type(document.tree, node)
    source = document.source
    if node == document.root:
        return document_text(document) if not dash else lines_text(source.decode(), is_document=True, dash=dash)
    if kind & (MAP | SEQ) and not kind & (FLOW | ALIAS):
        return lines_text(_block_lines(document, node), dash=dash)
    comment = comments.comment_beside(document, node) if b"#" in source else ""
    if kind & BLOCK_SCALAR:
        start, end = spans.value_span(document, node)
        indent = spans.column(source, spans.entry_start(document, node))
        return lines_text(" " * indent + source[start:end].decode())
    start, end = spans.value_span(document, node)
    text = source[start:end].decode()
    if kind & FLOW:
        text = flow_text(text)
    elif "\n" in text:
        text = scalars.written(document.scalar(node), style=_style(text))
    if not text:
        text = "null"
    return f"{text} {comment}\n" if comment else f"{text}\n"


def entry_text(document: Document, node: int) -> str:
    """Return a value as mutation records hold it: like value_text, with the comments above a list item.

    A value that is left out is empty here.
    """
    if node == document.root:
        return document_text(document)
    if not node_type(document.tree, parent(document.tree, node)) & SEQ:
        if node_type(document.tree, node) & (MAP | SEQ | ALIAS | BLOCK_SCALAR | PROPERTIES):
            return value_text(document, node)
        start, end = spans.value_span(document, node)
        return value_text(document, node) if start < end else "\n"
    return head_comment(document, node) + value_text(document, node)


def head_comment(document: Document, item: int) -> str:
    """Return the comment lines directly above a list item, each with its line end; empty when there are none."""
    source = document.source
    if b"#" not in source or node_type(document.tree, parent(document.tree, item)) & FLOW:
        return ""
    dash = spans.dash(document, item)
    line = spans.line_start(source, dash)
    if source[line:dash].strip(b" "):
        return ""
    lines = source[comments.first_comment_above(source, line, dash - line) : line].decode().splitlines()
    return "".join(f"{one.strip()}\n" for one in lines)


def _style(text: str) -> str:
    return "double" if text[0] == '"' else "single" if text[0] == "'" else "plain"


def _block_lines(document: Document, node: int) -> str:
    """Return the lines of a block's content; where the first shares its line with a dash, spaces stand for that."""
    source = document.source
    start = spans.value_start(document, node)
    end = spans.line_end(source, spans.value_end(document, node))
    line = spans.line_start(source, start)
    if node_type(document.tree, node) & MAP:
        end = _behind_foot(source, end, start - line)
    if source[line:start].strip():
        return " " * (start - line) + source[start:end].decode()
    # comment lines directly above the first entry belong to it
    up = parent(document.tree, node)
    if node_type(document.tree, up) & MAP:
        floor = spans.line_end(source, spans.after_key(document, node)) + 1
        line = min(max(comments.first_comment_above(source, line, start - line), floor), line)
    return source[line:end].decode()


def _behind_foot(source: bytes, end: int, column: int) -> int:
    """Return where the comments end that stand below a map's last entry, no further left than its keys."""
    line = source.find(b"\n", end) + 1
    while 0 < line < len(source):
        stop = spans.line_end(source, line)
        code = source[line:stop].lstrip(b" ")
        if code.startswith(b"#") and stop - line - len(code) >= column:
            end = stop
        elif code.strip():
            break
        line = source.find(b"\n", stop) + 1
    return end


def lines_text(text: str, *, is_document: bool = False, dash: int = 0) -> str:
    """Return lines of block YAML in wire form, moved to the left margin."""
    return _Lines(text, is_document=is_document, dash=dash).formatted()


class _Lines:
    """Reads block YAML line by line and writes it again; strings inside are never looked into."""

    def __init__(self, text: str, *, is_document: bool, dash: int) -> None:
        self.lines = text.replace("\r\n", "\n").split("\n")
        self.at = 0
        self.out: list[str] = []
        self.levels: list[_Level] = []
        self.pending: list[str] = []
        self.is_document, self.dash = is_document, dash

    def formatted(self) -> str:
        lines, size = self.lines, len(self.lines)
        while self.at < size:
            line = lines[self.at]
            self.at += 1
            simple = _SIMPLE.match(line)
            if simple is not None and self._simple(simple):
                continue
            code = line.lstrip(" ")
            if not code or code.isspace():
                self._keep_head_gap()
            elif code[0] == "#":
                self.pending.append(code.rstrip())
            else:
                self._code(code, len(line) - len(code))
        self._trailing_comments()
        return "\n".join(self.out) + "\n" if self.out else ""

    def _simple(self, match: re.Match[str]) -> bool:
        """Write a simple line; return False for one whose value may go on below."""
        spaces, dashes, key, value = match.groups()
        column = len(spaces) + len(dashes)
        if value is not None and self.at < len(self.lines) and self.lines[self.at][: column + 1].isspace():
            return False
        if dashes:
            out = self._level(len(spaces), is_list=True)
            for place in range(2, len(dashes), 2):
                self._level(len(spaces) + place, is_list=True)
            self._level(column, is_list=False)
        else:
            levels = self.levels
            last = levels[-1] if levels else None
            if last is not None and last.column == column and not last.is_list:
                out = last.out
            else:
                out = self._level(column, is_list=False)
        if self.pending:
            self._flush(out)
        text = f"{' ' * out}{dashes}{key}:"
        self.out.append(f"{text} {value.rstrip()}" if value is not None else text)
        return True

    def _keep_head_gap(self) -> None:
        # one blank line stays, between the comment at the head of a document and its first key
        if self.is_document and not self.levels and self.pending and self.pending[-1]:
            self.pending.append("")

    def _trailing_comments(self) -> None:
        self.out += [comment for comment in self.pending if comment]

    def _flush(self, out: int) -> None:
        prefix = " " * out
        self.out += [prefix + comment if comment else "" for comment in self.pending]
        self.pending.clear()

    def _level(self, column: int, *, is_list: bool) -> int:
        levels = self.levels
        while levels and levels[-1].column > column:
            levels.pop()
        if levels and levels[-1].column == column and levels[-1].is_list and not is_list:
            levels.pop()
        if levels and levels[-1].column == column and levels[-1].is_list == is_list:
            return levels[-1].out
        if not levels:
            out = 0
        elif is_list and not levels[-1].is_list:
            out = levels[-1].out + self.dash
        else:
            out = levels[-1].out + 2
        levels.append(_Level(column, out, is_list))
        return out

    def _code(self, code: str, column: int) -> None:
        prefix, first = "", True
        while code.startswith("- ") or code.rstrip() == "-":
            out = self._level(column, is_list=True)
            if first:
                self._flush(out)
                prefix, first = " " * out, False
            inner = code[1:].lstrip(" ")
            prefix += "- "
            column += len(code) - len(inner)
            code = inner
            if not code or code[0] == "#":
                self.out.append((prefix.rstrip() + (" " + code if code else "")).rstrip())
                return
        key = _KEY.match(code)
        if key:
            out = self._level(column, is_list=False)
            if first:
                self._flush(out)
                prefix = " " * out
            self._value(prefix + key.group(1).rstrip() + ":", code[key.end() :], column, out)
        else:
            out = self.levels[-1].out + 2 if not first else (self.levels[-1].out if self.levels else 0)
            if first:
                self._flush(out)
                prefix = " " * out
            self._value(
                prefix.rstrip(" ") if not first else prefix,
                code,
                self.levels[-1].column if self.levels else -1,
                out - 2,
                is_item=True,
            )

    def _value(self, head: str, rest: str, column: int, out: int, *, is_item: bool = False) -> None:
        """Write an entry's head and what follows it, reading on while the value does."""
        join = "" if is_item and (not head or head.isspace()) else " "
        header = _HEADER.match(rest)
        if header:
            comment = " " + header.group(3).rstrip() if header.group(3) else ""
            self.out.append(head + join + rest[: header.end(2)].rstrip() + comment)
            self._block_scalar(column, out + 2, folded=header.group(1) == ">", is_stripped="-" in header.group(2))
            return
        value, comment = self._gather(rest, column)
        line = head + (join + value if value else "")
        self.out.append(f"{line} {comment}" if comment else line)

    def _gather(self, rest: str, column: int) -> tuple[str, str]:
        first = rest[:1]
        if first and first in "\"'":
            while not _QUOTED.match(rest) and self.at < len(self.lines):
                rest += "\n" + self.lines[self.at]
                self.at += 1
            match = _QUOTED.match(rest)
            if match is None:
                return rest, ""
            text = match.group() if "\n" not in match.group() else _refolded(match.group())
            return text, rest[match.end() :].strip()
        if first and first in "[{":
            while not _is_closed(rest) and self.at < len(self.lines):
                rest += "\n" + self.lines[self.at]
                self.at += 1
            return _split_flow(rest)
        value, comment = _split_comment(rest)
        if value and not comment and first not in "&*!":
            value = self._continued(value, column)
        elif value and first in "&!" and not comment:
            properties = re.match(r"(?:[&!]\S*\s*)+", value)
            rest_of_value = value[properties.end() :] if properties else ""
            if rest_of_value[:1] in ("[", "{"):
                inner, comment = self._gather(rest_of_value, column)
                return value[: properties.end()].rstrip() + " " + inner, comment  # type: ignore[union-attr]
        return value, comment

    def _continued(self, value: str, column: int) -> str:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            code = line.strip()
            if code and (len(line) - len(line.lstrip(" ")) <= column or code[0] == "#"):
                break
            if not code and not self._continues_behind_blank(column):
                break
            self.at += 1
            if code:
                more, comment = _split_comment(code)
                value += " " + more
                if comment:
                    break
        return value

    def _continues_behind_blank(self, column: int) -> bool:
        for line in self.lines[self.at :]:
            if line.strip():
                return len(line) - len(line.lstrip(" ")) > column and not line.lstrip().startswith("#")
        return False

    def _block_scalar(self, column: int, out: int, *, folded: bool, is_stripped: bool) -> None:
        indent, body = -1, []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip():
                spaces = len(line) - len(line.lstrip(" "))
                if indent < 0:
                    indent = spaces
                if spaces < indent or spaces <= column:
                    break
                body.append(line[indent:])
            else:
                body.append("")
            self.at += 1
        while body and not body[-1]:
            body.pop()
        prefix = " " * max(out, 2)
        if folded and not any(line.startswith((" ", "\t")) for line in body):
            body = _joined_paragraphs(body)
        self.out += [prefix + line if line else "" for line in body]
        if folded and not is_stripped:
            self.out.append("")


def _joined_paragraphs(lines: list[str]) -> list[str]:
    paragraphs: list[str] = []
    for line in lines:
        if line and paragraphs and paragraphs[-1]:
            paragraphs[-1] += " " + line
        else:
            paragraphs.append(line)
    return paragraphs


def _split_comment(rest: str) -> tuple[str, str]:
    match = _COMMENT.search(rest)
    if match is None:
        return rest.strip(), ""
    hash_at = match.end() - 1
    return rest[: match.start()].strip(), rest[hash_at:].rstrip()


def _refolded(text: str) -> str:
    lines = [line.strip() for line in text[1:-1].split("\n")]
    lines[0] = text[1:-1].split("\n")[0].rstrip()
    joined = lines[0]
    blank = 0
    for line in lines[1:]:
        if not line:
            blank += 1
            continue
        joined += ("\\n" * blank if blank else " ") + line
        blank = 0
    return text[0] + joined + text[-1]


def _is_closed(text: str) -> bool:
    depth = 0
    for sign in _FLOW_TOKEN.findall(text):
        if sign in "[{" and sign:
            depth += 1
        elif sign in ("]", "}"):
            depth -= 1
            if depth == 0:
                return True
    return depth == 0


def _split_flow(text: str) -> tuple[str, str]:
    end = spans.flow_end(text.encode(), 0)
    raw = text.encode()
    return flow_text(raw[:end].decode()), raw[end:].decode().strip()


def flow_text(text: str) -> str:
    """Return text between brackets on one line, with single spaces behind colons and commas."""
    out: list[str] = []
    for sign in _FLOW_TOKEN.findall(text):
        if sign.startswith("#") or sign.isspace():
            if sign.isspace() and out and out[-1] not in ("[", "{", ", ", ": ", " "):
                out.append(" ")
            continue
        if sign in ("]", "}", ",", ":"):
            while out and out[-1] == " ":
                out.pop()
            if sign in ("]", "}") and out and out[-1] == ", ":
                out.pop()
            out.append(", " if sign == "," else ": " if sign == ":" else sign)
        else:
            out.append(sign)
    return "".join(out).strip()
