"""The hub's functions: what there is, and calling them on many units."""

from __future__ import annotations

from collections.abc import Sequence

from confighub.client.collection import Records, pieces
from confighub.client.transport import Transport, Wire
from confighub.errors import NotFound

Scalar = str | int | bool


def call(name: str, *positional: Scalar, **named: Scalar) -> Wire:
    """Return one function call as the wire has it; ``_`` in a parameter's name stands for ``-``."""
    arguments: list[Wire] = [{"Value": value} for value in positional]
    arguments += [{"ParameterName": key.replace("_", "-"), "Value": value} for key, value in named.items()]
    return {"FunctionName": name, "Arguments": arguments or None}


class Functions:
    """The functions that the hub or its workers run."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def list(self, *, space_id: str = "", entity: str = "", entity_id: str = "") -> dict[str, dict[str, Wire]]:
        """Return signatures by toolchain and name; ``entity`` is unit, target or worker with its id."""
        path = f"/space/{space_id}/function" if space_id else "/function"
        return self.transport.request("GET", path, {"entity": entity, "id": entity_id}) or {}

    def signature(self, name: str, *, toolchain: str = "Kubernetes/YAML", space_id: str = "") -> Wire:
        """Return one signature; raises NotFound."""
        found = self.list(space_id=space_id).get(toolchain, {}).get(name)
        if found is None:
            raise NotFound(f"no such function for {toolchain}: {name}", hint="see: cub function list")
        return found

    def invoke(
        self,
        calls: Sequence[Wire],
        *,
        where: str = "",
        space_id: str = "",
        change_desc: str = "",
        dry_run: bool = False,
        **more: object,
    ) -> Records:
        """Run the calls, in order, on each unit that matches; one answer a unit.

        An answer holds Success, Error, ConfigData and Output (both base64), OutputType,
        Mutations and Mutators. ``more`` goes into the request body.
        """
        body: Wire = {
            "BridgeWorkerID": None,
            "CastStringArgsToScalars": True,
            "FunctionInvocations": list(calls),
            **more,
        }
        if change_desc:
            body["ChangeDescription"] = change_desc
        path = f"/space/{space_id}/function/invoke" if space_id else "/function/invoke"
        query = {"dry_run": "true" if dry_run else ""}
        return [
            one
            for part in pieces(where)
            for one in self.transport.request("POST", path, {**query, "where": part}, body) or []
        ]
