"""What a YAML scalar means, and how a value is written as one.

Reading follows YAML 1.2 with the integers that Kubernetes tools also take (``0644``, ``0x1F``, ``1_000``);
``yes`` and ``on`` are text here, as they are for the public library. Writing quotes every text that another
reader, YAML 1.1 included, could take for something else.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

import yaml

Scalar = str | int | float | bool | None
Style = str
"""One of "plain", "single", "double", "literal", "folded"."""

WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **{f".{word}": math.nan for word in ("nan", "NaN", "NAN")},
    **{f"{sign}.{word}": math.inf for word in ("inf", "Inf", "INF") for sign in ("", "+")},
    **{f"-.{word}": -math.inf for word in ("inf", "Inf", "INF")},
}
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|0[0-7_]*|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?\Z")

_AMBIGUOUS = re.compile(
    r"(?:[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|[tT]rue|TRUE|[fF]alse|FALSE|[nN]ull|NULL|~|<<|=|)\Z"
    r"|[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)\Z"
    r"|[-+]?(?:[0-9][0-9_]*)?\.?[0-9_]*(?:[eE][-+]?[0-9]+)?\Z|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t]|\Z)"
)
"""What some YAML reader, 1.1 or 1.2, takes for a boolean, null, a number, a time, or a sign of its own."""

_PLAIN = re.compile(r"[A-Za-z0-9_./\\()$%^+;~-][^\x00-\x1f\x7f:?#\[\]{},\u0085\u2028\u2029\ufeff]*\Z")
"""Texts that need no closer look: none of the signs that may end a text somewhere, and an ordinary first one."""

_SINGLE_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]*\Z")
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\0": "\\0",
    "\x07": "\\a",
    "\x08": "\\b",
    "\x0b": "\\v",
    "\x0c": "\\f",
    "\x1b": "\\e",
    "\x85": "\\N",
    "\u2028": "\\L",
    "\u2029": "\\P",
    "\ufeff": "\\uFEFF",
}
_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]')


def resolve(text: str) -> Scalar:
    """Return what a plain scalar without a tag means."""
    if text in WORDS:
        return WORDS[text]
    first = text[0]
    if first in "0123456789+-.":
        if _INTEGER.match(text):
            return _integer(text)
        if _FLOAT.match(text):
            return float(text.replace("_", ""))
    return text


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
        digits = "0o" + digits[1:]
    # Python refuses "0_1" and the like only with underscores, which are gone
    return sign * int(digits, 0)


def is_plain_safe(text: str, *, flow: bool = False) -> bool:
    """Say whether the text can stand unquoted and every YAML reader takes it for this very text."""
    return _is_short_plain_safe(text, flow) if len(text) < _SHORT else _is_plain_safe(text, flow=flow)


@lru_cache(maxsize=1024)
def _is_short_plain_safe(text: str, flow: bool) -> bool:
    # one call writes the same text in many places
    return _is_plain_safe(text, flow=flow)


_SHORT = 100


def _is_plain_safe(text: str, *, flow: bool) -> bool:
    if _PLAIN.match(text) and text[-1] != " " and not text.startswith(("- ", "---", "...", "%")) and text != "-":
        return not _AMBIGUOUS.match(text)
    return _is_plain_safe_closely(text, flow=flow)


def _is_plain_safe_closely(text: str, *, flow: bool) -> bool:
    if not text or text != text.strip() or not _SINGLE_LINE.match(text) or "\t" in text:
        return False
    if text[0] in "#,[]{}&*!|>'\"%@`" or (text[0] in "-?:" and (len(text) == 1 or text[1] in " ,[]{}")):
        return False
    if ": " in text or " #" in text or text.endswith(":") or text.startswith(("---", "...")):
        return False
    # to a reader of YAML 1.1 a question mark in a flow begins a key, and a colon in front ends one
    if flow and (text[0] == ":" or any(sign in text for sign in "?,[]{}")):
        return False
    # "a:b" is plain text in a block; in a flow a colon may end a key
    return not (flow and ":" in text and re.search(r":(?:[,\[\]{}]|\Z)", text)) and not _AMBIGUOUS.match(text)


def double_quoted(text: str) -> str:
    """Return the text in double quotes, every unprintable character escaped."""
    return '"' + _ESCAPED.sub(_escape, text) + '"' if _ESCAPED.search(text) else f'"{text}"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return f"\\x{code:02X}" if code < 256 else f"\\u{code:04X}"


def single_quoted(text: str) -> str:
    """Return the text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def can_be_single_quoted(text: str) -> bool:
    """Say whether single quotes, which know no escapes, can hold the text on one line."""
    return bool(_SINGLE_LINE.match(text))


def written(value: Scalar, *, style: Style = "plain", flow: bool = False, is_new: bool = True) -> str:
    """Return one line of YAML that means the value, in the wished style where that can hold it.

    Text that would be read as another type is put in double quotes; so is new text that looks like a map or list.
    Other text that cannot be plain is put in single quotes. Numbers and booleans are always plain.
    """
    if isinstance(value, str):
        if style == "double":
            return double_quoted(value)
        if style == "single" and can_be_single_quoted(value):
            return single_quoted(value)
        return value if is_plain_safe(value, flow=flow) else _quoted(value, is_new=is_new)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _written_float(value)
    return str(value)


def _quoted(text: str, *, is_new: bool) -> str:
    if not can_be_single_quoted(text) or _AMBIGUOUS.match(text) or (is_new and _looks_like_more(text)):
        return double_quoted(text)
    return single_quoted(text)


def _looks_like_more(text: str) -> bool:
    """Say whether the text, read as YAML, is anything but a text: a map, a list, a comment."""
    try:
        return not isinstance(yaml.load(text, Loader=yaml.CSafeLoader), str)
    except (yaml.YAMLError, ValueError):
        return False


def _written_float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return repr(value)
