"""A server that refuses to say what it has is not one that has nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from confighub.client.kubeconfig import Access
from confighub.errors import RetryLater
from confighub.worker.kubernetes import optional
from confighub.worker.kubernetes.cluster import Cluster
from confighub.worker.kubernetes.informers import Seen
from confighub.worker.kubernetes.live import LiveView

MARKED: dict[str, Any] = {
    "apiVersion": "monitoring.example.com/v1",
    "kind": "ServiceMonitor",
    "metadata": {"name": "web", "annotations": {optional.IF_SUPPORTED: "true"}},
}
SERVED = {
    "resources": [{"kind": "ServiceMonitor", "name": "servicemonitors", "namespaced": True, "verbs": ["get", "list"]}]
}
INGRESS: dict[str, Any] = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "way-in"}}


@asynccontextmanager
async def server(answers: list[tuple[int, dict[str, Any]]]) -> AsyncIterator[Cluster]:
    """A cluster whose server gives these answers in turn, and the last one for ever."""

    async def answer(_: web.Request) -> web.Response:
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    cluster = Cluster(Access("one", f"http://127.0.0.1:{port}"))
    try:
        yield cluster
    finally:
        await cluster.close()
        await runner.cleanup()


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_kind_that_the_server_does_not_tell_about_is_not_taken_for_missing(status: int) -> None:
    async def check() -> None:
        async with server([(status, {"message": "no"})]) as cluster:
            with pytest.raises(RetryLater, match=f"{status} no"):
                await optional.split(cluster, [MARKED])

    asyncio.run(check())


def test_a_refusal_is_not_remembered() -> None:
    async def check() -> None:
        async with server([(403, {}), (200, SERVED)]) as cluster:
            with pytest.raises(RetryLater):
                await optional.split(cluster, [MARKED])
            assert await optional.split(cluster, [MARKED]) == ([MARKED], [])

    asyncio.run(check())


def test_a_kind_that_is_not_found_is_missing() -> None:
    async def check() -> None:
        async with server([(404, {})]) as cluster:
            assert await optional.split(cluster, [MARKED]) == ([], [MARKED])

    asyncio.run(check())


def test_a_server_that_does_not_name_its_groups_is_asked_again() -> None:
    async def check() -> None:
        async with server([(401, {})]) as cluster:
            with pytest.raises(RetryLater):
                await cluster.find_all()

    asyncio.run(check())


@pytest.mark.parametrize(("status", "is_told"), [(403, False), (200, True)])
def test_only_a_list_without_classes_says_that_no_controller_serves_an_ingress(status: int, *, is_told: bool) -> None:
    async def check() -> None:
        async with server([(status, {})]) as cluster:
            (shown,) = await LiveView(cluster).objects([Seen(INGRESS, None, ())])
            assert ("status" in shown) is is_told

    asyncio.run(check())
