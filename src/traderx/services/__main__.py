"""``python -m traderx.services NAME`` runs one service."""

from __future__ import annotations

import os
import sys

from traderx.services.main import SERVICES, run

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m traderx.services NAME, one of {', '.join(SERVICES)}")
    run(sys.argv[1], os.environ)
