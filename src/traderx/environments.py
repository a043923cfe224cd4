"""The environments: clones of the stage before, made different by recorded function calls.

A clone is finished when its annotation ``traderx/made-for`` names its environment. Only unfinished clones
get the calls, so what a person changed later is never set back by running this again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from confighub.client.collection import Records, any_of, conjoined, quoted
from confighub.client.functions import Scalar, call
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.errors import ConfigHubError, NotFound
from traderx import topology
from traderx.install import ensure_links, ensure_space, link_slug, unit_ids
from traderx.project import Project
from traderx.wording import counted

Say = Callable[[str], None]

FINISHED = "traderx/made-for"
LINKED = "traderx/linked-to-{}"
"""The annotation of a unit whose link to an addon fills its variables, with the environment's name as value."""
LIMIT_FACTOR = 2
"""Limits are twice the requests, as in the seed's example."""


@dataclass(frozen=True)
class Difference:
    """Function calls that make some units of an environment what they are there."""

    units: tuple[str, ...]
    calls: tuple[tuple[str, tuple[Scalar, ...]], ...]
    why: str


def differences(environment: topology.Environment, wanted: Collection[str] = ()) -> tuple[Difference, ...]:
    """Return what sets the environment apart from the stage that it is cloned from."""
    place = topology.namespace(environment)
    inside = tuple(row.slug for row in topology.units() if row.slug != "namespace")
    inside += tuple(one.slug for one in topology.addons(environment, wanted) if one.is_inside)
    host = topology.INGRESS_HOSTS[environment]
    ingress = "networking.k8s.io/v1/Ingress"
    made = [
        Difference(
            ("namespace",), (("set-string-path", ("v1/Namespace", "metadata.name", place)),), f"the namespace {place}"
        ),
        Difference(inside, (("set-namespace", (place,)),), f"live in {place}"),
        Difference(
            ("trade-service-deployment",),
            (("set-env-var", ("trade-service", "ASPNETCORE_ENVIRONMENT", environment.capitalize())),),
            "know the environment's name",
        ),
        Difference(
            ("ingress",),
            (
                ("set-hostname", (host,)),
                ("set-string-path", (ingress, "spec.tls.0.hosts.0", host)),
            ),
            f"answer at {host}",
        ),
    ]
    if environment == "prod":
        schedule = ("velero.io/v1/Schedule", "spec.template.includedNamespaces.0", place)
        made.append(Difference(("backup-schedule",), (("set-string-path", schedule),), f"back up {place}"))
    return (*made, *_sizes(environment))


def _sizes(environment: topology.Environment) -> Iterable[Difference]:
    before = topology.STAGES[topology.STAGES.index(environment) - 1]
    for one in topology.SERVICES:
        size = one.size(environment)
        if size != one.size(before):
            resources: tuple[Scalar, ...] = (one.name, "all", size.cpu, size.memory, LIMIT_FACTOR)
            yield Difference(
                (f"{one.name}-deployment",),
                (("set-replicas", (size.replicas,)), ("set-container-resources", resources)),
                f"{counted(size.replicas, 'replica')}, {size.cpu} and {size.memory} each",
            )


def install_envs(hub: HubClient, project: Project, say: Say, *, wanted: Collection[str] = ()) -> None:
    """Make the three environments: spaces, clones, links and differences, each once.

    ``wanted`` names addons that are there only when asked for; one that an environment has already is wanted there.
    Raises: NotFound when the base or such an addon is missing; ConfigHubError when a clone or a call is refused.
    """
    refuse_unknown(wanted)
    name = project.name()
    hub.space_id(f"{name}-base")
    for environment in topology.ENVIRONMENTS:
        row = next(row for row in topology.SPACES if row.suffix == environment)
        space_id = ensure_space(hub, row, name, say)
        present = unit_ids(hub, space_id)
        here = {*wanted, *(one.slug for one in topology.ADDONS if not one.is_wanted and one.slug in present)}
        _clone_missing(hub, name, environment, space_id, say, here)
        asking = _ask(hub, environment, space_id, here)
        ensure_links(hub, space_id, environment, say, wanted=here)
        _mark_linked(hub, environment, space_id, asking, say)
        _make_different(hub, environment, space_id, say, here)


def refuse_unknown(wanted: Collection[str]) -> None:
    """Return when each is an addon that can be asked for. Raises: NotFound, naming those that can."""
    known = [one.slug for one in topology.ADDONS if not one.is_wanted]
    unknown = [slug for slug in wanted if slug not in known]
    if unknown:
        raise NotFound(f"no such addon: {', '.join(unknown)}", hint=f"there is {', '.join(known)}")


def explain_envs(name: str, wanted: Collection[str] = ()) -> list[str]:
    """Return the lines that say what ``install_envs`` makes."""
    refuse_unknown(wanted)
    lines = []
    for environment in topology.ENVIRONMENTS:
        before = topology.STAGES[topology.STAGES.index(environment) - 1]
        addons = topology.addons(environment, wanted)
        lines.append(f"space {name}-{environment}: {len(topology.units())} units cloned from {before}")
        lines += [f"  {one.slug} (addon) cloned from {one.upstream(environment)}" for one in addons]
        for one in differences(environment, wanted):
            who = one.units[0] if len(one.units) == 1 else f"{len(one.units)} units"
            lines += [f"  {who}: {function} {' '.join(map(str, values))}" for function, values in one.calls]
        for addon in topology.serving(environment, wanted):
            told = " and ".join(addon.variables)
            lines += [f"  {slug}: {told} by its link to {addon.slug}" for slug in topology.client_units(addon)]
    return lines


def _clone_missing(
    hub: HubClient, name: str, environment: topology.Environment, space_id: str, say: Say, addons: Collection[str]
) -> None:
    present = unit_ids(hub, space_id)
    before = topology.STAGES[topology.STAGES.index(environment) - 1]
    origins: dict[str, list[str]] = defaultdict(list)
    for row in topology.units():
        origins[before].append(row.slug)
    for one in topology.addons(environment, addons):
        origins[one.upstream(environment)].append(one.slug)
    labels = {"environment": environment, "targetable": "true"}
    for stage, slugs in origins.items():
        missing = [slug for slug in slugs if slug not in present]
        if missing:
            source = hub.space_id(f"{name}-{stage}")
            answers = hub.units.create_all(
                {"Labels": labels},
                where=conjoined(any_of("Slug", missing), f"SpaceID = {quoted(source)}"),
                where_space=f"SpaceID = {quoted(space_id)}",
            )
            refuse_failures(answers, f"cloning {stage} to {environment}")
            if len(answers) < len(missing):
                raise NotFound(f"{stage} lacks units that {environment} is made of", hint="run bin/install-base again")
            say(f"  {counted(len(missing), 'unit')} cloned from {stage}")


def _ask(
    hub: HubClient, environment: topology.Environment, space_id: str, addons: Collection[str]
) -> dict[topology.Addon, list[str]]:
    """Make the clients of addons ask for what their links will fill, and return those that did not ask here before.

    A clone comes with the values of the stage before, and with a link that leads there: it goes first, or it would
    fill them again. The link inside the environment is made afterwards, and from then on the values follow it.
    """
    made: dict[topology.Addon, list[str]] = {}
    serving = topology.serving(environment, addons)
    if not serving:
        return made
    records = hub.units.list(space_id=space_id, include="", select="UnitID,Slug,Annotations")
    units = {one["Unit"]["Slug"]: one["Unit"] for one in records}
    links = {one["Link"]["Slug"]: one["Link"] for one in hub.links.list(space_id=space_id, include="")}
    for addon in serving:
        mark, addon_id = LINKED.format(addon.slug), units[addon.slug]["UnitID"]
        for name, slug in zip(addon.clients, topology.client_units(addon), strict=True):
            unit_id, link = units[slug]["UnitID"], links.get(link_slug(slug, addon.slug), {})
            is_marked = (units[slug].get("Annotations") or {}).get(mark) == environment
            if is_marked and link.get("ToUnitID") == addon_id:
                continue
            made.setdefault(addon, []).append(slug)
            if link:
                hub.links.delete(link["LinkID"], space_id=space_id)
            asked = [f"{variable}={topology.PLACEHOLDER}" for variable in addon.variables]
            calls = [call("set-env", name, *asked)]
            why = f"{environment}: ask the link to {addon.slug}"
            answers = hub.functions.invoke(
                calls, where=f"UnitID = {quoted(unit_id)}", space_id=space_id, change_desc=why
            )
            refuse_failures(answers, why)
    return made


def _mark_linked(
    hub: HubClient, environment: str, space_id: str, asking: dict[topology.Addon, list[str]], say: Say
) -> None:
    """Note that the links to the addons have filled what these units asked for."""
    for addon, slugs in asking.items():
        where = conjoined(any_of("Slug", slugs), f"SpaceID = {quoted(space_id)}")
        answers = hub.units.patch_all({"Annotations": {LINKED.format(addon.slug): environment}}, where=where)
        refuse_failures(answers, "marking the units as linked")
        told = " and ".join(addon.variables)
        say(f"  {counted(len(slugs), 'unit')} linked to {addon.slug}, which tells {told}")


def _make_different(
    hub: HubClient, environment: topology.Environment, space_id: str, say: Say, addons: Collection[str]
) -> None:
    records = hub.units.list(space_id=space_id, include="", select="UnitID,Slug,Annotations")
    unfinished = {
        one["Unit"]["Slug"]: one["Unit"]["UnitID"]
        for one in records
        if (one["Unit"].get("Annotations") or {}).get(FINISHED) != environment
    }
    for one in differences(environment, addons):
        ids = [unfinished[slug] for slug in one.units if slug in unfinished]
        if ids:
            calls: Sequence[Wire] = [call(function, *values) for function, values in one.calls]
            answers = hub.functions.invoke(
                calls, where=any_of("UnitID", ids), space_id=space_id, change_desc=f"{environment}: {one.why}"
            )
            refuse_failures(answers, one.why)
            who = next(slug for slug in one.units if slug in unfinished) if len(ids) == 1 else f"{len(ids)} units"
            say(f"  {who}: {one.why}")
    if unfinished:
        answers = hub.units.patch_all(
            {"Annotations": {FINISHED: environment}}, where=any_of("UnitID", unfinished.values())
        )
        refuse_failures(answers, "marking the units as finished")


def refuse_failures(answers: Records, attempt: str) -> None:
    """Return when every element of a bulk answer is good. Raises: ConfigHubError with the first reason."""
    for answer in answers:
        error = answer.get("Error")
        if error or answer.get("Success") is False:
            said = error or {}
            reason = "; ".join([str(said.get("Message") or "no reason given"), *(said.get("Details") or [])])
            raise ConfigHubError(f"{attempt} failed: {reason}")
