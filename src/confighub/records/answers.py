"""Answers that are no stored noun: errors, deletions and messages of bulk calls."""

from __future__ import annotations

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
