"""Checks documents against the Kubernetes API, offline and strictly: unknown fields and wrong types are problems.

The schemas come inside the package kubernetes-validate; they are read when the first document is checked, without
their prose. Kinds that they do not know are skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from confighub.data import spans
from confighub.data.document import Document
from confighub.data.path import Steps, join
from confighub.data.tree import NONE
from confighub.errors import BadPath, NotAResource

_VERSION = re.compile(r"v([0-9]+)\.([0-9]+)\.[0-9]+-local-strict\Z")
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
_WORDS = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "map",
    list: "list",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that the Kubernetes API would refuse; ``line`` counts from 1 within the document."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.reason}" if self.path else self.reason


class _Schema(msgspec.Struct, rename={"ref": "$ref", "one_of": "oneOf", "additional": "additionalProperties"}):
    ref: str = ""
    type: str | list[str] = ""
    properties: dict[str, _Schema] | None = None
    additional: bool | _Schema | None = None
    items: _Schema | None = None
    required: list[str] | None = None
    enum: list[Any] | None = None
    one_of: list[_Schema] | None = None


class _Definitions(msgspec.Struct, rename={"schemas": "$defs"}):
    schemas: dict[str, _Schema]


@lru_cache(maxsize=1)
def _folder() -> Path:
    found = find_spec("kubernetes_validate")
    if found is None or not found.submodule_search_locations:
        raise BadPath("the package kubernetes-validate is not installed")
    base = Path(next(iter(found.submodule_search_locations))) / "kubernetes-json-schema"
    versions = [(match, folder) for folder in base.iterdir() if (match := _VERSION.match(folder.name))]
    return max(versions, key=lambda one: (int(one[0].group(1)), int(one[0].group(2))))[1]


@lru_cache(maxsize=1)
def _definitions() -> dict[str, _Schema]:
    text = (_folder() / "_definitions.json").read_bytes()
    return msgspec.json.decode(text, type=_Definitions).schemas


@lru_cache(maxsize=512)
def _schema_of(version: str, kind: str) -> _Schema | None:
    group, _, short = version.rpartition("/")
    name = f"{kind.lower()}-{group.partition('.')[0] + '-' if group else ''}{short}.json"
    if not re.fullmatch(r"[a-z0-9-]+\.json", name):
        return None
    file = _folder() / name
    return msgspec.json.decode(file.read_bytes(), type=_Schema) if file.is_file() else None


def problems(document: Document) -> list[Problem]:
    """Return everything that the API would refuse in the document, in document order; empty for unknown kinds.

    Raises: NotAResource for a document without ``kind``.
    """
    found = document.memo.get("problems")
    if found is None:
        found = document.memo["problems"] = _checked(document)
    return list(found)


def _checked(document: Document) -> list[Problem]:
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise NotAResource("kind not found in a document")
    schema = _schema_of(str(data.get("apiVersion", "")), data["kind"])
    if schema is None:
        return []
    found: list[tuple[Steps, str]] = []
    _check(data, schema, (), found)
    return [Problem(join(steps), _line(document, steps), reason) for steps, reason in found]


def _line(document: Document, steps: Steps) -> int:
    node = document.find(steps)
    try:
        at = 0 if node in (NONE, document.root) else spans.entry_start(document, node)
    except BadPath:
        at = 0
    return spans.line_of(document.source, at)


def _resolved(schema: _Schema) -> _Schema:
    while schema.ref:
        schema = _definitions().get(schema.ref.rpartition("/")[2], _ANYTHING)
    return schema


_ANYTHING = _Schema()


def _check(value: Any, schema: _Schema, steps: Steps, found: list[tuple[Steps, str]]) -> None:
    schema = _resolved(schema)
    if value is None:
        return
    if schema.one_of and not any(_fits(value, one) for one in schema.one_of):
        wanted = " or ".join(_spoken(one.type) for one in schema.one_of)
        found.append((steps, f"is a {_WORDS[type(value)]}, expected {wanted}"))
        return
    if schema.type and not _fits(value, schema):
        found.append((steps, f"is a {_WORDS[type(value)]}, expected {_spoken(schema.type)}"))
        return
    if schema.enum and value not in schema.enum:
        found.append((steps, f"is not one of {', '.join(map(str, schema.enum))}"))
    if isinstance(value, dict):
        _check_map(value, schema, steps, found)
    elif isinstance(value, list) and schema.items is not None:
        for at, item in enumerate(value):
            _check(item, schema.items, (*steps, at), found)


def _check_map(value: dict[str, Any], schema: _Schema, steps: Steps, found: list[tuple[Steps, str]]) -> None:
    known = schema.properties or {}
    for key, item in value.items():
        if key in known:
            _check(item, known[key], (*steps, key), found)
        elif isinstance(schema.additional, _Schema):
            _check(item, schema.additional, (*steps, key), found)
        elif schema.additional is False:
            found.append(((*steps, key), "unknown field"))
    found += [(steps, f"field is required: {key}") for key in schema.required or () if value.get(key) is None]


def _names(kind: str | list[str]) -> list[str]:
    return [kind] if isinstance(kind, str) else kind


def _spoken(kind: str | list[str]) -> str:
    return {"object": "map", "array": "list"}.get(_names(kind)[0], _names(kind)[0])


def _fits(value: Any, schema: _Schema) -> bool:
    schema = _resolved(schema)
    # exact types: True is an int in Python, not in JSON
    return not schema.type or any(type(value) in _TYPES[name] for name in _names(schema.type))
