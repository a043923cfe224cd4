"""``cub info`` and ``cub version``: the two ends of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.command import command
from confighub.cli.output import pairs
from confighub.cli.showing import DATA_OUTPUT

if TYPE_CHECKING:
    from confighub.cli.call import Call


def client_version() -> str:
    """Return the version of this program; ``unknown`` outside an installed environment."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("traderx-confighub")
    except PackageNotFoundError:
        return "unknown"


@command(*DATA_OUTPUT, example="cub info")
def show_info(call: Call) -> None:
    """Show what the hub says of itself."""
    said = call.hub.info()
    rows = [("Server URL", call.hub.transport.url)]
    rows += [(key, str(value)) for key, value in said.items() if isinstance(value, str | int) and value != ""]
    call.out.show(said, lambda: pairs(rows))


@command(*DATA_OUTPUT, example="cub version")
def show_version(call: Call) -> None:
    """Show the versions of this program and of the hub."""
    said = call.hub.info()
    value = {"Client": client_version(), "Server": str(said.get("Version") or said.get("Build") or "")}
    rows = [("Client Version", value["Client"]), ("Server Version", value["Server"])]
    call.out.show(value, lambda: pairs(rows))
