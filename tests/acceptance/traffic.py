"""Users of TraderX at the ingress: they read and trade all the time, and every request that fails is remembered."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.acceptance.system import Ran, System, call, eventually
from tests.acceptance.trading import position


@dataclass
class Traffic:
    """``readers`` threads that read, and one that trades, each from an address of its own.

    The ingress lets one client ask 100 times a second: a reader's pause alone keeps it below that.
    """

    ingress: str
    account: int
    symbol: str
    readers: int = 5
    pause_s: float = 0.012
    accepted: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    requests: int = 0

    def __enter__(self) -> Traffic:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        place = urlsplit(self.ingress)
        self._host, self._port = place.hostname or "", place.port or 80
        tasks = [(self._read, f"127.0.9.{number + 1}") for number in range(self.readers)] + [(self._trade, "127.0.9.9")]
        self._threads = [threading.Thread(target=task, args=[source], daemon=True) for task, source in tasks]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)

    def _read(self, source: str) -> None:
        connection = self._connect(source)
        while not self._stopped.is_set():
            connection = self._ask(connection, source, "GET", "/api/trades?limit=1")[0]
            time.sleep(self.pause_s)
        connection.close()

    def _trade(self, source: str) -> None:
        connection = self._connect(source)
        while not self._stopped.is_set():
            order_id = str(uuid.uuid4())
            order = {"id": order_id, "symbol": self.symbol, "qty": 1, "side": "BUY", "accountId": self.account}
            connection, status = self._ask(connection, source, "POST", "/api/trades/new", json.dumps(order))
            if 200 <= status < 300:
                self.accepted.append(order_id)
            time.sleep(0.05)
        connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection, source: str, method: str, path: str, body: str = ""
    ) -> tuple[http.client.HTTPConnection, int]:
        """Send one request, never twice, and return the connection to go on with, and the status, 0 for none."""
        status, said = 0, ""
        try:
            connection.request(method, path, body or None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace")
            status = answer.status
        except (OSError, http.client.HTTPException) as error:
            said = repr(error)
            connection.close()
            connection = self._connect(source)
        with self._lock:
            self.requests += 1
            if not 200 <= status < 300:
                self.failed.append(f"{method} {path}: {status} {said[:200]}")
        return connection, status

    def _connect(self, source: str) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=30, source_address=(source, 0))


def killed_at_every_step(system: System, program: str, first: list[str], then: list[str]) -> tuple[Ran, list[str]]:
    """Run a rollout that is killed at the beginning of each of its steps and started again.

    Returns how it ended, and the steps at which it was killed.
    """
    killed: list[str] = []
    arguments = first
    while True:
        process = system.start(program, *arguments)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            step = line.strip().removeprefix("step ")
            if line.startswith("step ") and step not in killed:
                killed.append(step)
                process.kill()
                break
        process.stdout.close()
        code = process.wait(60)
        if code != -9:
            return Ran(code, "".join(lines), ""), killed
        arguments = then


def booked_once(traffic: Traffic, before: int) -> None:
    """Assert that every accepted order became one settled trade, and that the position moved by exactly them."""
    path = f"{traffic.ingress}/position-service/trades/{traffic.account}"

    def all_settled() -> bool:
        states = Counter(trade["state"] for trade in call(path) if trade["id"] in wanted)
        return states == {"Settled": len(wanted)}

    wanted = set(traffic.accepted)
    assert len(wanted) == len(traffic.accepted) > 0
    assert eventually("every accepted order is one settled trade", all_settled)
    assert position(traffic.ingress, traffic.account, traffic.symbol) - before == len(wanted)
