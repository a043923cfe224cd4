"""Commands that make spaces, units, workers and secrets; each may be run again."""

from __future__ import annotations

import click

from confighub.errors import BadRequest
from traderx import topology
from traderx.commands.parameters import Environment, data_option, explain_option, timeout_option
from traderx.commands.printing import saying


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
    help="Also clone this addon: postgresql, cache or ingress-load-balancer, for clusters.",
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
    environments.refuse_unknown(wanted)
    if explain:
        for line in environments.explain_envs(find_project(data).name(), wanted):
            say(line)
        return
    site = open_site(data, say)
    environments.install_envs(site.hub, site.project, say, wanted=wanted)
    say(f"dev, staging and prod of {site.project.name()} are complete; next: bin/setup-worker dev")


@click.command(name="setup-worker")
@click.argument("environment", type=Environment())
@click.option("--kubeconfig", metavar="FILE", help="Work on a Kubernetes cluster that this file names.")
@click.option("--context", metavar="NAME", help="The context in the kubeconfig; its current one unless named.")
@timeout_option(30.0, what="How long its target may take.")
@explain_option
@data_option
def setup_worker(
    environment: str, kubeconfig: str | None, context: str | None, timeout: float, explain: bool, data: str | None
) -> None:
    """Make and run the worker of an environment.

    Makes the worker, runs it in the background, waits until it is ready and its target registered, points every unit
    at the target and counts them. Without --kubeconfig the target is this machine: units become processes. Run again
    with another context, the same worker reaches both; bin/apply-all ENV --cluster NAME goes back and forth.

    Example: bin/setup-worker staging
    """
    from traderx.clusters import read_cluster
    from traderx.site import open_site

    say = saying(as_json=False)
    if context and not kubeconfig:
        raise BadRequest("--context says nothing without --kubeconfig", hint="name the file too")
    cluster = read_cluster(kubeconfig, context) if kubeconfig else None
    if explain:
        where = f"cluster {cluster.context}" if cluster else "this machine"
        say(f"worker for {environment} on {where}; target {cluster.context if cluster else 'laptop'}")
        say("every unit of the environment is pointed at that target; the worker runs in the background")
        return
    site = open_site(data, say)
    site.space_id(environment)
    if cluster:
        site.set_up_cluster(environment, cluster, timeout_s=timeout)
    else:
        site.set_up_laptop(environment)
        site.ensure_laptop(environment)
    say(f"the worker of {environment} is connected; next: bin/ordered-apply {environment}")


@click.group()
def secrets() -> None:
    """Make what must never be in the hub."""


@secrets.command()
@click.argument("environment", type=Environment())
@click.option("--database-url", metavar="URL", help="The database that the cluster has already; alone: only print.")
@click.option("--kubeconfig", metavar="FILE", help="Make the Secret on this cluster.")
@click.option("--context", metavar="NAME", help="The context in the kubeconfig; its current one unless named.")
@data_option
def create(
    environment: str, database_url: str | None, kubeconfig: str | None, context: str | None, data: str | None
) -> None:
    """Make the database secret of an environment.

    For an environment on a cluster it becomes a Secret there, sent straight to the API server: the hub never sees it.
    Else it becomes a file for this machine. With --database-url and no cluster, a Secret object is printed, to be
    piped to one.

    Example: bin/traderx secrets create prod --kubeconfig prod.yaml
    """
    from traderx.clusters import ClusterApi, clusters_of, read_cluster
    from traderx.project import find_project
    from traderx.secrets import DATABASE_SECRET, ensure_secrets, make_on_cluster, manifest, path_of

    if context and not kubeconfig:
        raise BadRequest("--context says nothing without --kubeconfig", hint="name the file too")
    project = find_project(data)
    clusters = [read_cluster(kubeconfig, context)] if kubeconfig else clusters_of(project, environment)
    for cluster in clusters:
        made = make_on_cluster(ClusterApi(cluster), environment, database_url or "")
        where = f"{topology.namespace(environment)} on {cluster.context}"
        print(f"secret {DATABASE_SECRET} in {where}: {'made' if made else 'there already'}")
        if made and not database_url:
            print("  it is for the addon postgresql: bin/install-envs --with postgresql")
    if clusters:
        return
    if database_url:
        print(manifest(database_url, namespace=topology.namespace(environment)), end="")
        return
    made_here = ensure_secrets(project, environment)
    print(f"{path_of(project, environment)}: {'made' if made_here else 'there already'}")
