"""The OpenAPI document, made from the route table and the records, and the page that shows it.

OpenAPI 3.0, because the page that comes with ``swagger-ui-bundle`` reads no later version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from confighub.api.auth import REFRESH_COOKIE
from confighub.api.failures import Failure
from confighub.api.routing import JSON, Route

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_ERRORS = {
    "400": "The request is wrong, or a gate refuses",
    "401": "No or wrong credentials",
    "403": "Not allowed",
    "404": "No such thing",
    "500": "A fault of the hub",
}


def document(routes: Iterable[Route]) -> Json:
    """Return the document that describes the routes, in the order of the table."""
    table = list(routes)
    types = [t for route in table for t in (route.takes, route.answers) if t is not None and t is not bytes]
    schemas, components = msgspec.json.schema_components([*types, Failure], ref_template=_REFERENCE)
    by_type = dict(zip([*map(_key, types), _key(Failure)], schemas, strict=True))
    paths: dict[str, Json] = {}
    for route in table:
        operation = _operation(route, by_type)
        paths.setdefault(route.full_path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "ConfigHub",
            "version": version("traderx-confighub"),
            "description": "A configuration hub. Extensions of the public API are marked `x-ours`.",
        },
        "paths": paths,
        "components": {
            "schemas": _for_3_0(components),
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "refresh": {"type": "apiKey", "in": "cookie", "name": REFRESH_COOKIE},
            },
        },
    }


_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "open": [],
    "caller": [{"bearer": []}, {"basic": []}],
    "worker": [{"bearer": []}],
    "refresh": [{"refresh": []}],
}


def _key(shape: Any) -> str:
    return str(shape)


def _operation(route: Route, by_type: dict[str, Json]) -> Json:
    found: Json = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.tag or "more"],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": _responses(route, by_type),
        "security": _SECURITY[route.access],
    }
    if route.takes is not None:
        schema = _for_3_0(by_type[_key(route.takes)])
        # Where a patch of nothing is meant, the public client sends null or no body.
        found["requestBody"] = {
            "required": route.media_type == JSON and not route.is_stream,
            "content": {route.media_type: {"schema": schema}},
        }
    if route.is_ours:
        found["x-ours"] = True
    return found


def _path_parameters(route: Route) -> list[Json]:
    uuid = {"type": "string", "format": "uuid"}
    return [
        {"name": name, "in": "path", "required": True, "schema": uuid} for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route) -> list[Json]:
    return [
        {
            "name": parameter.name,
            "in": "query",
            "required": parameter.is_required,
            "description": parameter.description,
            "schema": {"type": parameter.type},
        }
        for parameter in route.query
    ]


def _responses(route: Route, by_type: dict[str, Json]) -> Json:
    if route.access == "refresh":
        good: Json = {"description": "The new tokens, as cookies; there is nothing behind the redirection"}
    elif route.is_stream:
        good = {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    elif route.answers is bytes:
        schema = {"type": "string", "format": "binary"}
        good = {"description": "The content", "content": {"application/octet-stream": {"schema": schema}}}
    else:
        good = {"description": "Done", "content": {JSON: {"schema": _for_3_0(by_type[_key(route.answers)])}}}
    found: Json = {"302" if route.access == "refresh" else "200": good}
    if route.is_bulk:
        found["207"] = {**good, "description": "Some elements failed"}
    errors = dict(_ERRORS)
    if route.method == "PUT":
        errors["409"] = "It has changed since it was read"
    errors["503"] = "Busy; try again"
    content = {JSON: {"schema": by_type[_key(Failure)]}}
    found |= {status: {"description": text, "content": content} for status, text in sorted(errors.items())}
    return found


def _for_3_0(schema: Any) -> Any:
    """Return the JSON schema in the words of OpenAPI 3.0, where null is a property of a type."""
    if isinstance(schema, list):
        return [_for_3_0(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    options = schema.get("anyOf")
    if options is not None:
        rest = [_for_3_0(one) for one in options if one != {"type": "null"}]
        others = {key: _for_3_0(value) for key, value in schema.items() if key != "anyOf"}
        is_nullable = {"nullable": True} if len(rest) < len(options) else {}
        one = rest[0] if len(rest) == 1 else {"anyOf": rest}
        # A reference may have no neighbours in 3.0.
        return {**({"allOf": [one]} if "$ref" in one else one), **others, **is_nullable}
    kept = {key: value for key, value in schema.items() if key not in ("contentEncoding", "title")}
    found = {key: _for_3_0(value) for key, value in kept.items()}
    if schema.get("contentEncoding") == "base64":
        found["format"] = "byte"
    return found


PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>ConfigHub API</title>
<link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="page"></div><script src="docs/swagger-ui-bundle.js"></script><script>
SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null,
  tagsSorter: "alpha", docExpansion: "none"});
</script></body></html>
"""

_ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


@cache
def asset(name: str) -> tuple[bytes, str] | None:
    """Return one file of the page and its media type; None when it has no such file."""
    import swagger_ui_bundle

    if name not in _ASSETS:
        return None
    folder = next(Path(swagger_ui_bundle.__file__).parent.glob("vendor/swagger-ui-*"))
    return (folder / name).read_bytes(), _ASSETS[name]
