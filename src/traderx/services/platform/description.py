"""The OpenAPI document of a service, made from its routes and their docstrings."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route


def describe(title: str, version: str, routes: Sequence[BaseRoute]) -> dict[str, object]:
    """Return the document: one operation per route and method, in the order of the routes.

    The first line of a handler's docstring is the operation's summary.
    """
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        if not isinstance(route, Route):
            continue
        operations = paths.setdefault(route.path, {})
        for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
            operations[method.lower()] = {
                "summary": (route.endpoint.__doc__ or "").strip().partition("\n")[0],
                "parameters": [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in route.param_convertors
                ],
                "responses": {"200": {"description": "OK"}},
            }
    return {"openapi": "3.0.3", "info": {"title": title, "version": version}, "paths": paths}
