"""One question to one container: is it there, is it well.

Answers carry a sentence for people: what was asked and what came back.
Source: the kubelet's rules; HTTP success is 200 to 399, redirects are not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import aiohttp

from confighub.runtime import manifests
from confighub.runtime.addresses import Endpoint

Kind = Literal["startup", "readiness", "liveness"]
_BODY_SHOWN = 200
# Before a container is ready its scaled period may come out tiny; this much pause keeps it from being hammered.
_SHORTEST_PERIOD_S = 0.1


@dataclass(frozen=True)
class Answer:
    """What a probe found; ``message`` is empty on success."""

    ok: bool
    message: str = ""


@dataclass(frozen=True)
class Place:
    """Where a container can be asked: its address, ports by number and name, and its environment for commands."""

    host: str
    ports: Mapping[int | str, Endpoint]
    env: Mapping[str, str]
    folder: str

    def endpoint(self, port: int | str) -> Endpoint | None:
        """Return where a port answers; a number need not be declared, a name must."""
        return self.ports.get(port) or (Endpoint(self.host, port) if isinstance(port, int) else None)


@dataclass(frozen=True)
class Timing:
    """Seconds between questions of one probe."""

    initial_delay_s: float
    starting_period_s: float
    period_s: float


def timing(probe: manifests.Probe, scale: float) -> Timing:
    """Return when to ask: delays are scaled while the container starts, the period holds as written after."""
    starting = max(_SHORTEST_PERIOD_S, min(probe.period_seconds, probe.period_seconds * scale))
    return Timing(probe.initial_delay_seconds * scale, starting, float(probe.period_seconds))


async def ask(kind: Kind, probe: manifests.Probe, place: Place) -> Answer:
    """Ask once, within the probe's timeout."""
    try:
        async with asyncio.timeout(probe.timeout_seconds):
            if probe.http_get:
                return await _http(kind, probe.http_get, place)
            if probe.tcp_socket:
                return await _tcp(kind, probe.tcp_socket, place)
            if probe.exec:
                return await _exec(kind, probe.exec, place)
    except TimeoutError:
        return Answer(ok=False, message=f"{kind} probe: no answer within {probe.timeout_seconds} s")
    return Answer(ok=True)


async def watch(
    kind: Kind,
    probe: manifests.Probe,
    place: Place,
    *,
    pauses: Callable[[], float],
    tell: Callable[[Answer], None],
) -> None:
    """Ask for ever; tell each success and each failure that reaches its threshold of answers in a row.

    ``pauses`` returns the seconds until the next question.
    """
    successes = failures = 0
    while True:
        answer = await ask(kind, probe, place)
        if answer.ok:
            successes, failures = successes + 1, 0
            if successes >= probe.success_threshold:
                tell(answer)
        else:
            successes, failures = 0, failures + 1
            if failures >= probe.failure_threshold:
                tell(answer)
        await asyncio.sleep(pauses())


async def _http(kind: Kind, get: manifests.HttpGet, place: Place) -> Answer:
    endpoint = place.endpoint(get.port)
    if endpoint is None:
        return Answer(ok=False, message=f"{kind} probe: the container has no port named {get.port}")
    where = f"{get.scheme.lower()}://{endpoint}{get.path if get.path.startswith('/') else '/' + get.path}"
    headers = {header.name: header.value for header in get.http_headers or []}
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, ssl=False)) as session,
            session.get(where, headers=headers, allow_redirects=False) as response,
        ):
            if 200 <= response.status < 400:
                return Answer(ok=True)
            body = (await response.content.read(_BODY_SHOWN * 4)).decode(errors="replace").strip()[:_BODY_SHOWN]
            answered = f"answered {response.status}" + (f": {body}" if body else "")
    except (aiohttp.ClientError, OSError) as error:
        answered = f"failed: {_reason(error)}"
    return Answer(ok=False, message=f"{kind} probe: GET {get.path} {answered}")


async def _tcp(kind: Kind, socket: manifests.TcpSocket, place: Place) -> Answer:
    endpoint = place.endpoint(socket.port)
    if endpoint is None:
        return Answer(ok=False, message=f"{kind} probe: the container has no port named {socket.port}")
    try:
        _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    except OSError as error:
        return Answer(ok=False, message=f"{kind} probe: connecting to {endpoint} failed: {_reason(error)}")
    writer.close()
    return Answer(ok=True)


async def _exec(kind: Kind, command: manifests.Exec, place: Place) -> Answer:
    try:
        child = await asyncio.create_subprocess_exec(
            *command.command,
            env=dict(place.env),
            cwd=place.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        return Answer(ok=False, message=f"{kind} probe: {' '.join(command.command)} failed: {error.strerror}")
    try:
        output, _ = await child.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        raise
    if child.returncode == 0:
        return Answer(ok=True)
    said = output.decode(errors="replace").strip()[-_BODY_SHOWN:]
    return Answer(ok=False, message=f"{kind} probe: {' '.join(command.command)} exited {child.returncode}: {said}")


def _reason(error: Exception) -> str:
    cause = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None)
    return os.strerror(number) if number else str(error) or type(error).__name__
