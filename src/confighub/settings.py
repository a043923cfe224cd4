"""What can be configured, and from which environment variable.

One frozen value, read once at the edge and passed down; nothing below reads the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class HubSettings:
    """How one hub process runs. ``database_url`` is an SQLAlchemy URL.

    ``key`` seals and signs, as the file ``hub.key`` in the data folder does when it is empty; processes on one
    database need the same. ``trigger_timeout_s`` is below the 24 s for which the public client waits for triggers.
    """

    data_dir: Path
    host: str = LOOPBACK
    port: int = 9090
    database_url: str = ""
    key: str = field(default="", repr=False)
    lease_s: float = 60.0
    operation_timeout_s: float = 300.0
    heartbeat_s: float = 10.0
    trigger_timeout_s: float = 20.0

    @property
    def database(self) -> str:
        """The database to use: the one named, else an SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'hub.sqlite'}"
