"""The loss of the hub, rehearsed beside the one that serves: another one is made from what is kept, and compared."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from confighub.client.hub import HubClient
from confighub.client.transport import Transport, Wire
from confighub.errors import ConfigHubError, RetryLater
from confighub.operations.disaster import Measured, Skipped
from confighub.settings import LOOPBACK
from traderx.safekeeping import exported, run_program, source_in
from traderx.schedule import Schedule
from traderx.site import Site

_START_TIMEOUT_S = 60.0
_PAUSE_S = 0.05


def rehearse_hub(site: Site, schedule: Schedule | None, folder: Path) -> Measured:
    """Return how long another hub took to serve what is kept, and of how long the changes would be lost.

    The hub that serves goes on. Raises: Skipped without a schedule; ConfigHubError when what the other one exports
    differs from what the one that serves exports, byte by byte, or its audit chain is broken.
    """
    if schedule is None or not site.is_own:
        raise Skipped("no backups are scheduled here: bin/traderx backup FOLDER --every 1h")
    spaces = _spaces(site)
    home, url = site.project.login_folder, site.hub.transport.url
    wanted = {space: exported(space, url=url, home=home) for space in spaces}
    newest = site.hub.audit(limit=1)[0]
    source = source_in(schedule.root)
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    try:
        run_program("confighub", "restore", str(source), "--data", str(folder))
        with _served(site, folder) as other:
            took = time.monotonic() - began
            found = {space: exported(space, url=other.transport.url, home=home) for space in spaces}
            has_newest = any(row["AuditID"] == newest["AuditID"] for row in other.audit(limit=1000))
            last = datetime.fromisoformat(other.audit(limit=1)[0]["At"])
            chain = other.verify_audit()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    different = [space for space in spaces if found[space] != wanted[space]]
    refuse_broken(chain)
    if different and has_newest:
        raise ConfigHubError(f"the other hub has every change and exports other units: {', '.join(different)}")
    lost_s = 0.0 if has_newest else (datetime.now(UTC) - last).total_seconds()
    same = f"{len(spaces) - len(different)} of {len(spaces)} spaces exported byte by byte the same"
    kind = "journal" if source.is_dir() else "backup"
    return Measured(took, lost_s, f"from the {kind}: {same}, audit chain intact")


def refuse_broken(chain: Wire) -> None:
    """Return when the hub says that its audit chain is intact. Raises: ConfigHubError."""
    if not chain.get("IsIntact"):
        raise ConfigHubError("the other hub's audit chain is broken: what is kept was changed")


def _spaces(site: Site) -> list[str]:
    name = site.project.name()
    slugs = [str(one["Space"]["Slug"]) for one in site.hub.spaces.list(where=f"Slug LIKE '{name}-%'")]
    return sorted(slug for slug in slugs if slug != f"{name}-filters")


@contextmanager
def _served(site: Site, folder: Path) -> Iterator[HubClient]:
    """Serve the store in the folder on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    program = str(Path(sys.executable).parent / "confighub")
    command = [program, "serve", "--host", LOOPBACK, "--port", str(port), "--data", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    other = HubClient(Transport(f"http://{LOOPBACK}:{port}", site.hub.transport.authorization))
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                other.me()
                break
            except RetryLater:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_S)
        yield other
    finally:
        process.terminate()
        process.wait()
