"""The filter of an import request, read into what a worker understands.

Each term is ``path = 'x'``, ``path != 'x'``, ``path [NOT] IN ('x', …)``, or an option
``import.name = value``; terms are joined by AND.
Source: the import parser of the public library.
"""

from __future__ import annotations

import re
from typing import Any

from confighub.errors import BadQuery
from confighub.records.work import ImportFilter

_TERM = re.compile(
    r"""[ \t]*
    (?P<path>[A-Za-z][A-Za-z0-9_./~*-]*) [ \t]*
    (?P<operator>!=|=|NOT[ \t]+IN|IN) [ \t]*
    (?P<value>\([^)]*\)|'[^'"\\]*'|[0-9]{1,10}|true|false)
    [ \t]*""",
    re.VERBOSE,
)
_AND = re.compile(r"AND(?![A-Za-z])")
_OPTION = "import."


def parse(text: str) -> tuple[list[ImportFilter], dict[str, Any]]:
    """Return the filters and the options, in the order of the terms.

    Raises: BadQuery at the first term that does not fit.
    """
    filters: list[ImportFilter] = []
    options: dict[str, Any] = {}
    position = 0
    while True:
        term = _TERM.match(text, position)
        if term is None:
            hint = "write path = 'value', path IN ('a', 'b') or import.name = true"
            raise BadQuery("expected a term of an import filter", text=text, position=position, hint=hint)
        _add(term, text, filters, options)
        position = term.end()
        if position == len(text):
            return filters, options
        joint = _AND.match(text, position)
        if joint is None:
            raise BadQuery("expected AND or the end", text=text, position=position)
        position = joint.end()


def _add(term: re.Match[str], text: str, filters: list[ImportFilter], options: dict[str, Any]) -> None:
    path, operator, value = term["path"], " ".join(term["operator"].split()), term["value"]
    is_list = value.startswith("(")
    if is_list != operator.endswith("IN"):
        raise BadQuery(f"{operator} does not fit this value", text=text, position=term.start("value"))
    if path.startswith(_OPTION):
        if operator != "=":
            raise BadQuery("an option is set with =", text=text, position=term.start("operator"))
        options[path.removeprefix(_OPTION)] = _scalar(value)
        return
    values = [item.strip().strip("'") for item in value[1:-1].split(",")] if is_list else [str(_scalar(value))]
    sign = "include" if operator in ("=", "IN") else "exclude"
    filters.append(ImportFilter(type=path, operator=sign, values=values))


def _scalar(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdigit() else value[1:-1]
