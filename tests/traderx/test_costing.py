"""The doors of the cost optimizer: what they refuse, and what the project costs as it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from confighub.errors import NotFound
from confighub.operations.cost.prices import load_prices
from confighub.operations.cost.spaces import read_spaces
from confighub.operations.drift.watched import find_watched
from tests.traderx.conftest import Installed
from traderx.cli import main
from traderx.monitoring import JOB, configuration
from traderx.project import find_project


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--window", "soon"], 2, "soon is no time"),
        (["--window", "0s"], 2, "0s is not between a second and a year"),
        (["--window", "1h", "--at-least", "2h"], 1, "--at-least is more than --window"),
        (["--once", "--interval", "5m"], 1, "two ways to look"),
        (["--region", "mars"], 1, "no price is known for mars (there is aws us-east-1, gcp us-central1"),
        (["--prometheus", "localhost:9090"], 1, "not the address of a Prometheus"),
        (["--prometheus", "http://[", "--window", "1h30m", "--at-least", "60"], 1, "not the address of a Prometheus"),
        (["--slack", "http://h:x/secret"], 1, "alerts go to an http or https address, not to http://h"),
        (["--prometheus", "http://here", "--metrics-server", "x"], 1, "are two places to read usage"),
        (["--metrics-server", "x"], 1, "metrics-server keeps no history"),
        (["--prices", "/none.yaml"], 1, "the prices cannot be read: /none.yaml"),
        (["--with-claude"], 1, "nobody can be asked to explain"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    words: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ANTHROPIC_API_KEY", "CLAUDE_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    assert main(["cost-optimizer", "--space", "dev", "--data", str(tmp_path), *words]) == status

    shown = capsys.readouterr().err
    assert said in shown
    assert len(shown.splitlines()) == 1


@pytest.mark.requirement("R-205")
def test_the_data_services_are_priced_in_all_spaces_by_their_own_sizes(installed: Installed) -> None:
    names = [installed.project.space(stage) for stage in ("dev", "prod")]
    watched = find_watched(installed.hub, names, sets=["data-services"], filters=())

    dev, prod = read_spaces(installed.hub, watched, load_prices())

    services = ("reference-data", "people-service", "account-service")
    assert sorted(unit.slug for unit in dev.units) == sorted(f"{name}-deployment" for name in services)
    # dev: 3 x (0.1 vCPU x 0.04048 + 0.125 GiB x 0.004445) x 730 hours
    assert str(dev.head_cost) == "10.08"
    assert str(prod.head_cost) == "57.39"
    assert str(dev.live_cost) == "0.00"


def test_a_prometheus_is_told_of_the_runtime_by_its_port(tmp_path: Path) -> None:
    project = find_project(str(tmp_path), environ={})
    project.runtime_folder.mkdir(parents=True)
    (project.runtime_folder / "runtime.json").write_text('{"url": "http://127.0.0.1:4711", "token": "x", "pid": 1}')

    told = yaml.safe_load(configuration(project, scrape_s=0.5))

    assert told["global"]["scrape_interval"] == "500ms"
    (job,) = told["scrape_configs"]
    assert (job["job_name"], job["static_configs"]) == (JOB, [{"targets": ["127.0.0.1:4711"]}])
    assert "token" not in configuration(project, scrape_s=15)


def test_without_a_runtime_there_is_nothing_to_watch(tmp_path: Path) -> None:

    with pytest.raises(NotFound, match="bin/up starts it"):
        configuration(find_project(str(tmp_path), environ={}), scrape_s=15)
