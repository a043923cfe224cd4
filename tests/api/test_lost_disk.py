"""kill -9 and the hub's folder gone, while changes come in: what was answered comes back from the journal.

TRADERX_CRASH_ROUNDS says how often (1 by default, 20 for the full proof).
"""

from __future__ import annotations

import os
import random
import shutil
import threading
from http.client import HTTPException
from operator import ge
from pathlib import Path

import pytest

from confighub.hub.hub import Hub
from confighub.hub.usecases import audit
from confighub.settings import HubSettings
from tests.api.running import HubProcess, b64, fresh_store
from tests.hub.databases import is_on_postgresql
from tests.runtime.running import until

ROUNDS = int(os.environ.get("TRADERX_CRASH_ROUNDS", "1"))


class Writers:
    """Threads that change a unit each, as fast as they are answered; ``answered`` is the last of each."""

    def __init__(self, hub: HubProcess, count: int) -> None:
        self.hub = hub
        space_id = hub.space("busy")
        self.paths = [f"/api/space/{space_id}/unit/{hub.unit(space_id, f'unit-{n}')}" for n in range(count)]
        self.answered = [0] * count
        self.threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(count)]

    def _write(self, place: int) -> None:
        number = 0
        while True:
            number += 1
            text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  number: '{number}'\n"
            try:
                self.hub.ok("PUT", self.paths[place], body={"Slug": f"unit-{place}", "Data": b64(text)})
            except (OSError, HTTPException):
                return
            self.answered[place] = number

    def wait(self, changes: int) -> None:
        """Return once each has been answered so many changes more."""
        least = [number + changes for number in self.answered]
        until(lambda: all(map(ge, self.answered, least)), because=lambda: f"{self.answered}, not {least}")


@pytest.mark.skipif(is_on_postgresql(), reason="PostgreSQL archives its own log")
@pytest.mark.requirement("R-283")
@pytest.mark.parametrize("_", range(ROUNDS))
def test_nothing_that_was_answered_is_lost_with_the_disk(tmp_path: Path, free_port: int, _: int) -> None:
    fresh_store(tmp_path / "hub")
    hub = HubProcess(tmp_path / "hub", free_port)
    try:
        hub.start()
        journal = str(tmp_path / "second-disk")
        hub.confighub("journal", journal)
        writers = Writers(hub, 4)
        for thread in writers.threads:
            thread.start()
        writers.wait(random.randint(1, 8))
        # a new base while they write, and somebody beside the server
        hub.confighub("journal", journal, "--keep", "1")
        writers.wait(random.randint(0, 3))

        hub.kill()
        shutil.rmtree(tmp_path / "hub")
        for thread in writers.threads:
            thread.join()
        hub.confighub("restore", journal)

        again = Hub(HubSettings(data_dir=tmp_path / "hub"))
        assert audit.verify(again).is_intact
        again.close()
        hub.start()
        for path, answered in zip(writers.paths, writers.answered, strict=True):
            unit = hub.ok("GET", path)["Unit"]
            # one more may have been committed, and its answer lost with the hub
            assert unit["HeadRevisionNum"] - 1 - answered in (0, 1)
    finally:
        hub.close()
