"""A small server to be run as a workload: HTTP/1.1 with kept connections, WebSocket echo, probes, faults.

Environment: HOST and PORT as the runtime gives them; FAIL_START exits at once with a line on stderr;
NEVER_READY answers 503 to the readiness probe; SLOW_S delays every answer but the probes'; RUDE ends at
SIGTERM without finishing anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from aiohttp import WSMsgType, web


def main() -> None:
    if os.environ.get("FAIL_START"):
        print("no database here", file=sys.stderr)
        sys.exit(3)
    asyncio.run(serve())


async def serve() -> None:
    state = {"alive": True, "ready": not os.environ.get("NEVER_READY"), "in_flight": 0}

    async def live(_: web.Request) -> web.Response:
        return web.Response(status=200 if state["alive"] else 500, text="live" if state["alive"] else "stuck")

    async def ready(_: web.Request) -> web.Response:
        return web.Response(status=200 if state["ready"] else 503, text="ready" if state["ready"] else "warming up")

    async def become(request: web.Request) -> web.Response:
        state[request.match_info["what"]] = request.match_info["value"] == "true"
        return web.Response(text="ok")

    async def socket(request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(protocols=("chat",))
        await answer.prepare(request)
        async for message in answer:
            if message.type == WSMsgType.TEXT:
                await answer.send_str(f"{os.environ.get('APP_VERSION', '')}:{message.data}")
        return answer

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for number in range(3):
            await answer.write(f"data: {number}\n\n".encode())
        await answer.write_eof()
        return answer

    async def anything(request: web.Request) -> web.Response:
        body = await request.read()
        if delay := os.environ.get("SLOW_S"):
            await asyncio.sleep(float(delay))
        seen = {
            "method": request.method,
            "path": request.raw_path,
            "host": request.headers.get("Host"),
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": body.decode(),
            "pid": os.getpid(),
            "version": os.environ.get("APP_VERSION"),
            "replica": os.environ.get("HOSTNAME"),
            "env": dict(os.environ) if request.path == "/env" else None,
        }
        return web.Response(
            text=json.dumps(seen), content_type="application/json", status=int(request.query.get("status", 200))
        )

    app = web.Application()
    app.add_routes(
        [
            web.get("/health/live", live),
            web.get("/health/ready", ready),
            web.post("/become/{what}/{value}", become),
            web.get("/socket", socket),
            web.get("/stream", stream),
            web.route("*", "/{tail:.*}", anything),
        ]
    )
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])).start()
    print(f"serving {os.environ.get('APP_VERSION')} on {os.environ['PORT']}", flush=True)
    stopping = asyncio.Event()
    if not os.environ.get("RUDE"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await runner.cleanup()


if __name__ == "__main__":
    main()
