"""Which texts of a unit are in quarantine: asked wherever a revision would be applied or taken over."""

from __future__ import annotations

from sqlalchemy import Connection, select

from confighub.hub.domain import content
from confighub.hub.store.history import quarantines, revisions

GATE = "quarantine/not-quarantined"
"""The gate that a quarantined text closes until it is lifted."""


def is_quarantined(tx: Connection, unit_id: str | None, text: str) -> bool:
    """Whether the unit was rolled back from this very text."""
    c = quarantines.c
    one = c.unit_id == unit_id, c.data_sha == content.sha(text.encode())
    return tx.execute(select(c.revision_num).where(*one)).first() is not None


def is_revision_quarantined(tx: Connection, unit_id: str | None, revision_num: int) -> bool:
    """Whether the revision has a text that the unit was rolled back from."""
    q, r = quarantines.c, revisions.c
    same = (q.unit_id == r.unit_id) & (q.data_sha == r.data_sha)
    query = select(q.revision_num).join(revisions, same)
    return tx.execute(query.where(r.unit_id == unit_id, r.revision_num == revision_num)).first() is not None
