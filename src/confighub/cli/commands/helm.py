"""``cub helm``: a chart rendered into units. The rendering is Helm's own, so ``helm`` must be on PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
from base64 import b64encode
from typing import TYPE_CHECKING

from confighub.cli.applying import tell_what_is_next
from confighub.cli.command import Group, argument, command, flag, option, options, space_option
from confighub.cli.record_input import DRY_RUN
from confighub.cli.waiting import WAITING
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

_PLACEHOLDER = "confighubplaceholder"
_DOCUMENT = re.compile(r"^---[ \t]*(?:#.*)?$", re.MULTILINE)
_DEFINITION = re.compile(r"^kind: CustomResourceDefinition\s*$", re.MULTILINE)

_CHART = (
    argument("release"),
    argument("chart"),
    space_option(),
    option("namespace", "The namespace that the chart is rendered for.", metavar="NAMESPACE", default="default"),
    flag("use-placeholder", "Leave the namespace to be chosen later.", on=True),
    option("repo", "Where the chart is, as a URL.", metavar="URL"),
    option("version", "The version of the chart.", metavar="VERSION"),
    options("set", "A value of the chart, as KEY=VALUE.", metavar="VALUE"),
    options("values", "A file of values.", metavar="FILE", short="f"),
    flag("skip-crds", "Leave custom resource definitions out."),
    flag("quiet", "Say nothing."),
    DRY_RUN,
    *WAITING,
)


@command(
    *_CHART,
    flag("clone", "Accepted for the public client's sake; the units are the ones to change.", on=True, hidden=True),
    example="cub helm install nginx ingress-nginx/ingress-nginx --space my-infra --version 4.11.3",
)
def install(call: Call) -> None:
    """Render a chart into a unit named after the release; its custom resource definitions get a unit of their own."""
    for slug, text in _units(call):
        record = {"Slug": slug, "Data": b64encode(text.encode()).decode(), "ToolchainType": "Kubernetes/YAML"}
        made = call.hub.units.create({**record, "LastChangeDescription": _why(call)}, space_id=call.space_id)
        _say(call, "created", made)


@command(
    *_CHART,
    flag("update-crds", "Bring the custom resource definitions up to date too."),
    example="cub helm upgrade nginx ingress-nginx/ingress-nginx --space my-infra --version 4.12.0",
)
def upgrade(call: Call) -> None:
    """Render a chart anew into the units of a release."""
    changed: list[Wire] = []
    for slug, text in _units(call):
        if slug.endswith("-crds") and not call.yes("update-crds"):
            continue
        unit = call.hub.unit(slug, space_id=call.space_id)["Unit"]
        patch = {"Data": b64encode(text.encode()).decode(), "LastChangeDescription": _why(call)}
        changed.append(call.hub.units.patch(unit["UnitID"], patch, space_id=call.space_id))
        _say(call, "updated", unit)
    if not call.is_dry_run and not call.yes("quiet"):
        tell_what_is_next(call, changed)


def _units(call: Call) -> list[tuple[str, str]]:
    """Return slug and text of each unit that the chart makes, definitions first."""
    documents = [one.strip("\n") + "\n" for one in _DOCUMENT.split(_rendered(call)) if one.strip()]
    definitions = [one for one in documents if _DEFINITION.search(one)]
    others = [one for one in documents if one not in definitions]
    found = [(f"{call.arg('release')}-crds", definitions), (call.arg("release"), others)]
    return [(slug, "---\n".join(several)) for slug, several in found if several]


def _rendered(call: Call) -> str:
    """Return what ``helm template`` prints. Raises: NotFound without helm; BadRequest with its complaint."""
    helm = shutil.which("helm")
    if helm is None:
        raise NotFound(
            "helm is not on PATH, and charts are rendered by it", hint="see https://helm.sh/docs/intro/install"
        )
    namespace = _PLACEHOLDER if call.yes("use-placeholder") else call.text("namespace")
    line = [helm, "template", call.arg("release"), call.arg("chart"), "--namespace", namespace]
    line.append("--skip-crds" if call.yes("skip-crds") else "--include-crds")
    line += [f"--{name}={call.text(name)}" for name in ("repo", "version") if call.text(name)]
    line += [f"--{name}={value}" for name in ("set", "values") for value in call.many(name)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BadRequest(f"helm could not render {call.arg('chart')}: {done.stderr.strip()}")
    return done.stdout


def _why(call: Call) -> str:
    version = f" {call.text('version')}" if call.text("version") else ""
    return f"chart {call.arg('chart')}{version}"


def _say(call: Call, verb: str, unit: Wire) -> None:
    if call.is_dry_run:
        call.out.say(f"dry run: unit {unit['Slug']} would be {verb}; nothing is stored")
    elif not call.yes("quiet"):
        call.out.say(f"Successfully {verb} unit {unit['Slug']} ({unit['UnitID']})")


GROUP = Group(
    "Charts rendered into units; needs helm on PATH.",
    {"install": install, "upgrade": upgrade},
    options=[space_option()],
)
