"""The process of ``cost-optimizer --apply`` is killed after each change that it makes, and started again each time."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from confighub.client.session import Context, Home, Session
from confighub.operations import deploy, proposals
from confighub.operations.plan import in_order
from tests.api.conftest import hub_process, store_template  # noqa: F401 - fixtures
from tests.api.running import PASSWORD, USER, HubProcess
from tests.killed.severed import EachOnce, line_to, verbs
from tests.operations.cost.sized import PRICES_TEXT, as_written, sized
from tests.operations.playing import PlayedWorker, Stage, make_stage
from tests.operations.serving import Quiet, serving

PROGRAM = (sys.executable, "-c", "from traderx.cli import run; run()", "cost-optimizer")
MIB = 2**20
AWAY = "is not connected (nothing was applied"


def told_by_prometheus(query: dict[str, str]) -> Any:
    """Return what a Prometheus says that has watched both programs for long: 400m and 400 MiB of 1 CPU and 1 GiB."""
    pods = [{"namespace": "shop", "pod": f"{name}-1", "container": name} for name in ("web", "api")]
    text = query["query"]
    if "start" in query:
        value = "0.4" if "cpu_usage" in text else str(400 * MIB)
        start, end, step = (float(query[name]) for name in ("start", "end", "step"))
        moments = [start + number * step for number in range(int((end - start) / step) + 1)]
        return [{"metric": pod, "values": [[at, value] for at in moments]} for pod in pods]
    if "kube_pod_owner" in text:
        owners = [{**pod, "owner_kind": "Deployment", "owner_name": pod["container"]} for pod in pods]
        return [{"metric": one, "value": [0, "1"]} for one in owners]
    if "max_usage_bytes" in text:
        return [{"metric": pod, "value": [0, str(400 * MIB)]} for pod in pods]
    return [{"metric": {}, "value": [0, "1"]}] if text.startswith("quantile") else []


@pytest.fixture
def prometheus_url() -> Iterator[str]:
    """Where usage is read."""

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            query = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
            kind = "matrix" if "start" in query else "vector"
            found = {"status": "success", "data": {"resultType": kind, "result": told_by_prometheus(query)}}
            self.give(json.dumps(found).encode(), kind="application/json")

    with serving(Handler) as url:
        yield url


def bring_up(stage: Stage) -> None:
    units = deploy.read_units(stage.hub, stage.space_id)
    plan = in_order(space=stage.space, space_id=stage.space_id, units=units)
    assert deploy.deploy(stage.hub, plan, deploy.Options(command="x", timeout_s=20.0), print).failure is None


def settled(stage: Stage) -> dict[str, tuple[int, int]]:
    """Return head and live revision of each unit, once the worker has ended what was asked of it."""
    deadline = time.monotonic() + 30
    while True:
        found = stage.hub.units.list(space_id=stage.space_id, include="UnitEventID")
        if all(one["LatestUnitEvent"]["Status"] == "Completed" for one in found):
            return {
                one["Unit"]["Slug"]: (one["Unit"]["HeadRevisionNum"], one["Unit"]["LiveRevisionNum"]) for one in found
            }
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_killed_at_every_step_it_applies_the_advice_once_and_saves_what_was_said(
    hub_process: HubProcess,  # noqa: F811
    prometheus_url: str,
    tmp_path: Path,
) -> None:
    stage = make_stage(hub_process, "shop-dev", environment="dev")
    for order, slug in enumerate(("web", "api"), 1):
        stage.unit(slug, order, text=sized())
    (tmp_path / "prices.yaml").write_text(PRICES_TEXT)
    (tmp_path / ".cub-project").write_text("shop\n")
    home = Home(tmp_path / "cub")
    home.folder.mkdir()
    home.keep_session(Session(username=USER, auth_type="Basic", password=PASSWORD))
    home.keep_context(Context(url=hub_process.url))
    command = [*PROGRAM, "--space", stage.space, "--data", str(tmp_path), "--prices", str(tmp_path / "prices.yaml")]
    look = [*command, "--prometheus", prometheus_url, "--window", "30s", "--at-least", "10s", "--apply", "--json"]
    each = EachOnce()

    with PlayedWorker(stage.worker, as_written) as worker, line_to(hub_process.url) as line:
        bring_up(stage)
        worker.applied.clear()
        environ = {**os.environ, "CONFIGHUB_URL": line.url}
        # on a very busy machine the worker may seem to be away; who is told so starts the operator once more
        while (ended := line.run(look, environ, each)).returncode == -9 or AWAY in ended.stdout:
            settled(stage)
        assert ended.returncode == 0, ended.stdout
        history = line.run([*command, "--history", "--json"], environ)

        assert settled(stage) == {"web": (2, 2), "api": (2, 2)}
        assert Counter(worker.applied) == {("web", 2): 1, ("api", 2): 1}

    assert verbs(each.steps)[:7] == ["filter", "change_set", "hold", "invoke", "invoke", "tag", "tag"]
    # then its end is noted at the change set, and both units are applied one after the other
    assert each.steps[7].startswith("PATCH /api/space/")
    assert verbs(each.steps)[8:] == ["apply", "apply"]
    answer = json.loads(ended.stdout)
    assert (answer["advice"], answer["changeSets"]) == ([], [])
    (row,) = json.loads(history.stdout)
    assert row["made"]
    saved = Decimal(row["liveBeforeUsdPerMonth"]) - Decimal(row["liveNowUsdPerMonth"])
    assert str(saved) == row["predictedSavingUsdPerMonth"]
    (made,) = proposals.find(stage.hub, space=stage.space, space_id=stage.space_id)
    assert not proposals.is_begun(stage.hub, made)
