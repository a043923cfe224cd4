"""What the API says of itself: what runs here, its operations, and what was done."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from confighub.api import openapi
from confighub.api.call import Answer, Call
from confighub.api.routing import Route
from confighub.errors import NotFound
from confighub.records.base import Record


class ApiInfo(Record, omit_defaults=True):
    """What runs here; ``worker_port`` is where workers connect, as text."""

    build: str = ""
    revision: str = ""
    built_at: str = ""
    worker_port: str = ""
    client_id: str = ""
    auth_server: str = ""
    redirect_uri: str = ""


def get_info(call: Call) -> Any:
    """Return what runs here; answered as soon as the hub is ready."""
    return ApiInfo(build=_build(), worker_port=str(call.hub.settings.port))


def get_document(call: Call) -> Any:  # noqa: ARG001 - the document is the same for everybody
    """Return the OpenAPI document."""
    return _document()


def get_docs(call: Call) -> Any:  # noqa: ARG001
    """Return the page that shows the document."""
    return Answer(openapi.PAGE.encode(), media_type="text/html; charset=utf-8")


def get_docs_file(call: Call) -> Any:
    """Return one file of the page."""
    found = openapi.asset(call.path["file"])
    if found is None:
        raise NotFound(f"no such file: {call.path['file']}")
    return Answer(found[0], media_type=found[1])


@cache
def _build() -> str:
    return version("traderx-confighub")


@cache
def _document() -> dict[str, Any]:
    from confighub.api.table import PUBLIC

    return openapi.document(PUBLIC)


ROUTES = (
    Route(
        "GET", "/info", "ApiInfo", get_info, "Say what runs here; open to anybody", ApiInfo, tag="about", access="open"
    ),
)

PAGES = (
    Route("GET", "/openapi.json", "GetDocument", get_document, "The document", dict[str, Any], access="open"),
    Route("GET", "/docs", "GetDocs", get_docs, "The page", bytes, access="open"),
    Route("GET", "/docs/{file}", "GetDocsFile", get_docs_file, "A file of the page", bytes, access="open"),
)
"""What is served for people and not part of the document."""
