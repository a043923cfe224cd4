"""Where the units of a change set stood when somebody began to bring them to one of its sides.

It is kept on the change set until that has ended, well or taken back. So whoever goes on after a process that was
killed knows where everything goes back to when a unit fails: not to the middle in which it was found.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from confighub.client.hub import HubClient
from confighub.client.transport import Wire

KEY = "confighub.com/begun"

_Stood = dict[str, tuple[int, int]]
"""By id of the unit: its head, and what was live, 0 for nothing."""


def begin(hub: HubClient, change_set: Wire, units: Sequence[Wire]) -> list[Wire]:
    """Remember where these plain units stand, and return them so.

    Where an earlier try was cut off they come as they stood before that, but for those that somebody else has changed
    since. The units need their ``LastChangeDescription``.
    """
    earlier = _read(change_set)
    # what an end, a proposal and a taking back leave at a unit; the slug of another one may begin with this one
    name = f"change set {change_set['Slug']}"
    prefixes = (f"{name}: ", f"{name} was taken back")
    stood = []
    for one in units:
        head, live = earlier.get(str(one["UnitID"]), (0, 0))
        is_ours = head and str(one.get("LastChangeDescription") or "").startswith(prefixes)
        stood.append({**one, "HeadRevisionNum": head, "LiveRevisionNum": live} if is_ours else one)
    kept: _Stood = {str(one["UnitID"]): (one["HeadRevisionNum"], one.get("LiveRevisionNum") or 0) for one in stood}
    if kept != earlier:
        _annotate(hub, change_set, msgspec.json.encode(kept).decode())
    return stood


def end(hub: HubClient, change_set: Wire) -> None:
    """Forget it: everything is at its side, or back where it was."""
    _annotate(hub, change_set, None)


def _read(change_set: Wire) -> _Stood:
    text = (change_set.get("Annotations") or {}).get(KEY)
    try:
        return msgspec.json.decode(text, type=_Stood) if text else {}
    except msgspec.MsgspecError:
        return {}


def _annotate(hub: HubClient, change_set: Wire, text: str | None) -> None:
    space_id = str(change_set["SpaceID"])
    hub.change_sets.patch(str(change_set["ChangeSetID"]), {"Annotations": {KEY: text}}, space_id=space_id)
