"""``cub worker run``: hands a worker's identity and its options to the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confighub.cli.call import Call


def run_worker(call: Call) -> None:
    """Run the worker in this process until it is interrupted."""
    raise NotImplementedError
