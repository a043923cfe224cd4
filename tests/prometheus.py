"""A real Prometheus server for tests, with a port and a folder of its own; it ends with the process that started it.

server = prometheus()                              # the fixture of tests/conftest.py
server.scrape("http://127.0.0.1:8080/metrics", job="shop")
server.await_value('up{job="shop"}', 1)
server.url                                         # for whoever is under test
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.kubernetes.control_plane import die_with_parent, free_ports

PROGRAM = "prometheus"
HOW_TO_GET_IT = "apt-get install --no-install-recommends prometheus"
_START_S = 60.0
_CONFIG = """\
global: {scrape_interval: %(every)s, scrape_timeout: %(every)s, evaluation_interval: %(every)s}
scrape_configs:
- job_name: tests
  honor_labels: true
  file_sd_configs: [{files: ["%(targets)s"], refresh_interval: 1s}]
"""


@dataclass
class Server:
    """One server; it asks its targets every ``every``, a duration as Prometheus writes it."""

    program: str
    folder: Path
    every: str = "500ms"
    _targets: list[dict[str, object]] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._file = self.folder / "targets.json"
        self._file.write_text("[]")
        config = _CONFIG % {"every": self.every, "targets": self._file}
        (self.folder / "prometheus.yml").write_text(config)

    def start(self) -> Server:
        """Return once it answers; what it knew before it was stopped it knows again."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self.program,
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--log.level=warn",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "GOMAXPROCS": "1"},
            )
        deadline = time.monotonic() + _START_S
        while not self._is_ready():
            assert self._process.poll() is None, f"prometheus ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"prometheus does not come up:\n{self.log()}"
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_START_S)
            self._process = None

    def scrape(self, url: str, *, job: str, **labels: str) -> None:
        """Ask the URL for metrics from now on; what it says of itself keeps its labels."""
        place = urlsplit(url)
        marks = {"job": job, "__scheme__": place.scheme, "__metrics_path__": place.path or "/metrics", **labels}
        marks |= {f"__param_{name}": value for name, value in parse_qsl(place.query)}
        self._targets.append({"targets": [place.netloc], "labels": marks})
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(self._targets))
        draft.replace(self._file)

    def value(self, query: str) -> float | None:
        """Return the sum of what the query finds now, None when it finds nothing."""
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{urlencode({'query': query})}", timeout=10) as answer:
            rows = json.load(answer)["data"]["result"]
        return sum(float(row["value"][1]) for row in rows) if rows else None

    def await_value(self, query: str, least: float, *, timeout_s: float = 30) -> float:
        """Return what the query finds once that is ``least`` or more; a busy server is asked again."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                found = self.value(query)
            except OSError:
                found = None
            if found is not None and found >= least:
                return found
            assert time.monotonic() < deadline, f"{query} is {found} after {timeout_s} s:\n{self.log()}"
            time.sleep(0.1)

    def log(self) -> str:
        """Return the end of what it printed."""
        return (self.folder / "log").read_text()[-3000:]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False
