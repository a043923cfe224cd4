"""The daemon's HTTP interface, on loopback and behind a token: workers are its clients.

PUT    /environments/{e}/units/{u}        apply a unit       DELETE  remove it
GET    /environments/{e}/units/{u}        its objects as they are now, and as they were applied
GET    /environments[/{e}[/replicas]]     what there is
PATCH  /environments/{e}/objects/{kind}/{namespace}/{name}   change an object past the hub (merge patch)
GET    /watch?environment=&owner=         one line of JSON for each unit, and again whenever it changes
GET    /metrics[?environment=]            Prometheus text, without a token
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiohttp import typedefs, web

from confighub.errors import BadRequest, ConfigHubError, Conflict, NotFound, Unauthenticated
from confighub.runtime import manifests, usage
from confighub.runtime.daemon import Daemon
from confighub.runtime.environment import Environment
from confighub.runtime.manifests import Manifest
from confighub.runtime.messages import ApplyUnit, Change, ContainerNow, EnvironmentNow, ReplicaNow, UnitNow
from confighub.runtime.replicas import Replica
from confighub.runtime.state import ObjectKey

BODY_LIMIT_BYTES = 64_000_000
_STILL_THERE_S = 10.0  # an empty line that often, so that a dead connection is noticed
_STATUS: dict[type[ConfigHubError], int] = {BadRequest: 400, Unauthenticated: 401, NotFound: 404, Conflict: 409}
# A patch names kinds as people do; the key of an object has the API group too.
_GROUPS = {kind: api_version.rpartition("/")[0] for api_version, kind in manifests.KINDS}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Body = TypeVar("_Body")


def application(daemon: Daemon, token: str) -> web.Application:
    """Return the interface of the daemon."""
    routes = _Routes(daemon)
    app = web.Application(middlewares=[_guard(token)], client_max_size=BODY_LIMIT_BYTES)
    app.add_routes(
        [
            web.get("/health", routes.health),
            web.get("/metrics", routes.metrics),
            web.get("/watch", routes.watch),
            web.get("/environments", routes.environments),
            web.get("/environments/{environment}", routes.environment),
            web.get("/environments/{environment}/replicas", routes.replicas),
            web.get("/environments/{environment}/objects", routes.objects),
            web.patch("/environments/{environment}/objects/{kind}/{namespace}/{name}", routes.patch),
            web.put("/environments/{environment}/units/{unit}", routes.apply),
            web.get("/environments/{environment}/units/{unit}", routes.unit),
            web.delete("/environments/{environment}/units/{unit}", routes.remove),
        ]
    )
    return app


class _Routes:
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def metrics(self, request: web.Request) -> web.Response:
        only = request.query.get("environment", "")
        text = self._daemon.metrics(only)
        # requests go through this loop, and reading what programs use takes milliseconds
        text += await asyncio.to_thread(usage.text, self._daemon.running(only))
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def environments(self, _: web.Request) -> web.Response:
        return _json([_shown(name, found) for name, found in sorted(self._daemon.environments().items())])

    async def environment(self, request: web.Request) -> web.Response:
        return _json(_shown(request.match_info["environment"], self._found(request)))

    async def replicas(self, request: web.Request) -> web.Response:
        return _json([_replica(replica) for replica in self._found(request).replicas()])

    async def objects(self, request: web.Request) -> web.Response:
        return _json(self._found(request).live())

    async def apply(self, request: web.Request) -> web.Response:
        body = _decode(await request.read(), ApplyUnit)
        if body.unit.unit_id != request.match_info["unit"]:
            raise BadRequest("the unit in the body is not the one in the path")
        self._daemon.apply(request.match_info["environment"], body.unit, body.objects, body.settings)
        return self._unit(request)

    async def unit(self, request: web.Request) -> web.Response:
        return self._unit(request)

    async def remove(self, request: web.Request) -> web.Response:
        found, unit_id = self._found(request), request.match_info["unit"]
        if not found.has_unit(unit_id):
            raise NotFound(f"unit {unit_id} has nothing in environment {found.name}")
        found.remove(unit_id)
        return _json({})

    async def patch(self, request: web.Request) -> web.Response:
        info = request.match_info
        key = ObjectKey(_GROUPS.get(info["kind"], ""), info["kind"], info["namespace"], info["name"])
        return _json(self._found(request).patch(key, _decode(await request.read(), Manifest)))

    async def watch(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        environment, owner = request.query.get("environment", ""), request.query.get("owner", "")
        event = self._daemon.subscribe()
        told: dict[tuple[str, str], Change] = {}
        try:
            while True:
                event.clear()
                for change in self._daemon.picture(environment=environment, owner=owner):
                    place = (change.environment, change.unit.unit_id)
                    if told.get(place) != change:
                        told[place] = change
                        await answer.write(msgspec.json.encode(change) + b"\n")
                if self._daemon.is_stopping:
                    return answer
                try:
                    async with asyncio.timeout(_STILL_THERE_S):
                        await event.wait()
                except TimeoutError:
                    await answer.write(b"\n")
        except ConnectionResetError:
            return answer
        finally:
            self._daemon.unsubscribe(event)

    def _found(self, request: web.Request) -> Environment:
        return self._daemon.environment(request.match_info["environment"])

    def _unit(self, request: web.Request) -> web.Response:
        found, unit_id = self._found(request), request.match_info["unit"]
        if not found.has_unit(unit_id):
            raise NotFound(f"unit {unit_id} has nothing in environment {found.name}")
        unit = next((unit for unit in found.units() if unit.unit_id == unit_id), None)
        return _json(UnitNow(unit=unit, objects=found.live(unit_id), applied=found.applied(unit_id)))


def _guard(token: str) -> typedefs.Middleware:
    """Return what stands before every handler: the token, and errors as JSON."""
    expected = f"Bearer {token}"

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            given = request.headers.get("Authorization", "")
            if request.path not in ("/health", "/metrics") and not hmac.compare_digest(given, expected):
                raise Unauthenticated("this needs the runtime's token", hint="it is in runtime.json")
            return await handler(request)
        except ConfigHubError as error:
            body = {"message": error.message, "hint": error.hint}
            return _json(body, status=next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500))

    return guard


def _shown(name: str, environment: Environment) -> EnvironmentNow:
    return EnvironmentNow(name=name, units=environment.units(), ingress=list(environment.ingress_ports()))


def _replica(replica: Replica) -> ReplicaNow:
    return ReplicaNow(
        name=replica.name,
        workload=replica.identity.workload,
        namespace=replica.identity.namespace,
        ready=replica.ready,
        stopping=replica.stopping,
        addresses=[str(endpoint) for endpoint in replica.endpoints()],
        containers=[
            ContainerNow(
                name=item.spec.name,
                image=item.spec.image,
                pid=item.process.pid if item.process and not item.process.ended.is_set() else None,
                restarts=item.restarts,
                reason=item.reason,
                message=item.message or item.last_end,
            )
            for item in replica.containers
        ],
    )


def _decode(body: bytes, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"the body cannot be read: {error}") from error


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")
