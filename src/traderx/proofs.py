"""How each of the twelve patterns is proven: which commands, and what their answers must show.

Source: the seed's checklist of patterns (6.1) and its details (6.2).
"""

from __future__ import annotations

import re
import time

from traderx import topology
from traderx.patterns import ENVIRONMENT, NotShown, Pattern, Trial

_PATIENCE_S = 30.0
_SERVICE = "trade-service"
_UNIT = f"{_SERVICE}-deployment"


def _naming(trial: Trial) -> str:
    prefix = trial.cub("space", "new-prefix").strip()
    slugs = [str(one["Space"]["Slug"]) for one in trial.records("space", "list")]
    _require(re.fullmatch(r"[a-z]+-[a-z]+", prefix), f"{prefix} is not two words")
    _require(not any(slug.startswith(prefix) for slug in slugs), f"a space begins with {prefix} already")
    _require(f"{trial.project}-base" in slugs, f"there is no space {trial.project}-base")
    return f"new prefix {prefix}, this project is {trial.project}"


def _hierarchy(trial: Trial) -> str:
    before = "base"
    found = []
    for environment in topology.ENVIRONMENTS:
        rows = trial.units(trial.space(environment))
        wrong = [
            str(row["Unit"]["Slug"])
            for row in rows
            if "order" in row["Unit"]["Labels"] and (row.get("UpstreamUnit") or {}).get("Slug") != row["Unit"]["Slug"]
        ]
        _require(not wrong, f"units of {environment} have no upstream in {before}: {', '.join(wrong)}")
        found.append(f"{environment} from {before}")
        before = environment
    return f"every unit with an order is cloned: {', '.join(found)}"


def _filters(trial: Trial) -> str:
    found = {str(row["Filter"]["Slug"]) for row in trial.records("filter", "list", "--space", trial.space("filters"))}
    _require(found >= {one.slug for one in topology.FILTERS}, f"only these filters: {', '.join(sorted(found))}")
    chosen = trial.units(trial.space(), "--filter", f"{trial.project}/backend")
    wrong = [str(row["Unit"]["Slug"]) for row in chosen if row["Unit"]["Labels"].get("layer") != "backend"]
    _require(chosen and not wrong, f"backend selects {len(chosen)} units, wrongly {', '.join(wrong) or 'none'}")
    return f"{len(found)} filters; backend selects {len(chosen)} units of dev"


def _cloning(trial: Trial) -> str:
    place = trial.make_space("clones")
    trial.clone(_UNIT, source=trial.space(), to=place)
    unit = trial.unit(_UNIT, place)
    upstream = unit.get("UpstreamUnit") or {}
    _require(upstream.get("Slug") == _UNIT, "the clone knows no upstream")
    _require(trial.text(_UNIT, place) == trial.text(_UNIT, trial.space()), "the clone has another text")
    return f"{place}/{_UNIT} came from {trial.space()} at revision {unit['Unit']['UpstreamRevisionNum']}"


def _promotion(trial: Trial) -> str:
    first, second = trial.make_space("first"), trial.make_space("second")
    trial.clone(_UNIT, source=trial.space(), to=first)
    trial.clone(_UNIT, source=first, to=second)
    trial.cub("run", "set-replicas", "7", "--space", second, "--unit", _UNIT)
    asked = ("--container-name", _SERVICE, "--image-reference", ":v1.1.0")
    trial.cub("run", "set-image-reference", *asked, "--space", first, "--unit", _UNIT)
    trial.cub("unit", "update", "--patch", "--upgrade", "--space", second)
    text = trial.text(_UNIT, second)
    _require(":v1.1.0" in text, "the image did not come along")
    _require("replicas: 7" in text, "what was set downstream did not stay")
    return "v1.1.0 came downstream, 7 replicas set there stayed"


def _sets(trial: Trial) -> str:
    shown = []
    for one in topology.SETS:
        rows = trial.units(trial.space(), "--where", f"SetID = '{one.slug}'")
        services = {str(row["Unit"]["Labels"].get("service")) for row in rows}
        _require(services == set(one.services), f"{one.slug} holds {', '.join(sorted(services)) or 'nothing'}")
        shown.append(f"{one.slug} has {len(rows)} units of dev")
    return ", ".join(shown)


def _events(trial: Trial) -> str:
    place, name = trial.make_space("events"), "pattern-7"
    trial.config_map(name, place, "before")
    began = time.monotonic()
    trial.set_value(name, place, "after")
    while trial.unit(name, place)["Unit"]["LiveRevisionNum"] < 2:
        _require(time.monotonic() - began < _PATIENCE_S, f"the change was not applied within {_PATIENCE_S:g} s")
        time.sleep(0.05)
    return f"a changed unit was live after {time.monotonic() - began:.2f} s, without being applied"


def _functions(trial: Trial) -> str:
    place = trial.make_space("functions")
    trial.clone(_UNIT, source=trial.space(), to=place)
    before = trial.text(_UNIT, place).splitlines()
    trial.cub("run", "set-replicas", "5", "--space", place, "--unit", _UNIT)
    after = trial.text(_UNIT, place).splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    _require(len(changed) == 1 and "replicas: 5" in changed[0], f"{len(changed)} lines changed")
    return "set-replicas 5 changed one line and kept every other byte"


def _change_sets(trial: Trial) -> str:
    place, names = trial.make_space("release"), ("pattern-9-a", "pattern-9-b")
    for name in names:
        trial.config_map(name, place, "old")
    trial.cub("filter", "create", "all", "Unit", "--space", place)
    trial.cub("tag", "create", "done", "--space", place)
    trial.cub("changeset", "create", "release", "--space", place, "--filter", "all", "--end-tag", "done")
    for name in names:
        trial.set_value(name, place, "new")
    trial.cub("unit", "tag", "done", "--space", place, "--where", "Slug != ''")
    for side, value in (("start", "old"), ("end", "new"), ("start", "old")):
        trial.cub("changeset", "apply", "release", "--space", place, "--to", side)
        for name in names:
            unit = trial.unit(name, place)["Unit"]
            _require(unit["LiveRevisionNum"] == unit["HeadRevisionNum"], f"{name} is not live at its {side}")
            _require(f"value: {value}" in trial.text(name, place), f"{name} is not at its {side}")
    return f"{len(names)} units went to the end together and back to the start"


def _lateral(trial: Trial) -> str:
    east, west = trial.make_space("east"), trial.make_space("west")
    trial.clone(_UNIT, source=trial.space(), to=east)
    trial.clone(_UNIT, source=east, to=west)
    # most of it comes from dev, so that what comes from another region beside it is lateral
    for slug in ("namespace", "reference-data-deployment"):
        trial.clone(slug, source=trial.space(), to=west)
    asked = ("--container-name", _SERVICE, "--image-reference", ":v1.1.0")
    trial.cub("run", "set-image-reference", *asked, "--space", east, "--unit", _UNIT)
    stages = [slug.removeprefix(f"{trial.project}-") for slug in (east, west)]
    trial.run("traderx", "promote", *stages, fails=True)
    _require(":v1.1.0" not in trial.text(_UNIT, west), "it came along without --lateral")
    trial.run("traderx", "promote", *stages, "--lateral")
    _require(":v1.1.0" in trial.text(_UNIT, west), "it did not come along with --lateral")
    return "one region's image came to the next one with --lateral, and only so"


def _revisions(trial: Trial) -> str:
    place = trial.make_space("history")
    trial.clone(_UNIT, source=trial.space(), to=place)
    before = trial.text(_UNIT, place)
    for replicas in ("4", "6"):
        trial.cub("run", "set-replicas", replicas, "--space", place, "--unit", _UNIT)
    trial.cub("unit", "update", _UNIT, "--patch", "--restore", "1", "--space", place)
    rows = trial.records("revision", "list", _UNIT, "--space", place)
    _require(len(rows) == 4, f"there are {len(rows)} revisions and not 4")
    _require(trial.text(_UNIT, place) == before, "the restored text is another one")
    return "4 revisions, the last with the bytes of the first"


def _links(trial: Trial) -> str:
    rows = trial.records("link", "list", "--space", trial.space())
    wanted = set(topology.links(ENVIRONMENT))
    found = {(str(row["FromUnit"]["Slug"]), str(row["ToUnit"]["Slug"])) for row in rows}
    _require(found >= wanted, f"{len(wanted - found)} links of dev are missing")
    place = trial.make_space("links")
    trial.cub("unit", "create", "--space", trial.space("base"), "--dest-space", place, "--unit", _UNIT)
    trial.cub("unit", "create", "--space", trial.space(), "--dest-space", place, "--unit", "namespace")
    before = trial.text(_UNIT, place)
    trial.cub("link", "create", "-", _UNIT, "namespace", "--space", place)
    _require(f"namespace: {topology.PLACEHOLDER}" in before, "the base names a namespace already")
    _require(f"namespace: {trial.namespace()}" in trial.text(_UNIT, place), "the link filled nothing in")
    return f"{len(rows)} links in dev; a new one filled in the namespace {trial.namespace()}"


def _require(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise NotShown(otherwise)


PATTERNS = (
    Pattern(1, "Unique project naming", "bin/cub space new-prefix", _naming),
    Pattern(2, "Space hierarchy", "bin/cub unit tree --space '*'", _hierarchy),
    Pattern(3, "Filter creation", "bin/cub unit list --space $(bin/proj)-dev --filter $(bin/proj)/backend", _filters),
    Pattern(4, "Environment cloning", "bin/cub unit create --space $(bin/proj)-dev --dest-space SPACE", _cloning),
    Pattern(5, "Version promotion", "bin/promote dev staging --image trade-service=:v1.1.0", _promotion),
    Pattern(6, "Sets for grouping", "bin/cub unit list --space '*' --where \"SetID = 'critical-services'\"", _sets),
    Pattern(7, "Event-driven", "bin/cub unit event list trade-service --space $(bin/proj)-dev", _events),
    Pattern(8, "ConfigHub functions", "bin/cub run set-replicas 2 --space $(bin/proj)-dev --unit UNIT", _functions),
    Pattern(9, "Change sets", "bin/cub changeset apply NAME --space $(bin/proj)-dev", _change_sets),
    Pattern(10, "Lateral promotion", "bin/promote FROM TO --lateral", _lateral),
    Pattern(11, "Revision management", "bin/cub unit update UNIT --patch --restore 1 --space SPACE", _revisions),
    Pattern(12, "Link management", "bin/cub link list --space $(bin/proj)-dev", _links),
)
"""The checklist, in its order."""
