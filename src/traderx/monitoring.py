"""What a Prometheus must be told to watch this machine: one job, the runtime, with all environments."""

from __future__ import annotations

from urllib.parse import urlsplit

from confighub.errors import NotFound
from traderx.project import Project, read_json

JOB = "confighub-runtime"


def configuration(project: Project, *, scrape_s: float) -> str:
    """Return the configuration; the runtime keeps its port, so it stays true when the runtime is started again.

    Raises: NotFound while no runtime runs.
    """
    url = str(read_json(project.runtime_folder / "runtime.json").get("url") or "")
    if not url:
        raise NotFound("no runtime runs here, so there is nothing to watch", hint="bin/up starts it")
    every = f"{scrape_s:g}s" if scrape_s == int(scrape_s) else f"{int(scrape_s * 1000)}ms"
    return (
        f"# the laptop runtime of {project.data}\n"
        f"global: {{scrape_interval: {every}, evaluation_interval: {every}}}\n"
        "scrape_configs:\n"
        f"- job_name: {JOB}\n"
        f"  scrape_timeout: {every if scrape_s < 10 else '10s'}\n"
        "  metrics_path: /metrics\n"
        "  static_configs:\n"
        f'  - targets: ["{urlsplit(url).netloc}"]\n'
    )
