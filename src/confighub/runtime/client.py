"""The runtime as its clients see it: one async client that finds the daemon by its data folder.

A daemon that was started again has another address and token, so both are read anew when it does not answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import httpx2
import msgspec

from confighub.errors import BadRequest, ConfigHubError, Conflict, NotFound, RetryLater
from confighub.runtime.manifests import Manifest
from confighub.runtime.messages import ADDRESS_FILE, Address, ApplyUnit, Change, EnvironmentNow, ReplicaNow, UnitNow
from confighub.runtime.state import ObjectKey

_TIMEOUT_S = 30.0
_SILENCE_S = 30.0  # a watch says something every 10 s
_ERRORS: dict[int, type[ConfigHubError]] = {400: BadRequest, 404: NotFound, 409: Conflict}
_Answer = TypeVar("_Answer")


class _Failure(msgspec.Struct):
    message: str = ""
    hint: str = ""


class RuntimeClient:
    """Calls to the daemon of one data folder.

    Every call raises RetryLater while no daemon answers, and BadRequest, NotFound or Conflict as it says.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._http = httpx2.AsyncClient(timeout=_TIMEOUT_S, trust_env=False)

    async def __aenter__(self) -> RuntimeClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def apply(self, environment: str, body: ApplyUnit) -> UnitNow:
        """Apply a unit; the answer comes when it is on disk, long before it is ready."""
        path = f"/environments/{environment}/units/{body.unit.unit_id}"
        return _read(await self._call("PUT", path, body), UnitNow)

    async def unit(self, environment: str, unit_id: str) -> UnitNow:
        """Return a unit's objects as they are now."""
        return _read(await self._call("GET", f"/environments/{environment}/units/{unit_id}"), UnitNow)

    async def remove(self, environment: str, unit_id: str) -> None:
        """Remove a unit; its processes are ended after the answer, ``unit`` raises NotFound when they are."""
        await self._call("DELETE", f"/environments/{environment}/units/{unit_id}")

    async def patch(self, environment: str, key: ObjectKey, changes: Manifest) -> Manifest:
        """Change one object past the hub; the answer is its live form."""
        path = f"/environments/{environment}/objects/{key.kind}/{key.namespace}/{key.name}"
        return _read(await self._call("PATCH", path, changes), Manifest)

    async def environments(self) -> list[EnvironmentNow]:
        """Return every environment."""
        return _read(await self._call("GET", "/environments"), list[EnvironmentNow])

    async def objects(self, environment: str) -> list[Manifest]:
        """Return every object of an environment as it is now."""
        return _read(await self._call("GET", f"/environments/{environment}/objects"), list[Manifest])

    async def replicas(self, environment: str) -> list[ReplicaNow]:
        """Return every replica of an environment with its processes."""
        return _read(await self._call("GET", f"/environments/{environment}/replicas"), list[ReplicaNow])

    async def watch(self, *, environment: str = "", owner: str = "") -> AsyncIterator[Change]:
        """Yield every unit as it is now, then each that changes; ends with RetryLater when the daemon does."""
        address = self._address()
        query = {"environment": environment, "owner": owner}
        try:
            async with self._http.stream(
                "GET", f"{address.url}/watch", params=query, headers=_headers(address), timeout=_SILENCE_S
            ) as answer:
                if answer.status_code != 200:
                    raise RetryLater(f"the runtime of {self.data_dir} refused a watch: {answer.status_code}")
                async for line in answer.aiter_lines():
                    if line:
                        yield msgspec.json.decode(line, type=Change)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        raise RetryLater(f"the runtime of {self.data_dir} has stopped")

    async def _call(self, method: str, path: str, body: object = None) -> bytes:
        content = None if body is None else msgspec.json.encode(body)
        address = self._address()
        try:
            answer = await self._http.request(method, address.url + path, content=content, headers=_headers(address))
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.status_code == 200:
            return answer.content
        if answer.status_code == 401:
            raise RetryLater(f"the runtime of {self.data_dir} has been started again")
        try:
            failure = msgspec.json.decode(answer.content, type=_Failure)
        except msgspec.MsgspecError:
            failure = _Failure(f"the runtime failed on {method} {path}: {answer.status_code}")
        raise _ERRORS.get(answer.status_code, RetryLater)(failure.message, hint=failure.hint)

    def _address(self) -> Address:
        try:
            return msgspec.json.decode((self.data_dir / ADDRESS_FILE).read_bytes(), type=Address)
        except (OSError, msgspec.MsgspecError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> RetryLater:
        reason = str(error) or type(error).__name__
        return RetryLater(
            f"the runtime of {self.data_dir} does not answer: {reason}",
            hint=f"start it with: confighub runtime --data {self.data_dir}",
        )


def _headers(address: Address) -> dict[str, str]:
    return {"Authorization": f"Bearer {address.token}", "Content-Type": "application/json"}


def _read(body: bytes, kind: type[_Answer]) -> _Answer:
    return msgspec.json.decode(body, type=kind)
