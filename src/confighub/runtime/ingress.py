"""An environment's door: one HTTP and one HTTPS port that lead to Services by host and path."""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from confighub.runtime import background, certificates, listeners, manifests
from confighub.runtime.addresses import LOOPBACK
from confighub.runtime.conditions import Condition
from confighub.runtime.limits import Buckets
from confighub.runtime.metrics import Requests
from confighub.runtime.proxy import Carrier
from confighub.runtime.routes import Destination, Route, Table, compile_table
from confighub.runtime.services import ServicePool
from confighub.runtime.state import Settings
from confighub.runtime.variables import Unresolved

_RETRY_S = 1.0
_LOG = logging.getLogger("confighub.runtime")


class Gateway:
    """The ports of one environment; they are open while there is an Ingress.

    ``find_pool`` answers with the replicas behind a destination, None when there is no such Service;
    ``authority`` is the folder of the project's authority.
    """

    def __init__(
        self,
        environment: str,
        *,
        ports: Callable[[], tuple[int, int]],
        folder: Path,
        authority: Path,
        find_pool: Callable[[Destination], ServicePool | None],
        carrier: Carrier,
        requests: Requests,
        on_change: Callable[[], None],
    ) -> None:
        self._environment, self._ports = environment, ports
        self._folder, self._authority = folder, authority
        self._find_pool, self._carrier, self._requests = find_pool, carrier, requests
        self._on_change = on_change
        self._table = Table([], [], None)
        self._documents: list[manifests.Ingress] = []
        self._settings = Settings()
        self._buckets = Buckets()
        self._http = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._servers: dict[str, asyncio.Server] = {}
        self._errors: dict[str, str] = {}
        self._tls: ssl.SSLContext | None = None
        self._is_own_certificate = False
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def want(self, documents: Iterable[manifests.Ingress], settings: Settings) -> None:
        """Set the documents; routes hold from the next request on."""
        self._documents, self._settings = list(documents), settings
        self._table = compile_table(self._documents)
        self._changed.set()
        if self._task is None and self._documents:
            self._task = background.start(self._keep_open(), name=f"ingress {self._environment}")

    async def close(self) -> None:
        """Close the ports and what is open on them."""
        if self._task:
            self._task.cancel()
        for server in self._servers.values():
            server.close()
        await self._http.shutdown(timeout=1.0)

    def ports(self) -> tuple[int, int]:
        """Return the HTTP and the HTTPS port on 127.0.0.1."""
        return self._ports()

    def metrics_url(self) -> str:
        """Return where the counts of this door can be read; empty while they cannot."""
        return self._requests.url_of(self._environment)

    def authority_file(self) -> str:
        """Return the file to trust for the HTTPS port; empty without one, and for a certificate of the target's own."""
        return str(self._authority / certificates.AUTHORITY) if self._is_own_certificate else ""

    def conditions(self) -> list[Condition]:
        """Return Accepted: whether the ports answer."""
        is_open = not self._errors and set(self._servers) >= self._wanted()
        held = "; ".join(self._errors.values())
        reason = "PortsOpen" if is_open else ("PortInUse" if held else "Opening")
        return [Condition(type="Accepted", status="True" if is_open else "False", reason=reason, message=held)]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.monotonic()
        route = self._table.find(request.host.partition(":")[0], request.path)
        if route is None:
            return web.Response(status=404, text="no rule of the ingress has this path\n")
        if route.redirects_to_https and not request.secure:
            return self._to_https(request)
        client = request.remote or ""
        destination = route.choose(request.headers)
        if not self._buckets.allows(route.ingress, client, route.limit, now_s=started):
            answer: web.StreamResponse = web.Response(
                status=429, text="too many requests\n", headers={"Retry-After": "1"}
            )
        elif not self._buckets.enter(route.ingress, client, route.limit):
            answer = web.Response(status=429, text="too many requests at once\n", headers={"Retry-After": "1"})
        else:
            try:
                answer = await self._forward(request, route, destination)
            finally:
                self._buckets.leave(route.ingress, client)
        self._requests.note(
            self._environment,
            route.ingress,
            destination.service,
            status=answer.status,
            seconds=time.monotonic() - started,
        )
        return answer

    async def _forward(self, request: web.BaseRequest, route: Route, destination: Destination) -> web.StreamResponse:
        pool = self._find_pool(destination)
        if pool is None:
            return web.Response(status=503, text=f"there is no service {destination.service} with that port\n")
        path = _target_path(request, route)
        return await self._carrier.carry(request, pool, path, read_timeout_s=route.read_timeout_s)

    def _to_https(self, request: web.BaseRequest) -> web.Response:
        host = request.host.partition(":")[0]
        return web.Response(status=308, headers={"Location": f"https://{host}:{self._ports()[1]}{request.raw_path}"})

    def _wanted(self) -> set[str]:
        if not self._documents:
            return set()
        return {"http", "https"} if any(document.spec.tls for document in self._documents) else {"http"}

    async def _keep_open(self) -> None:
        """Open what is wanted and close the rest, again at every change and while a port is held."""
        while True:
            self._changed.clear()
            wanted = self._wanted()
            for scheme in [scheme for scheme in self._servers if scheme not in wanted]:
                self._servers.pop(scheme).close()
            self._errors = {scheme: error for scheme, error in self._errors.items() if scheme in wanted}
            self._is_own_certificate = "https" in wanted and self._load_certificate()
            for scheme in sorted(wanted - set(self._servers)):
                await self._open(scheme)
            self._on_change()
            try:
                async with asyncio.timeout(_RETRY_S if self._errors else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _open(self, scheme: str) -> None:
        port = self._ports()[scheme == "https"]
        try:
            self._servers[scheme] = await asyncio.get_running_loop().create_server(
                self._http, LOOPBACK, port, ssl=self._tls if scheme == "https" else None
            )
            self._errors.pop(scheme, None)
        except OSError as error:
            why = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                why = f"in use by {listeners.holder(LOOPBACK, port)}"
            self._errors[scheme] = f"{LOOPBACK}:{port} is {why}"

    def _load_certificate(self) -> bool:
        """Give the HTTPS port its certificate; tell whether the project's authority signed it."""
        self._tls = self._tls or certificates.context()
        secrets = (tls.secret_name for document in self._documents for tls in document.spec.tls or [])
        try:
            return certificates.load(
                self._tls,
                hosts=self._table.tls_hosts,
                folder=self._folder,
                authority=self._authority,
                secrets_dir=self._settings.secrets_dir,
                secret=next(filter(None, secrets), ""),
            )
        except (Unresolved, ssl.SSLError, ValueError) as error:
            _LOG.warning("the certificate of %s cannot be used: %s", self._environment, error)
            self._errors["https"] = f"the certificate cannot be used: {error}"
            return False


def _target_path(request: web.BaseRequest, route: Route) -> str:
    """Return path and query as the Service sees them; without a rewrite exactly as the client sent them."""
    if not route.rewrite:
        return request.raw_path if request.raw_path.startswith("/") else request.rel_url.raw_path_qs
    query = request.rel_url.raw_query_string
    path = quote(route.rewritten(request.path), safe="/:@!$&'()*+,;=-._~")
    return f"{path}?{query}" if query else path
