"""What units can do beyond the five verbs: be applied, approved, restored, waited for, read back.

A unit is named by the ids of its space and itself. Operations are answered when they are
queued; ``wait`` returns when they have ended.
"""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable

from confighub.client.collection import UNIT, Collection, Records, pieces, quoted
from confighub.client.transport import Transport, Wire
from confighub.errors import NotFound, RetryLater

FINAL = frozenset({"Completed", "Failed", "Canceled"})
"""Statuses after which an operation changes no more."""

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5


def text_of(record: Wire) -> str:
    """Return the configuration that a plain unit or revision holds; empty where it was not selected."""
    return b64decode(record.get("Data") or "").decode()


class Units(Collection):
    """The units of the hub."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, UNIT)

    def clone(self, record: Wire, *, space_id: str, upstream_space_id: str, upstream_unit_id: str) -> Wire:
        """Create a unit in ``space_id`` from an upstream one and return it."""
        return self.create(
            record, space_id=space_id, upstream_space_id=upstream_space_id, upstream_unit_id=upstream_unit_id
        )

    def patch_data(self, unit_id: str, patch: Wire, *, space_id: str, **query: str) -> Wire:
        """Apply a merge patch to the unit's *configuration* (lists by their keys) and return the unit."""
        return self.patch(unit_id, patch, space_id=space_id, data_patch="true", **query)

    def apply(self, unit_id: str, *, space_id: str, revision: str = "", despite_quarantine: str = "") -> Wire:
        """Queue the head, or the revision named (``7``, ``N-1``), and return the operation.

        ``despite_quarantine`` is the reason to apply what was rolled back from.
        Raises: Gated or BadRequest when a gate is closed; BadRequest without a target.
        """
        return self._act("apply", unit_id, space_id, revision=revision, despite_quarantine=despite_quarantine)

    def correct(self, unit_id: str, *, space_id: str, reason: str) -> Wire:
        """Queue what is live once more, since the target differs from it, and return the operation."""
        return self._act("correct", unit_id, space_id, reason=reason)

    def roll_back(self, *, where: str, to: str, reason: str, dry_run: bool = False) -> Wire:
        """Bring every match back to the revision that ``to`` names, all or none; returns ``ChangeSet`` and ``Units``.

        ``to`` is a number, ``Tag:x``, ``ChangeSet:x``, ``Before:`` either, or ``Time:x``. Nothing is applied.
        """
        query = {"where": where, "dry_run": "true" if dry_run else ""}
        answer: Wire = self.transport.request("POST", "/unit/rollback", query, {"To": to, "Reason": reason})
        return answer

    def quarantines(self, *, where: str = "") -> Records:
        """Return what the matching units were rolled back from, newest first: plain ``Quarantine`` records."""
        return self.transport.request("GET", "/unit/quarantine", {"where": where}) or []

    def quarantine(self, unit_id: str, revision: int, *, space_id: str, reason: str) -> Wire:
        """Put the text of a revision into quarantine, so that nothing applies or promotes it."""
        body = {"RevisionNum": revision, "Reason": reason}
        answer: Wire = self.transport.request("POST", f"{self._path(space_id, unit_id)}/quarantine", body=body)
        return answer

    def lift(self, unit_id: str, revision: int, *, space_id: str, reason: str) -> str:
        """Take the text of a revision out of quarantine; returns the hub's message."""
        body = {"RevisionNum": revision, "Reason": reason}
        return str(self.transport.request("POST", f"{self._path(space_id, unit_id)}/quarantine/lift", body=body) or "")

    def destroy(self, unit_id: str, *, space_id: str) -> Wire:
        """Queue the removal from the target and return the operation; the unit stays."""
        return self._act("destroy", unit_id, space_id)

    def refresh(self, unit_id: str, *, space_id: str) -> Wire:
        """Queue the reading of live state and return the operation."""
        return self._act("refresh", unit_id, space_id)

    def import_(self, unit_id: str, request: Wire, *, space_id: str) -> Wire:
        """Queue an import of live resources into the unit and return the operation."""
        answer: Wire = self.transport.request("POST", f"{self._path(space_id, unit_id)}/import", body=request)
        return answer

    def approve(self, unit_id: str, *, space_id: str, revision: str = "") -> str:
        """Approve the head, or the revision named, in the caller's name; returns the hub's message."""
        path = f"{self._path(space_id, unit_id)}/approve"
        return str(self.transport.request("POST", path, {"revision": revision}) or "")

    def apply_all(self, *, where: str, **query: str) -> Records:
        """Queue every match; an element holds the operation under ``Action``, or ``Error``."""
        return self._bulk_act("/unit/apply", None, where=where, **query)

    def approve_all(self, *, where: str, **query: str) -> Records:
        """Approve the head of every match; an element holds ``Message`` or ``Error``."""
        return self._bulk_act("/unit/approve", None, where=where, **query)

    def tag_all(self, tag_id: str, *, where: str, revision: str = "HeadRevisionNum") -> Records:
        """Put the tag on one revision of every match, named by the unit's number attribute."""
        return self._bulk_act("/unit/tag", {"TagID": tag_id, "Revision": revision}, where=where)

    def hold(self, *, where: str, reason: str, ttl_s: int, holder: str = "") -> Records:
        """Keep every match from being applied by itself, for at most ``ttl_s``; returns ``UnitID`` of each.

        ``holder`` names the operation that holds them, empty for a person; the end of an operation ends its own alone.
        """
        body = {"Reason": reason, "TTLSeconds": ttl_s} | ({"Holder": holder} if holder else {})
        return self._bulk_act("/unit/hold", body, where=where, include="")

    def release(self, *, where: str, holder: str = "") -> Records:
        """End the holds of every match, those of one operation when it is named, else all.

        A newer head of a live unit that nobody holds any more is then applied once.
        """
        return self._bulk_act("/unit/release", None, where=where, include="", holder=holder)

    def live_status(self, unit_id: str, *, space_id: str) -> Wire:
        """Return Status, Replicas, ReadyReplicas, UpdatedReplicas, Conditions and Addresses as they are now."""
        answer: Wire = self.transport.request("GET", f"{self._path(space_id, unit_id)}/live_status")
        return answer

    def waiting(self, unit_id: str, *, space_id: str) -> Wire:
        """Return why the head is not live: NotApplied, Gates, GateReasons, Holds."""
        answer: Wire = self.transport.request("GET", f"{self._path(space_id, unit_id)}/waiting")
        return answer

    def live_state(self, unit_id: str, *, space_id: str) -> bytes:
        """Return the live objects as the worker last reported them; empty when it never did."""
        unit = self.get(unit_id, space_id=space_id)["Unit"]
        return b64decode(unit.get("LiveState") or "")

    def data(self, unit_id: str, *, space_id: str) -> str:
        """Return the text of the head."""
        return text_of(self.get(unit_id, space_id=space_id)["Unit"])

    def revisions(self, unit_id: str, *, space_id: str, where: str = "", **query: str) -> Records:
        """Return the extended revisions with their users, newest first."""
        found = self._children("revision", unit_id, space_id, where=where, **{"include": "UserID", **query})
        return sorted(found, key=lambda one: -int(one["Revision"].get("RevisionNum") or 0))

    def revision(self, unit_id: str, number: int, *, space_id: str) -> Wire:
        """Return one plain revision; raises NotFound."""
        found = self.revisions(unit_id, space_id=space_id, where=f"RevisionNum = {number}")
        if not found:
            raise NotFound(f"no such revision: {number}")
        one: Wire = found[0]["Revision"]
        return one

    def mutations(self, unit_id: str, *, space_id: str, where: str = "", **query: str) -> Records:
        """Return the extended mutations with their links and triggers, newest first."""
        asked = {"include": "RevisionID,LinkID,TriggerID", **query}
        found = self._children("mutation", unit_id, space_id, where=where, **asked)
        return sorted(found, key=lambda one: -int(one["Mutation"].get("MutationNum") or 0))

    def events(self, unit_id: str, *, space_id: str, where: str = "", **query: str) -> Records:
        """Return the plain events, newest first: how far each operation is or how it ended."""
        found = self._children("unit_event", unit_id, space_id, where=where, **query)
        return sorted(found, key=lambda event: str(event.get("CreatedAt") or ""), reverse=True)

    def wait(
        self,
        operation: Wire,
        *,
        timeout_s: float = 120.0,
        on_progress: Callable[[Wire], None] | None = None,
    ) -> Wire:
        """Return the operation's event once it is final: Status Completed, Failed or Canceled.

        A hub that is away for a moment is waited for. ``on_progress`` sees every event that
        differs from the one before. Raises: RetryLater when the time is up.
        """
        queued, unit_id, space_id = operation["QueuedOperationID"], operation["UnitID"], operation["SpaceID"]
        deadline = time.monotonic() + timeout_s
        pause_s, seen, trouble = _FIRST_PAUSE_S, ("", ""), ""
        while True:
            try:
                events = self.events(unit_id, space_id=space_id, where=f"QueuedOperationID = {quoted(queued)}")
                trouble = ""
            except RetryLater as error:
                events, trouble = [], f"; {error.message}"
            for event in events[:1]:
                state = (str(event.get("Status")), str(event.get("Message")))
                if on_progress is not None and state != seen:
                    on_progress(event)
                seen = state
                if event.get("Status") in FINAL:
                    return event
            if time.monotonic() >= deadline:
                action = operation.get("Action") or "operation"
                message = f"{action} did not end within {timeout_s:g} s" + (f": {seen[1]}" if seen[1] else "") + trouble
                raise RetryLater(message, hint="it goes on; see: cub unit-event list UNIT")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def _act(self, action: str, unit_id: str, space_id: str, **query: str) -> Wire:
        answer: Wire = self.transport.request("POST", f"{self._path(space_id, unit_id)}/{action}", query)
        return answer

    def _bulk_act(self, path: str, body: Wire | None, **query: str) -> Records:
        asked = {"include": self.noun.include, **query}
        return [
            one
            for part in pieces(query.get("where", ""))
            for one in self.transport.request("POST", path, {**asked, "where": part}, body) or []
        ]

    def _children(self, kind: str, unit_id: str, space_id: str, **query: str) -> Records:
        return self.transport.request("GET", f"{self._path(space_id, unit_id)}/{kind}", query) or []
