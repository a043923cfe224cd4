"""A hub of a few dozen lines that speaks the worker protocol, for tests that need to see every word.

What a test wants goes in by /test/queue, what the worker said comes out by /test/said. It keeps nothing: started
again it knows nothing, like a hub that lost its stream.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

SECRET = "ch_secret_of_the_test"


class State:
    """Everything there is."""

    def __init__(self) -> None:
        self.infos: list[Any] = []
        self.results: list[Any] = []
        self.live: list[Any] = []
        self.versions: set[str] = set()
        self.stream: asyncio.Queue[bytes | None] | None = None
        self.refused_results = 0


STATE = State()


def known(request: Request) -> bool:
    STATE.versions.add(request.scope["http_version"])
    return request.headers.get("authorization") == f"Bearer {SECRET}"


async def me(request: Request) -> Response:
    if not known(request):
        return JSONResponse({"Code": "401", "Message": "who are you"}, 401)
    return JSONResponse({"Slug": "w1", "BridgeWorkerID": request.path_params["worker"]})


async def stream(request: Request) -> Response:
    if not known(request):
        return JSONResponse({"Code": "401", "Message": "who are you"}, 401)
    STATE.infos.append(json.loads(await request.body()))
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    if STATE.stream:
        STATE.stream.put_nowait(None)
    STATE.stream = queue

    async def events() -> AsyncIterator[bytes]:
        yield b": hello\n\n"
        beat = {
            "Event": "WorkerEvent",
            "Data": {"Action": "Heartbeat", "Payload": {"Timestamp": time.time_ns() // 1000}},
        }
        yield line(beat)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            STATE.stream = None if STATE.stream is queue else STATE.stream

    return StreamingResponse(events(), media_type="text/event-stream")


async def action_result(request: Request) -> Response:
    known(request)
    if STATE.refused_results:
        STATE.refused_results -= 1
        return JSONResponse({"Code": "503", "Message": "not now"}, 503)
    STATE.results.append(json.loads(await request.body()))
    return JSONResponse("ok")


async def live_state(request: Request) -> Response:
    STATE.live += json.loads(await request.body())
    return JSONResponse({"Kept": 1})


async def queue(request: Request) -> Response:
    event = await request.json()
    if STATE.stream:
        STATE.stream.put_nowait(line(event) if isinstance(event, dict) else str(event).encode() + b"\n\n")
    return JSONResponse({"Sent": STATE.stream is not None})


async def said(request: Request) -> Response:
    return JSONResponse(
        {
            "Results": STATE.results,
            "Live": STATE.live,
            "Infos": STATE.infos,
            "Versions": sorted(STATE.versions),
            "IsConnected": STATE.stream is not None,
        }
    )


async def refuse(request: Request) -> Response:
    STATE.refused_results = int(request.path_params["count"])
    return JSONResponse({})


async def forget(request: Request) -> Response:
    STATE.results, STATE.live, STATE.refused_results = [], [], 0
    return JSONResponse({})


async def end(request: Request) -> Response:
    if STATE.stream:
        STATE.stream.put_nowait(None)
    return JSONResponse({})


def line(event: Any) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


app = Starlette(
    routes=[
        Route("/api/bridge_worker/{worker}/me", me),
        Route("/api/bridge_worker/{worker}/stream", stream, methods=["POST"]),
        Route("/api/bridge_worker/{worker}/action_result", action_result, methods=["POST"]),
        Route("/api/bridge_worker/{worker}/live_state", live_state, methods=["POST"]),
        Route("/test/queue", queue, methods=["POST"]),
        Route("/test/said", said),
        Route("/test/refuse/{count}", refuse, methods=["POST"]),
        Route("/test/forget", forget, methods=["POST"]),
        Route("/test/end", end, methods=["POST"]),
    ]
)
