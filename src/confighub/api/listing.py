"""The query parameters of lists, the same for every noun."""

from __future__ import annotations

from typing import Any

from confighub.api.call import Call
from confighub.api.routing import Parameter
from confighub.hub.kinds import Kind
from confighub.hub.usecases.listing import Listing, shown

WHERE = Parameter("where", "A where-expression: terms joined by AND.")
CONTAINS = Parameter("contains", "Text to find in any text attribute or label.")
INCLUDE = Parameter("include", "Comma list of references to expand.")
SELECT = Parameter("select", "Comma list of fields to return.")
FILTER = Parameter("filter", "A stored filter: its id, slug, or space/slug.")
LIMIT = Parameter("limit", "At most so many, in the order of CursorID.", type="integer")
AFTER = Parameter("after", "Only records with a greater CursorID.", type="integer")
SUMMARY = Parameter("summary", "true fills the counters.", type="boolean")
WHERE_DATA = Parameter("where_data", "An expression over the unit's data; wants resource_type.")
RESOURCE_TYPE = Parameter("resource_type", "The type that where_data looks at, such as apps/v1/Deployment.")

LIST = (WHERE, CONTAINS, INCLUDE, SELECT, FILTER, LIMIT, AFTER)
GET = (INCLUDE, SELECT)
CHOOSE = (WHERE, CONTAINS, INCLUDE, FILTER)


def listing(call: Call) -> Listing:
    """Return what the request asks to find and to show."""
    return Listing(
        where=call.text("where"),
        contains=call.text("contains"),
        filter=call.text("filter"),
        include=call.text("include"),
        select=call.text("select"),
        limit=call.number("limit"),
        after=call.number("after") or 0,
        where_data=call.text("where_data"),
        resource_type=call.text("resource_type"),
    )


def trimmed(kind: Kind, found: Any, asked: Listing) -> Any:
    """Return the records as the wire shows them, trimmed to what ``select`` names."""
    return shown(kind, found, asked)
