"""What can be configured, and from which environment variable.

One frozen value, read once at the edge and passed down; nothing below reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class HubSettings:
    """How one hub process runs. ``database_url`` is an SQLAlchemy URL.

    ``trigger_timeout_s`` is below the 24 s for which the public client waits for triggers.
    """

    data_dir: Path
    host: str = LOOPBACK
    port: int = 9090
    database_url: str = ""
    lease_s: float = 60.0
    operation_timeout_s: float = 300.0
    heartbeat_s: float = 10.0
    trigger_timeout_s: float = 20.0

    @property
    def database(self) -> str:
        """The database to use: the one named, else an SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'hub.sqlite'}"


@dataclass(frozen=True)
class ClientSettings:
    """Where the client finds the hub and keeps its login."""

    url: str = f"http://{LOOPBACK}:9090"
    config_dir: Path = field(default_factory=lambda: Path.home() / ".confighub")
    debug: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> ClientSettings:
        """Read CONFIGHUB_URL, CONFIGHUB_HOME and CONFIGHUB_DEBUG; an empty ``url`` means not set."""
        env = os.environ if environ is None else environ
        home = env.get("CONFIGHUB_HOME", "")
        return cls(
            url=env.get("CONFIGHUB_URL", ""),
            config_dir=Path(home) if home else Path.home() / ".confighub",
            debug=env.get("CONFIGHUB_DEBUG", "") not in ("", "0"),
        )
