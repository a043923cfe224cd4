"""``cub audit``: what was done in the hub, and the proof that none of it was changed since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from confighub.cli.command import Group, command, option
from confighub.cli.output import pairs
from confighub.cli.showing import DATA_OUTPUT
from confighub.errors import ConfigHubError

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

_PAGE = 500


@command(*DATA_OUTPUT, example="cub audit verify")
def verify(call: Call) -> None:
    """Check the chain of the audit log; fails when a row was changed or taken out.

    Every row carries a hash of itself and of the row before it. Keep the head that is shown
    somewhere else, and nobody can rewrite what came before it unseen.
    """
    found = call.hub.verify_audit()
    if not found["IsIntact"]:
        raise ConfigHubError(f"the audit log is broken at row {found['BrokenAt']}: {found['Reason']}")
    rows = [("Rows", str(found["Rows"])), ("Not chained yet", str(found["Unchained"])), ("Head", str(found["Head"]))]
    call.out.show(found, lambda: pairs([("Audit log", "intact"), *rows]))


@command(
    option("file", "Write to this file instead of standard output.", metavar="FILE"),
    example="cub audit export --file audit.jsonl",
)
def export(call: Call) -> None:
    """Write every row of the audit log, newest first, as one JSON object a line."""
    path = call.text("file")
    if not path:
        for row in _rows(call):
            call.out.write(json.dumps(row, ensure_ascii=False))
        return
    count, rows = 0, _rows(call)
    # asked before the file is opened: a hub that is away leaves an earlier export as it is
    first = list(islice(rows, 1))
    with Path(path).open("w", encoding="utf-8") as file:
        for row in chain(first, rows):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    call.out.say(f"{count} rows written to {path}")


def _rows(call: Call) -> Iterator[Wire]:
    after = 0
    while page := call.hub.audit(limit=_PAGE, after=after):
        yield from page
        after = int(page[-1]["AuditID"])


GROUP = Group("What was done in the hub.", {"verify": verify, "export": export})
