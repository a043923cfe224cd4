"""Commands that make spaces, units, workers and secrets; each may be run again."""

from __future__ import annotations

import click

from confighub.errors import BadRequest
from traderx import topology
from traderx.commands.lazy import data_option, explain_option, saying


@click.command(name="install-base")
@click.option("--update", is_flag=True, help="Also bring units up to date whose files have changed since.")
@explain_option
@data_option
def install_base(update: bool, explain: bool, data: str | None) -> None:
    """Make the base and filters spaces.

    The base holds 17 units and the addons, the other 7 filters and 2 sets.
    Takes a fresh name for the project, kept in .cub-project, unless there is one.

    Example: bin/install-base --explain
    """
    from traderx import install
    from traderx.project import find_project
    from traderx.site import open_site

    say = saying(as_json=False)
    if explain:
        for line in install.explain_base(find_project(data)):
            say(line)
        return
    site = open_site(data, say)
    name = install.install_base(site.hub, site.project, say, update=update)
    say(f"{name}-base and {name}-filters are complete; next: bin/install-envs")


@click.command(name="install-envs")
@click.option(
    "--with",
    "wanted",
    multiple=True,
    metavar="ADDON",
    help="Also clone this addon: postgresql or ingress-load-balancer, for clusters.",
)
@explain_option
@data_option
def install_envs(wanted: tuple[str, ...], explain: bool, data: str | None) -> None:
    """Make dev, staging and prod.

    Each is cloned from the stage before and made different by function calls, which its history shows.

    Example: bin/install-envs
    """
    from traderx import environments
    from traderx.project import find_project
    from traderx.site import open_site

    say = saying(as_json=False)
    if explain:
        for line in environments.explain_envs(find_project(data).name(), wanted):
            say(line)
        return
    site = open_site(data, say)
    environments.install_envs(site.hub, site.project, say, wanted=wanted)
    say(f"dev, staging and prod of {site.project.name()} are complete; next: bin/setup-worker dev")


@click.command(name="setup-worker")
@click.argument("environment")
@click.option("--kubeconfig", metavar="FILE", help="Work on this Kubernetes cluster (not yet: only --explain does).")
@click.option("--context", metavar="NAME", help="The context in the kubeconfig; its current one unless named.")
@explain_option
@data_option
def setup_worker(
    environment: str, kubeconfig: str | None, context: str | None, explain: bool, data: str | None
) -> None:
    """Make and run the worker of an environment.

    Makes worker and target, points the units at it, and runs the worker in the background. Without --kubeconfig
    the target is this machine: units become processes.

    Example: bin/setup-worker staging
    """
    from traderx.site import open_site
    from traderx.workers import read_cluster

    say = saying(as_json=False)
    if context and not kubeconfig:
        raise BadRequest("--context says nothing without --kubeconfig", hint="name the file too")
    cluster = read_cluster(kubeconfig, context) if kubeconfig else None
    if explain:
        where = f"cluster {cluster.context}" if cluster else "this machine"
        say(f"worker for {environment} on {where}; target {cluster.context if cluster else 'laptop'}")
        say("every unit of the environment is pointed at that target; the worker runs in the background")
        return
    if cluster:
        # Better now than a target whose worker cannot start.
        raise BadRequest(
            f"our worker cannot apply to a cluster yet, so nothing was made for context {cluster.context}",
            hint="leave --kubeconfig out to run the environment on this machine, or connect the public cub-worker",
        )
    site = open_site(data, say)
    site.space_id(environment)
    site.set_up_laptop(environment)
    site.ensure_laptop(environment)
    say(f"the worker of {environment} is connected; next: bin/ordered-apply {environment}")


@click.group()
def secrets() -> None:
    """Make what must never be in the hub."""


@secrets.command()
@click.argument("environment")
@click.option(
    "--database-url", metavar="URL", help="Print a Secret object for this database instead, to be piped to a cluster."
)
@data_option
def create(environment: str, database_url: str | None, data: str | None) -> None:
    """Make the database secret of an environment.

    It becomes a file for this machine, or with --database-url a Secret object on standard output.

    Example: bin/traderx secrets create prod --database-url postgresql+psycopg://db/traderx
    """
    from traderx.project import find_project
    from traderx.secrets import ensure_secrets, manifest, path_of

    if database_url:
        print(manifest(database_url, namespace=topology.namespace(environment)), end="")
        return
    project = find_project(data)
    made = ensure_secrets(project, environment)
    print(f"{path_of(project, environment)}: {'made' if made else 'there already'}")
