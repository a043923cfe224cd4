"""Commands that look whether an environment is well, and write down what happened when it was not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from confighub.errors import BadRequest, NotFound
from traderx.commands.parameters import Environment, data_option, result_options, timeout_option
from traderx.commands.printing import saying

if TYPE_CHECKING:
    from traderx.checking import Finding


@click.command(name="check-health")
@click.argument("environment", default="prod", type=Environment())
@result_options
def check_health(environment: str, as_json: bool, data: str | None) -> int:
    """Check an environment.

    Units, worker, drift, every service and the ingress are looked at; the exit status is 1 when anything is not well.

    Example: monitor/check-health.sh prod
    """
    from traderx import checking
    from traderx.site import open_site

    return _concluded(checking.check_health(open_site(data, saying(as_json=True)), environment), as_json)


@click.command(name="verify-data")
@click.argument("environment", default="prod", type=Environment())
@result_options
def verify_data(environment: str, as_json: bool, data: str | None) -> int:
    """Check that the books balance.

    Each trade is there once and settled, each position is the sum of its trades, and accounts and securities exist.
    The exit status is 1 when anything is not so.

    Example: test/verify-data-integrity.sh prod
    """
    from traderx import checking
    from traderx.site import open_site

    return _concluded(checking.verify_data(open_site(data, saying(as_json=True)), environment), as_json)


@click.command(name="check-connectivity")
@click.argument("environment", default="prod", type=Environment())
@click.option("--kubeconfig", metavar="FILE", help="The cluster, where another machine set the environment up.")
@click.option("--context", metavar="NAME", help="The context in the kubeconfig; its current one unless named.")
@click.option("--enforced", is_flag=True, help="Test although the network plugin is not known to enforce policies.")
@timeout_option(60.0, what="How long pods may take.")
@result_options
def check_connectivity(
    environment: str,
    kubeconfig: str | None,
    context: str | None,
    enforced: bool,
    timeout: float,
    as_json: bool,
    data: str | None,
) -> int:
    """Test who reaches whom.

    Pods ask: one of TraderX must get an answer from reference-data, a stranger none from trade-service. Where no pods
    run, or nothing enforces network policies, both are skipped and the reason is told. The exit status is 1 when a
    test failed.

    Example: test/check-connectivity.sh prod
    """
    from traderx import connectivity, topology
    from traderx.clusters import ClusterApi, clusters_of, read_cluster
    from traderx.project import find_project
    from traderx.site import open_site

    if context and not kubeconfig:
        raise BadRequest("--context says nothing without --kubeconfig", hint="name the file too")
    clusters = [read_cluster(kubeconfig, context)] if kubeconfig else clusters_of(find_project(data), environment)
    if clusters:
        place = topology.namespace(environment)
        found = connectivity.check_connectivity(ClusterApi(clusters[0]), place, timeout_s=timeout, is_certain=enforced)
    elif open_site(data, saying(as_json=True)).is_on_cluster(environment):
        raise NotFound(f"this machine has no way to the cluster of {environment}", hint="name it: --kubeconfig FILE")
    else:
        found = connectivity.skipped("the runtime of this machine does not enforce policies")
    failed = sum(one.state == "failed" for one in found)
    if as_json:
        print(json.dumps({"ok": not failed, "tests": [one.as_json() for one in found]}, indent=2))
    else:
        for one in found:
            print(f"{one.state}: {one.test}: {one.evidence}")
    return 1 if failed else 0


@click.command()
@click.argument("environment", default="prod", type=Environment())
@click.option("--since", default="", metavar="MOMENT", help="Where it begins; an hour ago unless given.")
@click.option(
    "--folder", default="incidents", show_default=True, type=click.Path(path_type=Path), help="Where the file goes."
)
@data_option
def postmortem(environment: str, since: str, folder: Path, data: str | None) -> None:
    """Begin a postmortem.

    It holds what the hub recorded, and how the environment is now; what only people know is left open.

    Example: incidents/create-postmortem.sh prod --since 2026-10-03T10:15:00Z
    """
    from confighub.operations.moments import moment_of
    from traderx import checking
    from traderx import postmortem as writing
    from traderx.site import open_site

    if since:
        # refuses what is no moment, before anything is started
        moment_of(since)
    site = open_site(data, saying(as_json=False))
    found = checking.check_health(site, environment)
    print(writing.create(site, environment, since=since, folder=folder, found=found))


def _concluded(found: list[Finding], as_json: bool) -> int:
    """Print what was found and return the exit status."""
    from traderx.checking import lines

    bad = sum(not one.is_well for one in found)
    if as_json:
        print(json.dumps({"ok": not bad, "checks": [one.as_json() for one in found]}, indent=2))
    else:
        for line in lines(found):
            print(line)
        print(f"{len(found)} checks, {bad} failed" if bad else f"all {len(found)} checks are well")
    return 1 if bad else 0
