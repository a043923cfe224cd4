"""The audit log: one row for everything that was changed, in the transaction that changed it.

list_audit(hub, caller, *, limit=100, after=0, entity_id=None, space_id=None) -> list[AuditRow]
verify_audit(hub) -> Verified
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import Kind
from confighub.hub.store.history import audit_log
from confighub.hub.store.rows import own_id


def note(
    tx: Connection, hub: Hub, caller: Caller, action: str, kind: Kind, entity: Any, *, message: str = "", **detail: Any
) -> None:
    """Append one row: ``caller`` did ``action`` (such as ``update``) to the entity.

    ``message`` is a sentence for people; ``detail`` must be fit for JSON and free of secrets.
    """
    tx.execute(
        insert(audit_log).values(
            at=hub.now(),
            organization_id=caller.organization_id,
            space_id=getattr(entity, "space_id", None),
            user_id=own_id(caller.user_id),
            username=caller.username,
            user_agent=caller.user_agent,
            action=action,
            entity_type=kind.name,
            entity_id=getattr(entity, kind.id_attribute),
            entity_slug=getattr(entity, "slug", None) or getattr(entity, "username", ""),
            message=message,
            detail=detail,
        )
    )
