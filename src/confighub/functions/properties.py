"""Java properties text as nested YAML, and back.

Dotted keys become nested maps, keys sorted; ``true``, ``false`` and numbers become typed. Comments and the order of
lines do not survive, as with the public library: the text is converted on every call.
"""

from __future__ import annotations

import re
from typing import Any

from confighub.data import render, scalars
from confighub.data.document import parse
from confighub.data.render import Layout
from confighub.errors import BadRequest, NotYaml

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SEPARATOR = re.compile(r"(?<!\\)[=:]")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r"}
_PLAIN_LAYOUT = Layout(2, 0, is_json=False)


def to_yaml(text: str) -> str:
    """Return properties as nested YAML.

    Raises: NotYaml for a line without a separator.
    """
    nested: dict[str, Any] = {}
    for key, value in sorted(read(text).items()):
        _put(nested, key.split("."), value)
    if not nested:
        return ""
    return "\n".join(render.block(_sorted(nested), _PLAIN_LAYOUT)) + "\n"


def read(text: str) -> dict[str, str]:
    """Return the properties as they stand, later lines over earlier ones."""
    found: dict[str, str] = {}
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, raw in lines:
        line = raw.strip()
        if not line or line[0] in "#!":
            continue
        while line.endswith("\\"):
            line = line[:-1] + next(lines, (number, ""))[1].strip()
        match = _SEPARATOR.search(line)
        if match is None:
            raise NotYaml("no separator in this line", line=number, column=1)
        key = _unescaped(line[: match.start()].strip())
        if key:
            found[key] = _unescaped(line[match.end() :].strip())
    return found


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_letter, text) if "\\" in text else text


def _letter(match: re.Match[str]) -> str:
    what = match.group(1)
    if len(what) == 5:
        return chr(int(what[1:], 16))
    return _LETTERS.get(what, what)


def _put(nested: dict[str, Any], parts: list[str], value: str) -> None:
    for part in parts[:-1]:
        below = nested.get(part)
        if not isinstance(below, dict):
            below = nested[part] = {} if below is None else {"": below}
        nested = below
    nested[parts[-1]] = _typed(value)


def _typed(value: str) -> scalars.Scalar:
    if value in ("true", "false"):
        return value == "true"
    if _INTEGER.match(value) and -(2**63) <= int(value) < 2**63:
        return int(value)
    if _FLOAT.match(value) and scalars.written(float(value)) == value:
        # a number that would be written otherwise, such as 1.10, is a text: a version, perhaps
        return float(value)
    return value


def _sorted(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _sorted(value[key]) for key in sorted(value)}


def from_yaml(text: str) -> str:
    """Return nested YAML as properties, keys sorted; properties are one document, so the first one counts.

    Raises: BadRequest when that is no map.
    """
    documents = parse(text).documents
    if not documents:
        return ""
    data = documents[0].document.data
    if not isinstance(data, dict):
        raise BadRequest("properties need a map")
    lines: dict[str, str] = {}
    _flatten(data, "", lines)
    return "".join(f"{_escaped_key(key)}={_escaped(value)}\n" for key, value in sorted(lines.items()))


def _flatten(value: Any, prefix: str, lines: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _flatten(item, f"{prefix}.{key}" if prefix and key else prefix or key, lines)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _flatten(item, f"{prefix}.{position}" if prefix else str(position), lines)
    elif value is None:
        lines[prefix] = ""
    elif isinstance(value, float) and value.is_integer():
        lines[prefix] = str(int(value))
    else:
        lines[prefix] = value if isinstance(value, str) else scalars.written(value)


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04X}" for sign in text)


def _escaped_key(text: str) -> str:
    return re.sub(r"[ =:]", lambda match: "\\" + match.group(), _escaped(text))
