"""A proxy in front of an API server that can be slow, say that it is busy, and cut connections."""

from __future__ import annotations

import asyncio
import ssl
import threading
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from tests.kubernetes.control_plane import Plane, free_ports


class Proxy:
    """Speaks plain HTTP on a port of its own and adds the administrator's login.

    ``delay_s`` holds every call back; ``refusals`` counts how many writes are still answered with 429.
    """

    def __init__(self, plane: Plane, folder: Path) -> None:
        from confighub.client.kubeconfig import from_kubeconfig

        self.delay_s, self.refusals, self.refused = 0.0, 0, 0
        access = from_kubeconfig([plane.kubeconfig])
        self._server, self._tls = access.server, access.tls
        self._watches: set[asyncio.Task[None]] = set()
        self._port = free_ports(1)[0]
        self.kubeconfig = folder / "proxy.kubeconfig"
        content = yaml.safe_load(plane.kubeconfig.read_text())
        content["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self._port}"}
        content["users"][0]["user"] = {}
        self.kubeconfig.write_text(yaml.safe_dump(content))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)

    def cut_watches(self) -> int:
        """Break every watch that is open; return how many there were."""

        async def cut() -> int:
            cut_now = list(self._watches)
            for one in cut_now:
                one.cancel()
            return len(cut_now)

        return asyncio.run_coroutine_threadsafe(cut(), self._loop).result(30)

    def stop(self) -> None:
        """End the proxy."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        asyncio.run_coroutine_threadsafe(until_closed(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._pass)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def _stop(self) -> None:
        for one in list(self._watches):
            one.cancel()
        await self._runner.cleanup()
        await self._session.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.delay_s)
        if request.method != "GET" and self.refusals:
            self.refusals -= 1
            self.refused += 1
            return web.json_response({"kind": "Status", "code": 429, "message": "busy"}, status=429)
        tls: ssl.SSLContext | bool = self._tls or True
        async with self._session.request(
            request.method,
            self._server + str(request.rel_url),
            data=await request.read(),
            headers={"Content-Type": request.headers.get("Content-Type", "application/json")},
            ssl=tls,
        ) as answer:
            if "watch" not in request.query:
                body = await answer.read()
                return web.Response(body=body, status=answer.status, content_type="application/json")
            stream = web.StreamResponse(status=answer.status)
            await stream.prepare(request)
            copying = asyncio.create_task(_copy(answer, stream))
            self._watches.add(copying)
            try:
                await copying
            except asyncio.CancelledError:
                if request.transport:
                    request.transport.abort()
            finally:
                self._watches.discard(copying)
                if answer.connection and answer.connection.transport:
                    answer.connection.transport.abort()
            return stream


async def until_closed() -> None:
    """Let the loop close what it was told to close: connections over TLS take a few of its rounds."""
    mine = asyncio.current_task()
    others = [one for one in asyncio.all_tasks() if one is not mine]
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.sleep(0.1)


async def _copy(answer: aiohttp.ClientResponse, stream: web.StreamResponse) -> None:
    async for chunk in answer.content.iter_any():
        await stream.write(chunk)
