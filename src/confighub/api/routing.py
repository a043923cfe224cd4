"""One row for each operation, and the way from a request to its row.

``table`` lists the rows; both the routing and the OpenAPI document come from them, so what is
served and what is documented cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Literal

from confighub.errors import NotFound

if TYPE_CHECKING:
    from confighub.api.call import Call

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Access = Literal["open", "caller", "worker", "refresh"]

MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"

DRY_RUN = "dry_run"
"""The query parameter that asks what would be; every operation that changes something takes it."""


@dataclass(frozen=True)
class Parameter:
    """One query parameter."""

    name: str
    description: str
    is_required: bool = False
    type: str = "string"


@dataclass(frozen=True)
class Route:
    """One operation: ``path`` is below ``/api`` with parameters in braces.

    ``takes`` is the struct of the body, None when there is none; ``answers`` is the type of the
    200 answer, and ``bytes`` means a download. ``is_bulk`` adds status 207. ``access`` says who
    may call: anybody, a known caller, the worker that the path names, or who shows a refresh token as a
    cookie. ``is_ours`` marks what the public API does not have. A stream is run by
    ``stream``; its handler is never called.
    ``has_rehearsal`` says that a dry run does everything and undoes it; handlers without it look at
    ``dry_run`` themselves.
    """

    method: Method
    path: str
    operation: str
    handler: Callable[[Call], Any]
    summary: str
    answers: Any
    takes: Any = None
    media_type: str = JSON
    query: tuple[Parameter, ...] = ()
    tag: str = ""
    is_bulk: bool = False
    is_ours: bool = False
    access: Access = "caller"
    is_at_root: bool = False
    is_stream: bool = False
    has_rehearsal: bool = False

    @property
    def full_path(self) -> str:
        """The path as a client sends it."""
        return self.path if self.is_at_root else f"/api{self.path}"


def rehearsable(route: Route) -> Route:
    """Return the route with a dry run, when it changes something for a caller and has none of its own."""
    changes = route.method != "GET" and route.access == "caller" and not route.is_stream
    if not changes or any(parameter.name == DRY_RUN for parameter in route.query):
        return route
    parameter = Parameter(DRY_RUN, "true answers as if it were done and stores nothing.", type="boolean")
    return replace(route, query=(*route.query, parameter), has_rehearsal=True)


def list_of(record: Any) -> Any:
    """Return the type of a list of the record."""
    return GenericAlias(list, (record,))


class MethodNotAllowed(NotFound):
    """The path exists, the method does not; ``allowed`` are those that do."""

    def __init__(self, method: str, path: str, allowed: list[str]) -> None:
        super().__init__(f"{method} is not possible on {path}", hint=f"possible: {', '.join(allowed)}")
        self.allowed = allowed


@dataclass
class _Node:
    routes: dict[str, Route] = field(default_factory=dict)
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None


class Router:
    """Finds the route of a request in a tree of path segments; a literal wins over a parameter."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.full_path.strip("/").split("/"):
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        assert route.method not in node.routes, f"two rows for {route.method} {route.path}"
        node.routes[route.method] = route

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and its path parameters.

        Raises: NotFound when no row has the path; MethodNotAllowed when only the method is missing.
        """
        segments = path.strip("/").split("/")
        node = _walk(self._root, segments, 0)
        if node is None:
            raise NotFound(f"nothing is served at {path}", hint="see /api/docs")
        route = node.routes.get(method)
        if route is None:
            raise MethodNotAllowed(method, path, sorted(node.routes))
        names = [part[1:-1] if part.startswith("{") else "" for part in route.full_path.strip("/").split("/")]
        return route, {name: value for name, value in zip(names, segments, strict=True) if name}


def _walk(node: _Node, segments: list[str], index: int) -> _Node | None:
    if index == len(segments):
        return node if node.routes else None
    literal = node.literals.get(segments[index])
    found = _walk(literal, segments, index + 1) if literal else None
    if found is None and node.parameter is not None and segments[index]:
        found = _walk(node.parameter, segments, index + 1)
    return found
