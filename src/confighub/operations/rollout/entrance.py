"""The way in, led to one colour's own Service for a while: users get it, callers inside the environment do not.

Only the names of the Ingresses' backends change, and they change back to the very text there was. No clone downstream
takes them along meanwhile. Source: the seed's 3.2, whose switch is a patch of the Ingress.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from confighub.client.units import text_of
from confighub.data.document import parse
from confighub.data.editor import Editor
from confighub.data.own_paths import ANNOTATION
from confighub.data.path import Steps, join
from confighub.errors import BadRequest
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.record import Record
from confighub.operations.rollout.steps import Breach
from confighub.operations.rollout.subject import Object, objects, refuse_pending

INGRESS = "networking.k8s.io/v1/Ingress"
KEY = "entrance"
"""Where the record of a rollout that switches the Ingress keeps the revisions that it began with."""


@dataclass(frozen=True)
class Entrance:
    """The Ingress units that lead to a Service. ``own`` is the Service of the new colour alone.

    ``heads`` are the revisions that the rollout began with, by slug.
    """

    place: Place
    service: str
    own: str
    heads: Mapping[str, int]

    def refuse_changed(self) -> None:
        """Return when nobody else has changed an Ingress since the rollout began. Raises: Breach."""
        for slug, began_with in self.heads.items():
            head = int(self.place.unit(slug).get("HeadRevisionNum") or 0)
            # Whoever goes on after a kill may find the switch written already: one revision more.
            is_ours = head == began_with + 1 and self.place.text(slug) == self._switched(slug)
            if head != began_with and not is_ours:
                raise Breach("change", f"{slug} was changed meanwhile: its head is revision {head}")

    def lead_to_own(self, why: str) -> None:
        """Return once what comes in goes to the new colour."""
        for slug in self.heads:
            if self.place.text(slug) != (wanted := self._switched(slug)):
                # First, so that no clone downstream ever takes the colour along, whoever upgrades it.
                self._annotate(slug, self._own_paths(slug))
                self.place.write(slug, wanted, why)
            self.place.apply(slug)

    def lead_back(self, why: str) -> None:
        """Return once what comes in goes to the Service; what others changed of an Ingress meanwhile stays."""
        for slug, began_with in self.heads.items():
            now, old = self.place.text(slug), self._old(slug)
            wanted = old if now == self._switched(slug) else redirected(now, old=self.own, new=self.service)
            if now != wanted:
                self.place.write(slug, wanted, why)
            if now != wanted or int(self.place.unit(slug).get("LiveRevisionNum") or 0) != began_with:
                self.place.apply(slug)
            self._annotate(slug, ())

    def _old(self, slug: str) -> str:
        unit_id, hub = self.place.unit(slug)["UnitID"], self.place.hub
        ask = partial(hub.units.revision, unit_id, self.heads[slug], space_id=self.place.space_id)
        return text_of(self.place.patiently(ask))

    def _switched(self, slug: str) -> str:
        return redirected(self._old(slug), old=self.service, new=self.own)

    def _own_paths(self, slug: str) -> list[str]:
        found = (place for one in objects(self._old(slug)) for place in backends(one))
        return sorted({f"{INGRESS} {join(steps)}" for steps, name in found if name == self.service})

    def _annotate(self, slug: str, wanted: Iterable[str]) -> None:
        """Have these places as the unit's own, beside those that others named."""
        told = str((self.place.unit(slug).get("Annotations") or {}).get(ANNOTATION) or "")
        ours = self._own_paths(slug)
        kept = [one for one in filter(None, told.split(",")) if one not in ours]
        if (text := ",".join([*kept, *wanted])) != told:
            self.place.annotate(slug, {ANNOTATION: text or None})


def entrance_of(place: Place, record: Record, own: str) -> Entrance | None:
    """Return the way in that the rollout of the record switches; None for one that switches the selector."""
    told = record.before.get(KEY)
    return Entrance(place, record.service, own, json.loads(told)) if told else None


def find_heads(place: Place, slugs: Iterable[str], service: str) -> dict[str, int]:
    """Return the head revisions of those Ingress units that lead to a Service, by slug; nothing is changed.

    Raises: BadRequest when none does, or what is live of one is not its head.
    """
    heads: dict[str, int] = {}
    for slug in slugs:
        if service in {name for one in objects(place.text(slug)) for _, name in backends(one)}:
            unit = place.unit(slug)
            refuse_pending(unit)
            heads[slug] = int(unit["HeadRevisionNum"])
    if not heads:
        raise BadRequest(
            f"no path of an Ingress leads to {service}, so a switch of the Ingress would move no traffic",
            hint="nothing was changed; switch what its Service selects: --switch selector",
        )
    return heads


def redirected(text: str, *, old: str, new: str) -> str:
    """Return the text with every backend of an Ingress that names the one Service naming the other."""
    stream = parse(text)
    changed: dict[int, bytes] = {}
    for at, placed in enumerate(stream.documents):
        if found := [steps for steps, name in backends(placed.document.data) if name == old]:
            editor = Editor(placed.document)
            for steps in found:
                editor.set(steps, new)
            changed[at] = editor.finish()[0]
    return stream.replaced(changed) if changed else text


def backends(one: Object) -> Iterator[tuple[Steps, str]]:
    """Yield where an object, if it is an Ingress, names the Services that it leads to, and their names."""
    spec = (one.get("spec") or {}) if one.get("kind") == "Ingress" else {}
    found: list[tuple[Steps, Object]] = [(("spec", "defaultBackend"), spec.get("defaultBackend") or {})]
    for at, rule in enumerate(spec.get("rules") or []):
        for number, path in enumerate((rule.get("http") or {}).get("paths") or []):
            found.append((("spec", "rules", at, "http", "paths", number, "backend"), path.get("backend") or {}))
    for steps, backend in found:
        if name := (backend.get("service") or {}).get("name"):
            yield (*steps, "service", "name"), str(name)
