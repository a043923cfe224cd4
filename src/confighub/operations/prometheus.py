"""Questions to a Prometheus server: what a query finds now, or over a stretch of time.

What is not there is an empty answer, never a zero; what cannot be asked is an error, never an empty answer.
Source: Prometheus HTTP API v1.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from confighub.errors import BadRequest, RetryLater
from confighub.operations.alerts import is_web_address

TOKEN_VARIABLE = "CONFIGHUB_PROMETHEUS_TOKEN"  # noqa: S105 the name of a variable
"""The variable that holds a bearer token, for servers that ask for one; it is never written down."""

Labels = dict[str, str]


@dataclass(frozen=True)
class Series:
    """One series with its value at a moment; a scalar has no labels."""

    labels: Labels
    value: float

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """What tells the series from others."""
        return tuple(sorted(self.labels.items()))


@dataclass(frozen=True)
class Course:
    """One series over time: seconds since 1970 and values, in order."""

    labels: Labels
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Prometheus:
    """A server at a URL. Raises: BadRequest for what is no URL."""

    url: str
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        if not is_web_address(self.url):
            raise BadRequest(
                f"not the address of a Prometheus: {self.url}", hint="write it like http://prometheus.monitoring:9090"
            )
        place = urlsplit(self.url)
        if place.username or place.password:
            raise BadRequest(
                "a password does not belong into the address of a Prometheus", hint=f"set {TOKEN_VARIABLE} instead"
            )

    def vector(self, query: str, *, at_s: float | None = None) -> list[Series]:
        """Return what the query finds now, or at a moment; empty when there is no such series.

        Values that are no finite numbers are left out. Raises: RetryLater when the server cannot be asked; BadRequest
        when it refuses the query.
        """
        found = self._ask("query", query=query, **({} if at_s is None else {"time": f"{at_s:.3f}"}))
        if found.get("resultType") == "scalar":
            rows: list[Any] = [{"metric": {}, "value": found.get("result")}]
        elif found.get("resultType") == "vector":
            rows = found.get("result") or []
        else:
            raise BadRequest(f"the query gives a {found.get('resultType')}, not numbers of one moment: {query}")
        read = [Series(dict(row["metric"]), float(row["value"][1])) for row in rows]
        return [one for one in read if math.isfinite(one.value)]

    def matrix(self, query: str, *, start_s: float, end_s: float, step_s: float) -> list[Course]:
        """Return what the query finds from start to end, one point a step; empty when there is no such series."""
        times = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:g}"}
        found = self._ask("query_range", query=query, **times)
        return [
            Course(
                dict(row["metric"]),
                tuple((float(at_s), float(value)) for at_s, value in row["values"] if math.isfinite(float(value))),
            )
            for row in found.get("result") or []
        ]

    def _ask(self, what: str, **query: str) -> dict[str, Any]:
        """Return the ``data`` of an answer."""
        url = f"{self.url.rstrip('/')}/api/v1/{what}"
        token = os.environ.get(TOKEN_VARIABLE, "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(url, urlencode(query).encode(), headers)  # noqa: S310 checked at the start
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:  # noqa: S310
                told = json.load(answer)
            if told.get("status") == "success":
                return dict(told["data"])
            said = str(told.get("error") or "it answers something else")
        except urllib.error.HTTPError as error:
            said = _reason(error)
            if error.code in (400, 422):
                raise BadRequest(f"Prometheus refuses the query {query['query']}: {said}") from error
        except (OSError, http.client.HTTPException, ValueError, AttributeError, KeyError, TypeError) as error:
            raise RetryLater(f"the Prometheus at {self.url} cannot be asked: {error}") from error
        raise RetryLater(f"the Prometheus at {self.url} cannot be asked: {said}")


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
        return f"HTTP {error.code}"
