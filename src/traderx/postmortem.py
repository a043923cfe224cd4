"""The beginning of a postmortem: what the hub recorded, when, by whom; people add what only they know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from confighub.errors import Conflict
from confighub.operations.moments import moment_of
from traderx.checking import Finding
from traderx.site import Site

_ROWS = 1000
"""How many rows are asked for at once: the most that the hub gives."""
_NOISE = frozenset({"hold", "release", "refresh", "refresh completed"})
"""Actions that are part of every deploy and say nothing about an incident."""


def create(site: Site, environment: str, *, since: str, folder: Path, found: list[Finding]) -> Path:
    """Write the file and return its path; ``found`` is how the environment is now.

    ``since`` is a moment, or empty for an hour ago. Raises: BadRequest for another text; Conflict when the file is
    there, since people may have written in it.
    """
    now = datetime.now(UTC)
    begin = moment_of(since) if since else now - timedelta(hours=1)
    path = folder / f"{now:%Y%m%d-%H%M}-{environment}.md"
    if path.exists():
        raise Conflict(f"{path} is there already", hint="wait a minute, or write on in it")
    rows = [row for row in recorded(site, environment, begin) if row["Action"] not in _NOISE]
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_lines(site, environment, begin, now, rows, found)) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


def recorded(site: Site, environment: str, begin: datetime, *, page_rows: int = _ROWS) -> list[dict[str, Any]]:
    """Return the audit rows of the environment's space since then, oldest first, however many there are."""
    space_id, after = site.space_id(environment), 0
    found: list[dict[str, Any]] = []
    while True:
        page = site.hub.audit(limit=page_rows, after=after, space_id=space_id)
        inside = [row for row in page if datetime.fromisoformat(row["At"]) >= begin]
        found += inside
        if len(inside) < page_rows:
            return found[::-1]
        after = int(page[-1]["AuditID"])


def _lines(
    site: Site, environment: str, begin: datetime, now: datetime, rows: list[dict[str, Any]], found: list[Finding]
) -> Iterator[str]:
    bad = [one for one in found if not one.is_well]
    failed = [row for row in rows if "failed" in row["Action"]]
    yield f"# Incident in {environment} of {site.project.name()}, {now:%Y-%m-%d}"
    yield ""
    yield f"From {_shown(begin)} to {_shown(now)}. Now: {'all is well' if not bad else f'{len(bad)} checks fail'}."
    rollbacks = sum(row["Action"] == "roll back" for row in rows)
    yield f"Recorded: {len(rows)} changes, {len(failed)} of them failures, {rollbacks} units rolled back."
    for heading, hint in (
        ("What users noticed", "Who, what, from when to when."),
        ("What caused it", "The chain of causes, not of people."),
    ):
        yield from ("", f"## {heading}", "", f"*{hint}*")
    yield from ("", "## What happened", "", "| When (UTC) | Who | Unit | What |", "|---|---|---|---|")
    for row in rows:
        said = _said(row)
        what = f"{row['Action']}{f': {said}' if said else ''}".replace("|", "\\|").replace("\n", " ")
        when = _shown(datetime.fromisoformat(row["At"]))
        yield f"| {when} | {row['Username']} | {row['EntitySlug']} | {what[:200]} |"
    yield from ("", "## How it is now", "")
    yield from (f"- {'ok' if one.is_well else '**not well**'}: {one.what}: {one.said}" for one in (bad or found))
    yield from ("", "## What we do about it", "", "*Each with a name and a date.*", "", "- [ ] ")


def _said(row: dict[str, Any]) -> str:
    return str(row.get("Message") or "")


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
