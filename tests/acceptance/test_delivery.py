"""A new version from its build to dev: by our own command, and by the steps of the workflow as a runner takes them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.system import PROJECT, System, call
from tests.operations.test_image_folder import archive

pytestmark = pytest.mark.acceptance

SERVICE = "people-service"
UNIT = f"{SERVICE}-deployment"


@pytest.mark.requirement("R-265", "R-266", "R-267")
def test_a_service_is_delivered_to_dev_once(rolled: System, tmp_path: Path) -> None:
    built = archive(tmp_path, "v1.3.0", b"base", b"people", name=f"docker.io/finos/traderx-{SERVICE}:v1.3.0")
    words = (SERVICE, "v1.3.0", "--archive", str(built), "--registry", str(tmp_path / "registry"), "--json")

    done = json.loads(rolled.must("deliver", *words).out)

    unit = rolled.unit(UNIT)
    assert (done["ok"], done["revision"], done["next"]) == (True, unit["LiveRevisionNum"], "bin/promote dev staging")
    assert call(f"{rolled.status()['services'][SERVICE]}/health")["version"] == "v1.3.0"
    layout = tmp_path / "registry" / "finos" / f"traderx-{SERVICE}"
    (named,) = json.loads((layout / "index.json").read_text())["manifests"]
    assert named["digest"] == done["digest"]
    again = json.loads(rolled.must("deliver", *words).out)
    assert (again["revision"], again["digest"]) == (done["revision"], done["digest"])


@pytest.mark.requirement("R-267")
def test_the_steps_of_the_workflow_bring_a_tag_to_dev(rolled: System, tmp_path: Path) -> None:
    job = yaml.safe_load((PROJECT / ".github" / "workflows" / "deliver.yml").read_text())["jobs"]["dev"]
    runner = Runner(rolled, tmp_path)

    for step in job["steps"]:
        runner.take(step)

    assert runner.built == [f"build --tag finos/traderx-{SERVICE}:v1.1.0", "login", "push"]
    unit = rolled.unit(UNIT)
    assert unit["LiveRevisionNum"] == unit["HeadRevisionNum"]
    assert call(f"{rolled.status()['services'][SERVICE]}/health")["version"] == "v1.1.0"


RECORDER = """\
#!/bin/sh
[ "$1" = version ] && exit
echo "$@" >>"$RECORDED"
# a password on standard input is read, or its writer would be ended
[ "$1" != login ] || cat >/dev/null
"""


class Runner:
    """Takes the steps of a job as GitHub's runner would: a checkout, expressions filled in, a shell for each script."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system, self.folder = system, folder / "checkout"
        self.folder.mkdir()
        for one in PROJECT.iterdir():
            if one.name not in (".git", ".cub-project", ".traderx"):
                (self.folder / one.name).symlink_to(one)
        tools = folder / "tools"
        tools.mkdir()
        (tools / "buildah").write_text(RECORDER)
        (tools / "buildah").chmod(0o755)
        self.output, self.recorded = folder / "output", folder / "recorded"
        self.environment = {
            **system.environment(),
            "PATH": f"{tools}:{os.environ['PATH']}",
            "RECORDED": str(self.recorded),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_REF_NAME": f"{SERVICE}/v1.1.0",
            "CONFIGHUB_URL": system.status()["hub"],
            "CONFIGHUB_HOME": str(folder / "login"),
            "PROJECT": system.project,
        }
        self.token = system.must(
            "confighub", "token", "create", "admin", "--data", str(system.data / "hub")
        ).out.strip()

    @property
    def built(self) -> list[str]:
        """What the builder was asked for, shortened to what counts."""
        lines = self.recorded.read_text().splitlines()
        return [
            f"build --tag {line.split('--tag ')[1].split()[0].removeprefix('registry.example.com/')}"
            if line.startswith("build")
            else line.split()[0]
            for line in lines
        ]

    def take(self, step: dict[str, Any]) -> None:
        """Run one step; those of actions, and those for people to be told, are not for here."""
        if "run" not in step or "if" in step:
            return
        own = {name: self._filled(str(value)) for name, value in (step.get("env") or {}).items()}
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={**self.environment, **own},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"

    def _filled(self, value: str) -> str:
        outputs = (
            dict(line.split("=", 1) for line in self.output.read_text().splitlines()) if self.output.exists() else {}
        )
        known = {
            "inputs.service": "",
            "inputs.tag": "",
            "vars.REGISTRY": "registry.example.com",
            "secrets.REGISTRY_USERNAME": "robot",
            "secrets.REGISTRY_PASSWORD": "x",
            "secrets.CONFIGHUB_TOKEN": self.token,
            **{f"steps.names.outputs.{name}": text for name, text in outputs.items()},
        }
        for name, text in known.items():
            value = value.replace("${{ " + name + " }}", text)
        assert "${{" not in value, value
        return value
