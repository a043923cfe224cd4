"""Cases of the wire as data: what a case needs, how its requests are sent, how answers are matched.

A case is a JSON file: ``given`` names what must be there, ``steps`` are requests with what their
answers must hold. Names in braces stand for what was made or kept before. In ``has`` a dict asks
for its keys only, a list for exactly its elements; ``{"$some": x}`` asks a list for one element
like x; ``$id``, ``$time``, ``$text``, ``$number``, ``$list`` stand for any of the kind, ``$absent``
for a key that is not there.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.api.running import WEB, Answer, HubProcess, b64
from tests.api.worker import DiligentWorker, Worker

Names = dict[str, str]

WEB2 = WEB.replace("replicas: 1", "replicas: 2")
WAIT_S = 30

_NUMBERS = itertools.count(1)
_ABSENT = object()


@contextmanager
def prepared(hub: HubProcess, given: list[str]) -> Iterator[Names]:
    """Make what the case needs and give the names of it."""
    names: Names = {"web": b64(WEB), "web2": b64(WEB2)}
    with ExitStack() as stack:
        for need in given:
            _GIVEN[need](hub, names, stack)
        yield names


def replay(hub: HubProcess, case: dict[str, Any], names: Names) -> None:
    """Send the requests of the case and match their answers."""
    for number, step in enumerate(case["steps"], start=1):
        deadline = time.monotonic() + WAIT_S
        while True:
            answer = send(hub, step, names)
            trouble = _trouble(answer, step, names)
            if not trouble or not step.get("wait") or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        assert not trouble, f"step {number}, {step['send']}: {trouble}\n{answer.body.decode()}"
        for name, path in step.get("keep", {}).items():
            names[name] = str(_at(answer.json, path))


def send(hub: HubProcess, step: dict[str, Any], names: Names) -> Answer:
    """Send one request."""
    method, _, path = filled(step["send"], names).partition(" ")
    patch = "application/merge-patch+json" if step.get("patch") else "application/json"
    body = filled(step["body"], names) if "body" in step else None
    raw = b"null" if "body" in step and body is None else step["raw"].encode() if "raw" in step else None
    authorization = step.get("authorization")
    return hub.request(
        method,
        path,
        filled(step.get("query", {}), names),
        body,
        raw=raw,
        content_type=patch,
        authorization=None if authorization is None else filled(authorization, names),
    )


def filled(value: Any, names: Names) -> Any:
    """Return the value with the names in braces replaced, in every text of it."""
    if isinstance(value, dict):
        return {key: filled(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, names) for one in value]
    if isinstance(value, str):
        return re.sub(r"{(\w+)}", lambda found: names.get(found[1], found[0]), value)
    return value


def difference(found: Any, wanted: Any, path: str = "") -> str:
    """Return the first place where the answer is not as wanted; empty when there is none."""
    if isinstance(wanted, str) and wanted in _KINDS:
        return "" if _KINDS[wanted](found) else f"{path or 'the answer'} is {found!r}, wanted {wanted}"
    if isinstance(wanted, dict) and "$some" in wanted:
        is_there = isinstance(found, list) and any(not difference(one, wanted["$some"]) for one in found)
        return "" if is_there else f"{path or 'the answer'} has no element like {wanted['$some']}"
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return f"{path or 'the answer'} is {found!r}, wanted an object"
        pairs = ((key, found.get(key, _ABSENT), one) for key, one in wanted.items())
        return next((d for key, here, one in pairs if (d := difference(here, one, f"{path}.{key}"))), "")
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return f"{path or 'the answer'} is {found!r}, wanted {len(wanted)} elements"
        pairs = ((str(n), here, one) for n, (here, one) in enumerate(zip(found, wanted, strict=True)))
        return next((d for key, here, one in pairs if (d := difference(here, one, f"{path}.{key}"))), "")
    return "" if found == wanted and type(found) is type(wanted) else f"{path} is {found!r}, wanted {wanted!r}"


def _trouble(answer: Answer, step: dict[str, Any], names: Names) -> str:
    wanted = step.get("expect", 200)
    if answer.status != wanted:
        return f"status {answer.status}, wanted {wanted}"
    if "json" not in answer.headers.get("content-type", ""):
        return "the answer is not JSON"
    return difference(answer.json, filled(step["has"], names)) if "has" in step else ""


def _at(found: Any, path: str) -> Any:
    for part in path.split("."):
        found = found[int(part)] if part.isdigit() else found[part]
    return found


def _is_id(value: Any) -> bool:
    try:
        return bool(str(UUID(value)) == value)
    except (TypeError, ValueError, AttributeError):
        return False


def _is_time(value: Any) -> bool:
    # The public client wants a zone.
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


_KINDS: dict[str, Callable[[Any], bool]] = {
    "$id": _is_id,
    "$time": _is_time,
    "$text": lambda value: isinstance(value, str) and bool(value),
    "$number": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "$list": lambda value: isinstance(value, list),
    "$absent": lambda value: value is _ABSENT,
}


def _space(hub: HubProcess, names: Names, _: ExitStack) -> None:
    names["space_slug"] = f"case-{next(_NUMBERS)}"
    names["space"] = hub.space(names["space_slug"])


def _unit(hub: HubProcess, names: Names, _: ExitStack) -> None:
    names["unit"] = hub.unit(names["space"], "web", Labels={"app": "web"})


def _other_unit(hub: HubProcess, names: Names, _: ExitStack) -> None:
    names["other"] = hub.unit(names["space"], "db")


def _clone(hub: HubProcess, names: Names, _: ExitStack) -> None:
    query = {"upstream_space_id": names["space"], "upstream_unit_id": names["unit"]}
    made = hub.ok("POST", f"/api/space/{names['space']}/unit", query, {"Slug": "web-clone"})
    names["clone"] = made["UnitID"]


def _second_revision(hub: HubProcess, names: Names, _: ExitStack) -> None:
    hub.ok("PATCH", f"/api/space/{names['space']}/unit/{names['unit']}", None, {"Data": names["web2"]})


def _worker(hub: HubProcess, names: Names, _: ExitStack) -> None:
    names["worker"], names["secret"] = hub.worker(names["space"])


def _target(hub: HubProcess, names: Names, _: ExitStack) -> None:
    names["target"] = hub.target(names["space"], names["worker"])


def _deployable_unit(hub: HubProcess, names: Names, _: ExitStack) -> None:
    names["unit"], names["worker"], names["secret"] = hub.deployable(names["space"])


def _diligent_worker(hub: HubProcess, names: Names, stack: ExitStack) -> None:
    stack.enter_context(DiligentWorker(Worker(hub.url, names["worker"], names["secret"])))


def _live(hub: HubProcess, names: Names, _: ExitStack) -> None:
    path = f"/api/space/{names['space']}/unit/{names['unit']}"
    hub.ok("POST", f"{path}/apply")
    deadline = time.monotonic() + WAIT_S
    while hub.ok("GET", path)["Unit"]["LiveRevisionNum"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _made(noun: str, body: dict[str, Any]) -> Callable[[HubProcess, Names, ExitStack], None]:
    def make(hub: HubProcess, names: Names, _: ExitStack) -> None:
        made = hub.ok("POST", f"/api/space/{names['space']}/{noun}", body=filled(body, names))
        names[noun] = next(
            value for key, value in made.items() if key.replace("ID", "").lower() == noun.replace("_", "")
        )

    return make


_GIVEN: dict[str, Callable[[HubProcess, Names, ExitStack], None]] = {
    "space": _space,
    "unit": _unit,
    "other unit": _other_unit,
    "clone": _clone,
    "second revision": _second_revision,
    "worker": _worker,
    "target": _target,
    "deployable unit": _deployable_unit,
    "diligent worker": _diligent_worker,
    "live": _live,
    "filter": _made("filter", {"Slug": "webs", "From": "Unit", "Where": "Labels.app = 'web'"}),
    "set": _made("set", {"Slug": "s1"}),
    "tag": _made("tag", {"Slug": "v1"}),
    "link": _made("link", {"Slug": "l1", "FromUnitID": "{unit}", "ToUnitID": "{other}", "ToSpaceID": "{space}"}),
    "change set": _made("change_set", {"Slug": "c1", "FilterID": "{filter}", "StartTagID": "{tag}"}),
    "trigger": _made(
        "trigger",
        {
            "Slug": "req",
            "Event": "Mutation",
            "ToolchainType": "Kubernetes/YAML",
            "FunctionName": "is-approved",
            "Arguments": [{"Value": "1"}],
        },
    ),
}
