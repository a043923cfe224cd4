"""From sources to a running service, as a pipeline does it: build, push, tell the hub, see it run in dev (seed 8.2).

A folder stands in the registry's place, and the laptop's catalogue learns the tag, so that its runtime can run it.
Each step that was done is not done again, so a delivery that was interrupted is simply started again. Only dev is
changed; from there promotion carries the image on.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from confighub.client.collection import quoted
from confighub.client.transport import Wire
from confighub.errors import BadRequest, ConfigHubError, NotFound
from confighub.operations import deploy, image_folder, promote
from confighub.operations.deploy import Outcome
from confighub.operations.plan import Plan, Stage
from confighub.operations.rollout.subject import containers_of
from traderx import topology
from traderx.project import read_json, replace_file
from traderx.site import Site
from traderx.workers import write_catalogue

FIRST = "dev"
_BUILD_TIMEOUT_S = 900.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What is delivered where. ``archive`` is built beforehand; without one it is built. ``timeout_s`` is for dev."""

    service: str
    tag: str
    registry: Path
    archive: Path | None = None
    timeout_s: float = deploy.UNIT_TIMEOUT_S

    @property
    def repository(self) -> str:
        """The image's name without its tag."""
        return f"{topology.IMAGE_PREFIX}{self.service}"


@dataclass
class Delivery:
    """What became of a delivery; ``steps`` are those that ended, with their seconds."""

    wanted: Wanted
    unit: str
    digest: str = ""
    revision: int = 0
    before: int = 0
    failure: str = ""
    steps: list[tuple[str, float]] = field(default_factory=list)

    def as_json(self) -> Wire:
        """Return it for programs."""
        return {
            "service": self.wanted.service,
            "image": f"{self.wanted.repository}:{self.wanted.tag}",
            "digest": self.digest,
            "registry": str(self.wanted.registry),
            "unit": self.unit,
            "revision": self.revision,
            "ok": not self.failure,
            "reason": self.failure or None,
            "steps": [{"step": name, "seconds": round(seconds, 2)} for name, seconds in self.steps],
            "next": self.next(),
        }

    def next(self) -> str:
        """Return what a person types next."""
        if self.failure:
            return f"bin/rollback {FIRST} --unit {self.unit} --to {self.before}" if self.before else ""
        return f"bin/promote {FIRST} staging"


def refuse_unknown(service: str) -> None:
    """Return for one of the services. Raises: NotFound, naming them."""
    known = [one.name for one in topology.SERVICES]
    if service not in known:
        raise NotFound(f"no such service: {service}", hint=f"there is {', '.join(known)}")


def deliver(site: Site, wanted: Wanted, say: Say) -> Delivery:
    """Carry a service under a tag to dev and return what became of it.

    Raises: ConfigHubError when it ends before dev is told of the image; nothing runs otherwise then.
    """
    # of two colours the active one is meant
    unit = site.hub.unit(wanted.service, space_id=site.space_id(FIRST))["Unit"]
    delivery = Delivery(wanted, str(unit["Slug"]), before=int(unit.get("LiveRevisionNum") or 0))
    _step(delivery, "build and push", lambda: _push(site, delivery, say))
    _step(delivery, "tell the catalogue", lambda: _tell_catalogue(site, wanted, say))
    _step(delivery, "set the image", lambda: _set_image(site, wanted, unit, say))
    outcome = _step(delivery, "run it", lambda: _run(site, wanted, delivery.unit, say))
    failed = outcome.failure
    delivery.failure = failed.reason if failed else ""
    delivery.revision = outcome.results[0].revision
    return delivery


def _step(delivery: Delivery, name: str, do: Callable[[], Outcome | None]) -> Outcome:
    began = time.monotonic()
    done = do()
    delivery.steps.append((name, time.monotonic() - began))
    return done or Outcome(FIRST)


def _push(site: Site, delivery: Delivery, say: Say) -> None:
    wanted = delivery.wanted
    name = {"repository": wanted.repository, "tag": wanted.tag}
    if wanted.archive is None and wanted.tag in image_folder.tags(wanted.registry, wanted.repository):
        delivery.digest = image_folder.verify(wanted.registry, **name)
        say(f"{wanted.repository}:{wanted.tag} was pushed before: {delivery.digest}")
        return
    archive = wanted.archive or _build(site, wanted, say)
    try:
        pushed = image_folder.push(archive, into=wanted.registry, **name)
    finally:
        if wanted.archive is None:
            archive.unlink(missing_ok=True)
    delivery.digest = image_folder.verify(wanted.registry, **name)
    size = f"{pushed.size_bytes / 1e6:.0f} MB, {pushed.new_blobs} new blobs"
    say(f"{wanted.repository}:{wanted.tag} is in {wanted.registry}: {delivery.digest} ({size})")


def _build(site: Site, wanted: Wanted, say: Say) -> Path:
    """Return an archive with the image. Raises: ConfigHubError with the builder's last line."""
    archive = site.project.data / f"{wanted.service}-{wanted.tag}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    builder = site.project.root / "deploy" / "build"
    if not builder.is_file():
        raise BadRequest(
            f"there is nothing to build from: {builder} is missing", hint="name an archive: --archive FILE"
        )
    say(f"building {wanted.repository}:{wanted.tag} ...")
    asked = [str(builder), "--archive", str(archive), "--tag", wanted.tag, "--service", wanted.service]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        archive.unlink(missing_ok=True)
        raise ConfigHubError(f"the image was not built within {_BUILD_TIMEOUT_S:g} s") from error
    if done.returncode:
        archive.unlink(missing_ok=True)
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ConfigHubError(f"the image could not be built: {said[-1] if said else 'the builder said nothing'}")
    return archive


def _tell_catalogue(site: Site, wanted: Wanted, say: Say) -> None:
    """Let the laptop's runtime run the tag; a cluster pulls it instead."""
    write_catalogue(site.project)
    file = site.project.catalogue_file
    found = read_json(file)
    for image in found["images"]:
        if image["repository"] == wanted.repository and wanted.tag not in image["tags"]:
            image["tags"].append(wanted.tag)
            replace_file(file, json.dumps(found, indent=2) + "\n")
            say(f"the catalogue of this machine knows {wanted.repository}:{wanted.tag}")


def runs_image(text: str, wanted: Wanted) -> bool:
    """Tell whether the container of a unit's text has exactly this image, from whatever registry."""
    image = str((containers_of(text).get(wanted.service) or {}).get("image") or "")
    full = f"{wanted.repository}:{wanted.tag}"
    return image == full or image.endswith(f"/{full}")


def _set_image(site: Site, wanted: Wanted, unit: Wire, say: Say) -> None:
    if runs_image(site.hub.units.data(unit["UnitID"], space_id=site.space_id(FIRST)), wanted):
        say(f"{unit['Slug']} of {FIRST} has this image already")
        return
    promote.set_image(site.hub, space=site.project.space(FIRST), image=f"{wanted.service}=:{wanted.tag}", say=say)


def _run(site: Site, wanted: Wanted, unit: str, say: Say) -> Outcome:
    """Return once the unit runs at its head; it is applied when its worker does not do that by itself.

    Raises: NotFound when it is no unit that deployments take along.
    """
    space, space_id = site.project.space(FIRST), site.space_id(FIRST)
    units = tuple(deploy.read_units(site.hub, space_id, where=f"Slug = {quoted(unit)}"))
    if not units:
        raise NotFound(f"{space} has no active unit of {wanted.service}: {unit} has the label active=false")
    site.wake_worker(FIRST)
    options = deploy.Options(
        command=f"bin/deliver {wanted.service} {wanted.tag}",
        timeout_s=wanted.timeout_s,
        revive=lambda: site.revive(FIRST),
    )
    return deploy.deploy(site.hub, Plan(space, space_id, (Stage(0, units, name=FIRST),)), options, say)
