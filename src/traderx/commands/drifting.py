"""The drift detector as a program."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from confighub.errors import BadRequest
from traderx.commands.parameters import Seconds, result_options
from traderx.commands.printing import saying
from traderx.commands.watching import alert_options, receivers_of, refuse_no_space, watched_options, watched_units
from traderx.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from confighub.operations.drift.outcome import Handled
    from confighub.operations.drift.risk import Action, Policy, Rule
    from confighub.operations.drift.watched import Watched
    from confighub.operations.explaining import Explainer
    from traderx.site import Site

_EXPLAINED_WITHIN_S = 10.0
"""How long a correction waits for an explanation at most."""
_REMAINS = 3
"""The exit status when drift is left that somebody must decide about."""


@click.command(name="drift-detector")
@watched_options
@click.option("--namespace", metavar="NAME", help="Only objects in this namespace.")
@click.option("--once", is_flag=True, help="Look once instead of watching; ends with 3 when drift is left.")
@click.option(
    "--interval",
    type=Seconds(is_positive=True),
    default=0.5,
    show_default=True,
    metavar="SECONDS",
    help="How often it is looked.",
)
@click.option(
    "--auto-correct",
    type=click.Choice(["low", "off"]),
    default="low",
    show_default=True,
    help="What is corrected without asking: drift of low risk, or none.",
)
@click.option("--policy", "policy_file", metavar="FILE", help="Rules by unit, kind and path; see the example.")
@click.option("--correct", "corrected", multiple=True, metavar="UNIT", help="Correct this unit, whatever the risk.")
@click.option("--accept", "accepted", multiple=True, metavar="UNIT", help="Write what runs into this unit.")
@click.option(
    "--max-corrections",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Stop correcting a unit after so many …",
)
@click.option(
    "--window", type=Seconds(), default=600.0, show_default=True, metavar="SECONDS", help="… within so many seconds."
)
@click.option("--refresh", is_flag=True, help="First have the workers compare; some take drift over by that.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@alert_options
@click.option("--without-claude", is_flag=True, help="By rules alone, also where a key for Claude is set.")
@click.option("--history", metavar="UNIT", help="Only show when this unit was corrected, by whom and why.")
@result_options
def drift_detector(
    spaces: tuple[str, ...],
    sets: str | None,
    filters: tuple[str, ...],
    namespace: str | None,
    once: bool,
    interval: float,
    auto_correct: str,
    policy_file: str | None,
    corrected: tuple[str, ...],
    accepted: tuple[str, ...],
    max_corrections: int,
    window: float,
    refresh: bool,
    dry_run: bool,
    webhooks: tuple[str, ...],
    slacks: tuple[str, ...],
    alertmanagers: tuple[str, ...],
    pagerduty: bool,
    without_claude: bool,
    history: str | None,
    as_json: bool,
    data: str | None,
) -> int:
    """Find what runs otherwise than its unit says, and correct it.

    Replicas and labels (low risk) are corrected by applying the live revision again; everything else is asked about,
    with the commands that decide. Where ANTHROPIC_API_KEY is set, Claude explains; it may raise a risk, and no more.
    A policy is a list of rules, the first that fits counts:
    `[{path: spec.replicas, unit: web-*, action: accept}, {kind: ConfigMap, action: ignore}]`.

    Example: bin/drift-detector --sets critical-services --space prod --once --json
    """
    from confighub.operations.drift.detector import Breaker, Detector, Options
    from confighub.operations.drift.watched import ask_workers
    from traderx.site import open_site

    say = saying(as_json)
    refuse_no_space(spaces)
    if (corrected or accepted) and (len(spaces) != 1 or "*" in spaces):
        raise BadRequest("a decision is about a unit of one space", hint="--space SPACE")
    policy = _policy(policy_file, auto_correct)
    receivers = receivers_of(webhooks, slacks, alertmanagers, has_pagerduty=pagerduty)
    site = open_site(data, say)
    watched = watched_units(site, spaces, sets=sets, filters=filters, namespace=namespace)
    options = Options(
        policy=policy,
        breaker=Breaker(max_corrections, window),
        receivers=receivers,
        is_dry_run=dry_run,
        forced=_forced(site, watched, corrected, accepted),
        explainer=None if without_claude else _explainer(say),
    )
    detector = Detector(site.hub, watched, options, say)
    if history:
        return _show_history(site, detector, watched, history, as_json)
    if refresh:
        ask_workers(site.hub, watched, say, timeout_s=options.timeout_s)
    if once or options.forced:
        return _once(detector, watched, as_json)
    say(f"watching {', '.join(str(space['Slug']) for space in watched.spaces)}; end with Ctrl-C")
    for handled in detector.watch(interval_s=interval):
        if as_json:
            print(json.dumps({"at": datetime.now(UTC).isoformat(), **handled.as_json()}), flush=True)
    return 0


def _once(detector: object, watched: Watched, as_json: bool) -> int:
    from confighub.operations.drift.detector import Detector

    assert isinstance(detector, Detector)
    found = detector.once()
    left = [one for one in found if one.remains]
    if as_json:
        answer = {
            "spaces": [space["Slug"] for space in watched.spaces],
            "units": detector.looked_at,
            "drift": [one.as_json() for one in found],
            "ok": not left,
        }
        print(json.dumps(answer, indent=2))
    else:
        _summary(detector.looked_at, found)
    return _REMAINS if left else 0


def _summary(looked_at: int, found: list[Handled]) -> None:
    left = sum(one.remains for one in found)
    if not found:
        print(f"no drift in {counted(looked_at, 'unit')}")
    else:
        print(f"{counted(len(found), 'unit')} of {looked_at} drifted, {left} still do")


def _policy(file: str | None, auto_correct: str) -> Policy:
    from confighub.operations.drift.risk import Policy, Risk, read_rules

    rules: tuple[Rule, ...] = ()
    if file:
        try:
            rules = read_rules(Path(file).read_text(encoding="utf-8"), name=file)
        except OSError as error:
            raise BadRequest(f"the policy cannot be read: {file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise BadRequest(f"the policy cannot be read: {file}: it is not UTF-8") from error
    return Policy(rules, Risk.LOW if auto_correct == "low" else None)


def _explainer(say: Callable[[str], None]) -> Explainer | None:
    """Return who explains; None without a key. A key that nobody can use is told."""
    from confighub.operations.explaining import explainer_from

    found = explainer_from(timeout_s=_EXPLAINED_WITHIN_S)
    if found.key and found.absent:
        say(f"by rules alone: {found.absent}")
    return None if found.absent else found


def _forced(site: Site, watched: Watched, corrected: tuple[str, ...], accepted: tuple[str, ...]) -> dict[str, Action]:
    """Return what was decided by the slugs of units, which may be named by their services."""
    found: dict[str, Action] = {}
    decided: tuple[tuple[tuple[str, ...], Action], ...] = ((corrected, "correct"), (accepted, "accept"))
    for names, action in decided:
        for name in names:
            unit = site.hub.unit(name, space_id=str(watched.spaces[0]["SpaceID"]))["Unit"]
            found[str(unit["Slug"])] = action
    return found


def _show_history(site: Site, detector: object, watched: Watched, name: str, as_json: bool) -> int:
    from confighub.operations.drift.detector import Detector

    assert isinstance(detector, Detector)
    rows = []
    for space in watched.spaces:
        unit = site.hub.unit(name, space_id=str(space["SpaceID"]))["Unit"]
        rows += [{"space": space["Slug"], **row} for row in detector.corrections(unit)]
    if as_json:
        json.dump(rows, sys.stdout, indent=2)
        print()
    for row in [] if as_json else rows:
        print(f"{row['At']}  {row['space']}  {row['Username']}  {row['Message']}")
    return 0
