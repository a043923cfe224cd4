"""Answers and failures, in the shapes that the callers of both vocabularies know.

The seed's paths (``/api/…``) always answer JSON. The FINOS programs differ: the Java services
send a 404 as bare text or as JSON by the Accept header and everything else as an object, the
ticker service always sends JSON, the people service a problem document.
Source: traderx.md §2 and "Checked against the running originals".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from traderx.services.errors import BadInput, TooLarge
from traderx.services.platform.tracing import current_span

# No order, account or user is near this; a longer body is a mistake or an attack.
LARGEST_BODY_BYTES = 1_000_000

FailureStyle = Callable[[Request, int, str], Response]


def java_failure(request: Request, status: int, message: str) -> Response:
    """Return a failure as the Java services send it: a 404 by the Accept header, else an object."""
    if status == HTTPStatus.NOT_FOUND and not _is_seed_path(request) and not _wants_json(request):
        return PlainTextResponse(message, status)
    return JSONResponse(_failure_fields(request, status, message), status)


def ticker_failure(request: Request, status: int, message: str) -> Response:
    """Return a failure as the ticker service sends it: always an object with statusCode."""
    return JSONResponse(_failure_fields(request, status, message) | {"statusCode": status}, status)


def people_failure(request: Request, status: int, message: str) -> Response:
    """Return a failure as the people service sends it: a problem document (RFC 7807)."""
    span = current_span()
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "message": message,
        "instance": request.url.path,
        "traceId": span.trace_id if span else "",
    }
    return JSONResponse(problem, status, media_type="application/problem+json")


def timestamp(milliseconds: int) -> str:
    """Return milliseconds since 1970 as the ISO text of the REST answers, in UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


async def read_object(request: Request) -> dict[str, object]:
    """Return the body, which must be a JSON object.

    Raises: BadInput for anything else, TooLarge above LARGEST_BODY_BYTES.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise TooLarge(f"the body is longer than {LARGEST_BODY_BYTES} bytes")
    try:
        value = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadInput(f"the body must be a JSON object, not {_json_kind(value)}")
    return value


def whole_number(value: str, *, name: str) -> int:
    """Return a path or query value as a whole number.

    Raises: BadInput, naming the field.
    """
    digits = value.removeprefix("-")
    # Eighteen digits fit the widest column; Python itself would take thousands.
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise BadInput(f"{name} must be a whole number: {value}")
    return int(value)


def limit_of(request: Request) -> int | None:
    """Return the query's ``limit``, None when absent.

    Raises: BadInput unless it is a positive whole number.
    """
    text = request.query_params.get("limit")
    if text is None:
        return None
    limit = whole_number(text, name="limit")
    if limit < 1:
        raise BadInput(f"limit must be at least 1: {limit}")
    return limit


def _failure_fields(request: Request, status: int, message: str) -> dict[str, object]:
    return {
        "timestamp": timestamp(round(datetime.now(UTC).timestamp() * 1000)),
        "status": status,
        "error": HTTPStatus(status).phrase,
        "message": message,
        "path": request.url.path,
    }


def _is_seed_path(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _wants_json(request: Request) -> bool:
    return "json" in request.headers.get("accept", "")


def _json_kind(value: object) -> str:
    kinds = {list: "an array", str: "a text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
