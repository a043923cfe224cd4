"""What a command works with: the project, the hub that it uses, and the processes beside it.

The hub is the one that CONFIGHUB_URL names, in the name of whoever logged in with ``bin/cub``; without
that variable it is the project's own, which is started when it does not run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from confighub.client.hub import HubClient
from confighub.client.session import connect
from confighub.client.settings import ClientSettings
from confighub.errors import ConfigHubError, NotFound
from traderx.clusters import Cluster, keep_cluster, kubeconfig_of
from traderx.project import Project, find_project
from traderx.stack import Stack, worker_process
from traderx.wording import counted
from traderx.workers import (
    await_cluster_target,
    count_pointed,
    ensure_laptop_target,
    ensure_worker,
    is_on_cluster,
    point_units,
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """One project with its hub. ``is_own`` tells whether the hub is the project's own process."""

    project: Project
    hub: HubClient
    stack: Stack
    is_own: bool
    say: Say

    def space_id(self, environment: str) -> str:
        """Return the id of the project's space for an environment; raises NotFound with what makes it."""
        space = self.project.space(environment)
        try:
            return self.hub.space_id(space)
        except NotFound as error:
            raise NotFound(f"no such space: {space}", hint="make the environments: bin/install-envs") from error

    def wake_worker(self, environment: str) -> None:
        """Return once the environment's own worker runs; one that was never set up here is left to others."""
        process = self.stack.processes.known().get(worker_process(environment))
        if process is None:
            return
        if "--runtime" in process.command:
            self.stack.ensure_runtime()
        arguments = process.command[process.command.index("--space") + 2 :]
        self.stack.ensure_worker(self.hub, environment, arguments)

    def revive(self, environment: str) -> None:
        """Start again whatever died of the processes that the environment needs."""
        self.stack.revive(environment, with_hub=self.is_own)

    def set_up_laptop(self, environment: str) -> None:
        """Make worker and target for this machine and point the environment's units at it; nothing is started.

        The worker then reaches no cluster any more, so what it knew of clusters is forgotten, and a process that
        works on them is ended.
        """
        name = worker_process(environment)
        process = self.stack.processes.known().get(name)
        if process is not None and "--kubeconfig" in process.command:
            # first, or it would be woken again and find its file gone
            self.stack.processes.stop_all([name])
            self.stack.processes.forget(name)
        kubeconfig_of(self.project, environment).unlink(missing_ok=True)
        worker = ensure_worker(self.hub, self.project, environment, self.say)
        target = ensure_laptop_target(self.hub, self.project, environment, worker, self.say)
        point_units(self.hub, self.project, environment, target, self.say)

    def is_on_cluster(self, environment: str) -> bool:
        """Tell whether the environment lives on a cluster and not on this machine."""
        return is_on_cluster(self.hub, self.project, environment)

    def set_up_cluster(self, environment: str, cluster: Cluster, *, timeout_s: float) -> str:
        """Make the environment's worker, run it, and point the units at its target; return the target's slug.

        Every step is waited for, and the last one counted. Other clusters of the environment stay reachable by the
        same worker. Raises: RetryLater when worker or target are late; ConfigHubError when units point elsewhere.
        """
        worker = ensure_worker(self.hub, self.project, environment, self.say)
        if keep_cluster(self.project, environment, cluster):
            # it reads the file when it starts
            self.stack.processes.stop_all([worker_process(environment)])
        arguments = ["--provider", "kubernetes", "--kubeconfig", str(kubeconfig_of(self.project, environment))]
        self.stack.ensure_worker(self.hub, environment, arguments)
        self.say(f"worker {worker['Slug']}: ready")
        target = await_cluster_target(self.hub, self.project, environment, worker, cluster.context, timeout_s=timeout_s)
        self.say(f"target {target['Slug']}: registered")
        point_units(self.hub, self.project, environment, target["TargetID"], self.say)
        pointed, units = count_pointed(self.hub, self.project, environment, target["TargetID"])
        if pointed < units:
            raise ConfigHubError(
                f"{units - pointed} of {units} units of {environment} do not point at {target['Slug']}",
                hint="somebody changes them meanwhile; run it again",
            )
        self.say(f"{counted(units, 'unit')} of {environment} point at {target['Slug']}")
        return str(target["Slug"])

    def begin_laptop(self, environment: str) -> None:
        """Start the runtime and the environment's worker, unless they run; nothing is waited for."""
        self.stack.start_runtime()
        self.stack.start_worker(self.hub, environment, self._laptop_arguments())

    def ensure_laptop(self, environment: str) -> None:
        """Return once the runtime is ready and the environment's worker connected; start what does not run."""
        self.stack.ensure_runtime()
        self.stack.ensure_worker(self.hub, environment, self._laptop_arguments())

    def _laptop_arguments(self) -> list[str]:
        folder, catalogue = self.project.runtime_folder, self.project.catalogue_file
        return ["--provider", "laptop", "--runtime", str(folder), "--catalogue", str(catalogue)]


def open_site(data: str | None, say: Say) -> Site:
    """Return the site of this project, with its hub ready to be asked."""
    project = find_project(data)
    stack = Stack(project, say)
    url = os.environ.get("CONFIGHUB_URL", "")
    if not url:
        return Site(project, stack.client(), stack, True, say)
    hub = connect(ClientSettings(url=url, config_dir=project.login_folder))
    hub.me()
    return Site(project, hub, stack, False, say)
