"""Why a text cannot be read: the reason, its line and column, and what to do about it.

PyYAML's C parser, which is strict, names the place; where it accepts a text that the other parser refuses, that
parser's place counts.
"""

from __future__ import annotations

from typing import Any

import yaml

from confighub.errors import NotYaml

_HINTS = (
    ("mapping values are not allowed", "put quotes around a text with a colon, or check the indentation"),
    ("cannot start any token", "indent with spaces, and put quotes around a text that begins with a sign"),
    ("control characters", "remove the character, or write it as an escape in double quotes"),
    ("UTF-8", "write the text in UTF-8"),
    ("unexpected end of stream", "close the quote or bracket that is still open"),
    ("could not find expected ':'", "put a colon and a space behind the key"),
    ("expected ',' or", "close the bracket, or put a comma between its items"),
    ("unknown escape", "use single quotes where a backslash is meant as it is"),
    ("did not find expected", "check the indentation of this line and of the line above"),
    ("undefined tag", "write the value without its tag"),
    ("found unexpected ':'", "put quotes around a text with a colon"),
)
_ELSE = "check this line and the line above"
UNSUPPORTED = NotYaml("this form of YAML is not supported", hint="write it as plain keys, lists and quoted texts")


def unreadable(source: bytes, error: Exception) -> NotYaml:
    """Return why a document cannot be read; ``error`` is what the parser raised."""
    problem = first_problem(source)
    if problem is not None:
        return problem
    place = getattr(error, "errdata_parse", None)
    place = getattr(place, "ymlloc", None) or getattr(getattr(error, "errdata_basic", None), "location", None)
    line, column = getattr(place, "line", 0), getattr(place, "col", 0)
    if not 0 < line <= source.count(b"\n") + 1:
        line, column = 1, 1
    return NotYaml(UNSUPPORTED.reason, line=line, column=max(column, 1), hint=UNSUPPORTED.hint)


def first_problem(text: str | bytes) -> NotYaml | None:
    """Return why a strict YAML reader refuses the text, or None; slower than parse, and stricter."""
    source = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        for _ in yaml.parse(source, Loader=yaml.CSafeLoader):
            pass
    except yaml.MarkedYAMLError as problem:
        return _at(problem.problem or "cannot be read", problem.problem_mark)
    except yaml.YAMLError as problem:
        return _unmarked(problem, source)
    return None


def _at(reason: str, mark: Any) -> NotYaml:
    hint = next((hint for words, hint in _HINTS if words in reason), _ELSE)
    return NotYaml(reason, line=mark.line + 1 if mark else 1, column=mark.column + 1 if mark else 1, hint=hint)


def _unmarked(problem: yaml.YAMLError, source: bytes) -> NotYaml:
    """Return a problem of single characters, which the parser counts from the start of the text."""
    at = min(int(getattr(problem, "position", 0) or 0), len(source))
    before = source[:at].decode("utf-8", "replace")
    reason = str(getattr(problem, "reason", "")) or str(problem).splitlines()[0]
    hint = next((hint for words, hint in _HINTS if words in reason), _ELSE)
    return NotYaml(reason, line=before.count("\n") + 1, column=len(before) - before.rfind("\n"), hint=hint)
