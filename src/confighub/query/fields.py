"""Which attributes of which entity can be asked for, of which type, and where its references lead.

Neighbours: the parser checks names and operators against these tables, ``evaluate`` and
``sql`` read the types. Where an attribute is stored is no business of this module.
Source: the parameter descriptions of the public ConfigHub API.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from confighub.errors import BadRequest


class Kind(Enum):
    """The type of an attribute; the value is how an error message calls it."""

    TEXT = "text"
    NUMBER = "a number"
    FLAG = "true or false"
    ID = "an id"
    TIME = "a time"
    IDS = "a list of ids"
    TEXT_MAP = "a map of texts"
    FLAG_MAP = "a map of true or false"

    @property
    def is_map(self) -> bool:
        """Whether single entries are named, as in ``Labels.tier``."""
        return self in (Kind.TEXT_MAP, Kind.FLAG_MAP)

    @property
    def is_collection(self) -> bool:
        """Whether the attribute holds several values."""
        return self.is_map or self is Kind.IDS

    @property
    def entry(self) -> Kind:
        """The type of one value of a map."""
        return Kind.FLAG if self is Kind.FLAG_MAP else Kind.TEXT


@dataclass(frozen=True)
class Relation:
    """Where a reference leads: the name of the related record and its entity."""

    name: str
    entity: str
    is_list: bool = False


@dataclass(frozen=True)
class Fields:
    """What can be asked of one entity; ``includes`` is keyed by the names that ``include=`` takes."""

    entity: str
    attributes: dict[str, Kind]
    includes: dict[str, Relation]

    @property
    def relations(self) -> dict[str, str]:
        """Entity by relation name, for relations that lead to one record."""
        return {r.name: r.entity for r in self.includes.values() if not r.is_list}


ACCEPTS_SLUG = frozenset({"SetID"})
"""References that can be written as a slug too, as the seed does; the hub resolves them."""

ALIASES = {("BridgeWorker", "Name"): "Slug"}
"""What the public client writes in some commands for an attribute of another name."""


def of(entity: str) -> Fields:
    """Return what can be asked of the entity.

    Raises: BadRequest, naming the nearest entity, when there is none of that name.
    """
    found = ENTITIES.get(entity)
    if found is None:
        raise BadRequest(f"no such entity: {entity}", hint=suggestion(entity, list(ENTITIES)))
    return found


def suggestion(name: str, known: list[str]) -> str:
    """Return "did you mean X?" for the nearest known name, or the empty string."""
    for candidate in known:
        if candidate.lower() == name.lower():
            return f"did you mean {candidate}?"
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else ""


_TEXT, _NUMBER, _FLAG, _ID, _TIME, _IDS = Kind.TEXT, Kind.NUMBER, Kind.FLAG, Kind.ID, Kind.TIME, Kind.IDS

_DATES = {"CreatedAt": _TIME, "UpdatedAt": _TIME}
_NAMED = {"Slug": _TEXT, "DisplayName": _TEXT, "Labels": Kind.TEXT_MAP, "OrganizationID": _ID, **_DATES}
_IN_SPACE = {**_NAMED, "SpaceID": _ID}
_PERSON = {"UserID": _ID, "Username": _TEXT, "Slug": _TEXT, "DisplayName": _TEXT, "ExternalID": _TEXT}
_OF_UNIT = {"OrganizationID": _ID, "SpaceID": _ID, "UnitID": _ID, **_DATES}

_ORGANIZATION = {"OrganizationID": Relation("Organization", "Organization")}
_SPACE = {**_ORGANIZATION, "SpaceID": Relation("Space", "Space")}
_WORKER = {**_SPACE, "BridgeWorkerID": Relation("BridgeWorker", "BridgeWorker")}


def _table(*rows: Fields) -> dict[str, Fields]:
    return {row.entity: row for row in rows}


ENTITIES: dict[str, Fields] = _table(
    Fields(
        "Organization",
        {
            "BillingAccountID": _ID,
            "ExternalID": _TEXT,
            **_NAMED,
        },
        {},
    ),
    Fields("User", {**_PERSON, **_DATES}, {}),
    Fields("OrganizationMember", _PERSON, {}),
    Fields("Space", {**_NAMED, "SpaceID": _ID}, _ORGANIZATION),
    Fields(
        "Unit",
        {
            **_IN_SPACE,
            "UnitID": _ID,
            "ToolchainType": _TEXT,
            "ApplyGates": Kind.FLAG_MAP,
            "ApprovedBy": _IDS,
            "HeadRevisionNum": _NUMBER,
            "LastActionAt": _TIME,
            "LastAppliedRevisionNum": _NUMBER,
            "LastChangeDescription": _TEXT,
            "LiveRevisionNum": _NUMBER,
            "PreviousLiveRevisionNum": _NUMBER,
            "SetID": _ID,
            "TargetID": _ID,
            "UpstreamOrganizationID": _ID,
            "UpstreamRevisionNum": _NUMBER,
            "UpstreamSpaceID": _ID,
            "UpstreamUnitID": _ID,
        },
        {
            **_SPACE,
            "TargetID": Relation("Target", "Target"),
            "SetID": Relation("Set", "Set"),
            "UpstreamSpaceID": Relation("UpstreamSpace", "Space"),
            "UpstreamUnitID": Relation("UpstreamUnit", "Unit"),
            "UnitEventID": Relation("LatestUnitEvent", "UnitEvent"),
            "HeadRevisionNum": Relation("HeadRevision", "Revision"),
            "LiveRevisionNum": Relation("LiveRevision", "Revision"),
            "LastAppliedRevisionNum": Relation("LastAppliedRevision", "Revision"),
            "HeadMutationNum": Relation("HeadMutation", "Mutation"),
            "ApprovedBy": Relation("ApprovedBy", "User", is_list=True),
        },
    ),
    Fields(
        "Revision",
        {
            **_OF_UNIT,
            "RevisionID": _ID,
            "RevisionNum": _NUMBER,
            "ApplyGates": Kind.FLAG_MAP,
            "ApprovedBy": _IDS,
            "Description": _TEXT,
            "LiveAt": _TIME,
            "Source": _TEXT,
            "UserAgent": _TEXT,
            "UserID": _ID,
        },
        {**_SPACE, "UnitID": Relation("Unit", "Unit"), "UserID": Relation("User", "User")},
    ),
    Fields(
        "Mutation",
        {
            **_OF_UNIT,
            "MutationID": _ID,
            "MutationNum": _NUMBER,
            "FunctionName": _TEXT,
            "InvocationID": _ID,
            "LinkID": _ID,
            "RestoredRevisionNum": _NUMBER,
            "RevisionID": _ID,
            "RevisionNum": _NUMBER,
            "TriggerID": _ID,
            "UpgradedFromUpstreamRevisionNum": _NUMBER,
        },
        {
            **_SPACE,
            "UnitID": Relation("Unit", "Unit"),
            "RevisionID": Relation("Revision", "Revision"),
            "LinkID": Relation("Link", "Link"),
            "TriggerID": Relation("Trigger", "Trigger"),
            "InvocationID": Relation("Invocation", "Invocation"),
        },
    ),
    Fields(
        "UnitEvent",
        {
            **_OF_UNIT,
            "UnitEventID": _ID,
            "Action": _TEXT,
            "BridgeWorkerID": _ID,
            "QueuedOperationID": _ID,
            "Result": _TEXT,
            "RevisionNum": _NUMBER,
            "StartedAt": _TIME,
            "Status": _TEXT,
            "TerminatedAt": _TIME,
        },
        {},
    ),
    Fields(
        "Link",
        {**_IN_SPACE, "LinkID": _ID, "FromUnitID": _ID, "ToSpaceID": _ID, "ToUnitID": _ID},
        {
            **_SPACE,
            "FromUnitID": Relation("FromUnit", "Unit"),
            "ToUnitID": Relation("ToUnit", "Unit"),
            "ToSpaceID": Relation("ToSpace", "Space"),
        },
    ),
    Fields(
        "Filter",
        {
            **_IN_SPACE,
            "FilterID": _ID,
            "From": _TEXT,
            "FromSpaceID": _ID,
            "ResourceType": _TEXT,
            "Where": _TEXT,
            "WhereData": _TEXT,
        },
        {**_SPACE, "FromSpaceID": Relation("FromSpace", "Space")},
    ),
    Fields("Set", {**_IN_SPACE, "SetID": _ID}, _SPACE),
    Fields("Tag", {**_IN_SPACE, "TagID": _ID}, _SPACE),
    Fields(
        "View",
        {
            **_IN_SPACE,
            "ViewID": _ID,
            "FilterID": _ID,
            "GroupBy": _TEXT,
            "OrderBy": _TEXT,
            "OrderByDirection": _TEXT,
        },
        {**_SPACE, "FilterID": Relation("Filter", "Filter")},
    ),
    Fields(
        "ChangeSet",
        {
            **_IN_SPACE,
            "ChangeSetID": _ID,
            "Description": _TEXT,
            "EndTagID": _ID,
            "FilterID": _ID,
            "StartTagID": _ID,
        },
        {
            **_SPACE,
            "FilterID": Relation("Filter", "Filter"),
            "StartTagID": Relation("StartTag", "Tag"),
            "EndTagID": Relation("EndTag", "Tag"),
        },
    ),
    Fields(
        "Invocation",
        {**_IN_SPACE, "InvocationID": _ID, "BridgeWorkerID": _ID, "FunctionName": _TEXT, "ToolchainType": _TEXT},
        _WORKER,
    ),
    Fields(
        "Trigger",
        {
            **_IN_SPACE,
            "TriggerID": _ID,
            "BridgeWorkerID": _ID,
            "Disabled": _FLAG,
            "Enforced": _FLAG,
            "Event": _TEXT,
            "FunctionName": _TEXT,
            "InvocationID": _ID,
            "ToolchainType": _TEXT,
            "Validating": _FLAG,
        },
        {**_WORKER, "InvocationID": Relation("Invocation", "Invocation")},
    ),
    Fields(
        "Target",
        {**_IN_SPACE, "TargetID": _ID, "BridgeWorkerID": _ID, "ProviderType": _TEXT, "ToolchainType": _TEXT},
        _WORKER,
    ),
    Fields("BridgeWorker", {**_IN_SPACE, "BridgeWorkerID": _ID, "UserID": _ID}, _SPACE),
)
