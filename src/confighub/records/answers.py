"""Answers that are no stored noun: errors, deletions and messages of bulk calls."""

from __future__ import annotations

from datetime import datetime

from confighub.records.base import Record


class StandardErrorResponse(Record):
    """The body of every error answer; ``code`` is the HTTP status as text."""

    code: str = ""
    message: str = ""


class ErrorItem(Record):
    """One item of an error about several."""

    item: str = ""
    description: str = ""


class ErrorMetadata(Record):
    """Which entity an element of a bulk answer is about."""

    entity_type: str = ""
    entity_id: str = ""
    items: list[ErrorItem] = []


class ResponseError(Record):
    """Why one element of a bulk answer failed."""

    message: str = ""
    status: int = 0
    type: str = ""
    error_category: str = ""
    details: list[str] = []
    error_metadata: ErrorMetadata | None = None


class DeleteResponse(Record):
    """The answer of a delete, single or one element of many."""

    message: str = ""
    error: ResponseError | None = None


class ApproveResponse(Record):
    """One element of a bulk approval."""

    message: str = ""
    error: ResponseError | None = None


class UnitTagResponse(Record):
    """One element of a bulk tag."""

    message: str = ""
    error: ResponseError | None = None


class UnitTagRequest(Record):
    """The body of ``POST /unit/tag``; ``revision`` names a number attribute of the unit."""

    tag_id: str | None = None
    revision: str = ""


class Quarantine(Record):
    """A text that a unit was rolled back from; ``data_sha`` is its SHA-256 in hexadecimal digits."""

    unit_id: str | None = None
    unit_slug: str = ""
    space_id: str | None = None
    revision_num: int = 0
    data_sha: str = ""
    reason: str = ""
    username: str = ""
    created_at: datetime | None = None


class QuarantineRequest(Record):
    """Which revision of a unit is put into quarantine, or taken out of it, and why."""

    revision_num: int = 0
    reason: str = ""


class RolledBack(Record):
    """What a rollback does to one unit.

    ``to_revision_num`` is where it goes, 0 when it stays as it is, which ``why_not`` explains;
    ``new_revision_num`` is the new head, 0 when the text is that already. ``quarantined`` are the revisions
    that it was rolled back from. ``apply_gates`` are closed for the head as it is then.
    """

    unit_id: str | None = None
    slug: str = ""
    head_revision_num: int = 0
    live_revision_num: int = 0
    to_revision_num: int = 0
    new_revision_num: int = 0
    quarantined: list[int] = []
    apply_gates: list[str] = []
    why_not: str = ""


class Rollback(Record):
    """A rollback of units of one space; ``change_set`` is the slug of what it is recorded as, empty for no change."""

    change_set: str = ""
    units: list[RolledBack] = []


class RollbackRequest(Record):
    """Where units go back to: a number, ``Tag:x``, ``ChangeSet:x``, ``Before:`` either, or ``Time:x``; and why."""

    to: str = ""
    reason: str = ""


class HoldNow(Record):
    """What keeps a unit from being applied by itself: ``operator`` or ``older-revision``; no end is for ever."""

    kind: str = ""
    reason: str = ""
    username: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None


class Waiting(Record):
    """Why the head of a unit is not live.

    ``not_applied`` says why it is not applied by itself, ``gates`` what refuses it when it is asked for, and
    ``gate_reasons`` what workers said of their gates.
    """

    head_revision_num: int = 0
    live_revision_num: int = 0
    not_applied: str = ""
    gates: list[str] = []
    gate_reasons: dict[str, str] = {}
    holds: list[HoldNow] = []
