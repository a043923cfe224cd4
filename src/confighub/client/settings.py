"""What a client can be told, and by which environment variable; read once at the edge and passed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

DEFAULT_URL = "http://127.0.0.1:9090"


class ClientSettings(NamedTuple):
    """Where the client finds the hub and keeps its login."""

    config_dir: Path
    url: str = DEFAULT_URL
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
