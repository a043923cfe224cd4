"""How a rollout begins, or goes on where another process stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from confighub.errors import BadRequest, Conflict, Gated, NotFound
from confighub.operations.guard import APPROVAL_GATE
from confighub.operations.rollout import evidence
from confighub.operations.rollout.blue_green import colours
from confighub.operations.rollout.entrance import INGRESS, find_heads
from confighub.operations.rollout.evidence import Evidence
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.quarantine import lift_quarantine, refuse_quarantined
from confighub.operations.rollout.record import KEY, Kind, Notebook, Record
from confighub.operations.rollout.shares import live_virtual_services, mesh_unit
from confighub.operations.rollout.steps import BACK, note_breach
from confighub.operations.rollout.subject import TEMPORARY, canary_ingress, find_subject

_CREATE = "create"
_PAST_RETURN = frozenset({"finish", "decommission"})


@dataclass(frozen=True)
class Wish:
    """What somebody asks for. ``command`` is what they typed, for hints; ``lift`` a reason to end a quarantine.

    ``evidence`` says by which figures the new version is judged. ``switch`` is "ingress" or "selector" for a
    blue-green rollout; empty for the one under way as it is, and for a new one by selector.
    """

    kind: Kind
    service: str
    image: str = ""
    env: Mapping[str, str] | None = None
    approve: bool = False
    lift: str = ""
    command: str = ""
    evidence: Evidence = field(default_factory=Evidence)
    switch: str = ""


def begin(place: Place, wish: Wish) -> tuple[Notebook, Record]:
    """Return the rollout that is asked for: the one under way, else a new one. Nothing is applied yet.

    Raises: Conflict when another rollout of the service is under way, another process carries this one out, or
    the version is in quarantine; BadRequest without an image; Gated when prod needs an approval.
    """
    found = under_way(place, wish.service)
    if found is not None:
        notebook, record = found
        _refuse_another(record, wish)
        notebook.claim(record)
        place.approve, place.inside = record.approve, "inside" in record.before
        place.say(f"{record.kind} of {wish.service} to {record.image} goes on at step {record.step}")
        return notebook, record
    return _begin_anew(place, wish)


def abort(place: Place, wish: Wish) -> tuple[Notebook, Record]:
    """Return the rollout under way, about to go back. Raises: NotFound, Conflict when it cannot go back any more."""
    found = under_way(place, wish.service)
    if found is None:
        raise NotFound(f"no rollout of {wish.service} is under way in {place.space}")
    notebook, record = found
    _refuse_another(record, wish)
    if record.step in _PAST_RETURN:
        raise Conflict(f"{wish.service} is at step {record.step}", hint="let it end; then roll the old version out")
    notebook.claim(record)
    place.approve, place.inside = record.approve, "inside" in record.before
    if not record.detected:
        note_breach(record, "abort", "ended by its operator")
        record.step, record.step_began = BACK, time.time()
        notebook.write(record)
    return notebook, record


def under_way(place: Place, service: str) -> tuple[Notebook, Record] | None:
    """Return the service's rollout that has not ended, None when there is none."""
    for one in place.hub.units.list(space_id=place.space_id, include="", select="UnitID,Slug,Annotations"):
        if KEY in (one["Unit"].get("Annotations") or {}):
            notebook = Notebook(place.hub, space_id=place.space_id, unit_id=str(one["Unit"]["UnitID"]))
            record = notebook.read()
            if record is not None and service in (record.service, record.before.get("deployment")):
                return notebook, record
    return None


def _begin_anew(place: Place, wish: Wish) -> tuple[Notebook, Record]:
    if not wish.image:
        raise BadRequest(f"no rollout of {wish.service} is under way, so say which image: --image :TAG")
    env = dict(wish.env or {})
    place.inside = wish.evidence.inside
    subject = find_subject(place, wish.service)
    quarantined = refuse_quarantined(place, subject, image=wish.image, env=env, lift=wish.lift)
    ingresses = ingress_slugs(place)
    # Made once for nothing, so that what cannot be made is refused before anything is written.
    subject.second_deployment(f"{subject.name}-second", version="second", image=wish.image, env=env)
    mesh = ""
    if wish.kind == "canary":
        mesh = mesh_unit(place, subject.name, f"{subject.name}-canary")
        if not mesh:
            texts = {slug: place.text(slug) for slug in ingresses}
            canary_ingress(texts, service=subject.name, canary=f"{subject.name}-canary", weight=0)
    elif live_virtual_services(place, subject.name):
        raise BadRequest(
            f"the mesh routes {subject.name} by its own rules, so a switch of its Service would not move the traffic",
            hint=f"bring the new version little by little: bin/canary {wish.service} ENV --image {wish.image}",
        )
    doors = find_heads(place, ingresses, subject.name) if wish.switch == "ingress" else {}
    if not wish.evidence.without_trades and not place.address(str(subject.service["Slug"])):
        raise BadRequest(
            f"Service {subject.name} has no address that can be reached from here, so no version could be tried",
            hint="say --inside where this machine is in the cluster's network, or let probes and a Prometheus judge it:"
            " --without-trades --prometheus URL",
        )
    deployment, service = str(subject.deployment["Slug"]), str(subject.service["Slug"])
    _refuse_without_approval(place, wish, deployment, [service, *doors])
    before = {
        "deployment": deployment,
        "service": service,
        "revision": str(int(subject.deployment.get("HeadRevisionNum") or 0)),
        "service revision": str(int(subject.service.get("HeadRevisionNum") or 0)),
        "ingresses": ",".join(ingresses),
        "mesh": mesh,
    } | evidence.chosen(place, subject, wish.evidence)
    if wish.kind == "blue-green":
        before |= colours(place, subject) | ({"entrance": json.dumps(doors)} if doors else {})
    now = time.time()
    record = Record(
        kind=wish.kind,
        service=subject.name,
        image=wish.image,
        env=env,
        approve=wish.approve,
        step=_CREATE,
        step_began=now,
        began=now,
        before=before,
    )
    evidence.check(place, record)
    notebook = Notebook(place.hub, space_id=place.space_id, unit_id=str(subject.service["UnitID"]))
    lift_quarantine(place, quarantined, image=wish.image, reason=wish.lift)
    notebook.claim(record)
    place.approve = wish.approve
    return notebook, record


def ingress_slugs(place: Place) -> list[str]:
    """Return the slugs of the space's Ingress units, those of rollouts left out."""
    found = place.hub.units.list(space_id=place.space_id, include="", resource_type=INGRESS)
    return sorted(str(one["Unit"]["Slug"]) for one in found if TEMPORARY not in (one["Unit"].get("Labels") or {}))


def _refuse_another(record: Record, wish: Wish) -> None:
    other = record.kind != wish.kind
    other = other or bool(wish.image and (wish.image, dict(wish.env or {})) != (record.image, record.env))
    switch = "ingress" if record.before.get("entrance") else "selector"
    other = other or wish.switch not in ("", switch)
    if other:
        raise Conflict(
            f"a {record.kind} of {record.service} to {record.image} is under way, at step {record.step}",
            hint=f"go on with it: bin/{record.kind} {record.service} ENV, or end it with --abort",
        )


def _refuse_without_approval(place: Place, wish: Wish, deployment: str, switched: list[str]) -> None:
    labels = place.hub.space(place.space_id).get("Labels") or {}
    if wish.approve or "prod" not in (labels.get("environment"), labels.get("env")):
        return
    names = [deployment, f"{wish.service}-canary-deployment"] if wish.kind == "canary" else [f"{wish.service}-green"]
    names += switched if wish.kind == "blue-green" else [f"{wish.service}-canary-ingress"]
    raise Gated(
        f"what this changes in {place.space} waits for approval: {', '.join(names)}",
        gates=[APPROVAL_GATE],
        hint=f"nothing was applied; approve the revisions that the rollout makes: {wish.command} --approve",
    )
