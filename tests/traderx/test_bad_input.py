"""What a person may get wrong ends with one line that says so, never with a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from confighub.errors import BadRequest
from traderx import cli
from traderx.clusters import read_cluster
from traderx.commands.drifting import _policy

SECRET = "very-secret-token"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00kind", "it is not UTF-8"),
        (b"contexts: [a]", "contexts is not a list of maps"),
        (b"contexts: 5", "contexts is not a list of maps"),
        (b"users: [{name: me, user: text}]", "users is not a list of maps with name and user"),
        (f"users:\n- token: {SECRET}: [".encode(), "it is not YAML at line 2"),
        (b"\x00", "it is not YAML"),
        (b"- a", "is no kubeconfig"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)

    status = cli.main(["setup-worker", "prod", "--kubeconfig", str(file), "--explain", "--data", str(tmp_path)])

    shown = capsys.readouterr().err
    assert status == 1
    assert said in shown
    assert SECRET not in shown
    assert len(shown.splitlines()) == 1


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"cannot be read: .*: Is a directory"):
        read_cluster(str(tmp_path), None)


def test_a_policy_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy"
    file.write_bytes(b"\xff")

    with pytest.raises(BadRequest, match="it is not UTF-8"):
        _policy(str(file), "low")


@pytest.mark.parametrize(
    "words",
    [
        ["drift-detector", "--space", "dev", "--interval", "-1"],
        ["drift-detector", "--space", "dev", "--interval", "0"],
        ["drift-detector", "--space", "dev", "--interval", "inf"],
        ["drift-detector", "--space", "dev", "--window", "nan"],
        ["drift-detector", "--space", "dev", "--window", "1e300"],
        ["drift-detector", "--space", "dev", "--max-corrections", "-1"],
        ["setup-worker", "dev", "--timeout", "nan"],
        ["ordered-apply", "dev", "--timeout", "-1"],
        ["apply-all", "dev", "--timeout", "nan"],
        ["rollback", "dev", "--to", "1", "--timeout", "inf"],
    ],
)
def test_a_number_that_cannot_be_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--data", str(tmp_path)]) == 2
    assert f"Invalid value for '{words[-2]}'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("")

    status = cli.main(["install-base", "--data", str(file / "below")])

    assert status == 1
    assert capsys.readouterr().err == f"error: {file / 'below' / 'ports.json'}: Not a directory\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["ordered-apply", "prdo"], 2, "there is no environment prdo, there is dev, staging, prod, prod-us-east-1"),
        (["apply-all", "prdo"], 2, "no environment prdo"),
        (["promote", "dev", "prdo"], 2, "no environment prdo, there is base, dev"),
        (["promote", "dev", "--lateral", "a b"], 2, "no environment a b"),
        (["logs", "web-gui", "prdo"], 2, "no environment prdo"),
        (["data", "copy", "prdo", "kept"], 2, "no environment prdo"),
        (["data", "list", "prdo"], 2, "no environment prdo"),
        (["data", "restore", "prdo"], 2, "no environment prdo"),
        (["disaster", "drill", "prdo"], 2, "no environment prdo"),
        (["disaster", "return", "prdo"], 2, "no environment prdo"),
        (["destroy", "base", "--yes"], 2, "no environment base"),
        (["rebuild", "prdo", "--yes"], 2, "no environment prdo"),
        (["regions", "validate", "mars-1"], 2, "there is no region mars-1, there is us-east-1, us-west-2"),
        (["regions", "promote", "--from", "mars-1"], 2, "there is no region mars-1"),
        (["status", "prod-mars-1"], 2, "no environment prod-mars-1"),
        (["posture", "prdo"], 2, "no environment prdo"),
        (["why", "web", "prdo"], 2, "no environment prdo"),
        (["check-health", "prdo"], 2, "no environment prdo"),
        (["verify-data", "prdo"], 2, "no environment prdo"),
        (["check-connectivity", "prdo"], 2, "no environment prdo"),
        (["setup-worker", "prdo"], 2, "no environment prdo"),
        (["secrets", "create", "prdo"], 2, "no environment prdo"),
        (["quarantine", "list", "prdo"], 2, "no environment prdo"),
        (["rollback", "prdo", "--to", "v1"], 2, "no environment prdo"),
        (["rollback", "prod", "--to", "5"], 1, "revision 5 is another state in every unit"),
        (["rewind", "prod", "--to", "2026-99-99"], 1, "not a moment: 2026-99-99"),
        (["postmortem", "prod", "--since", "yesterday"], 1, "yesterday"),
        (["patterns", "run", "9", "13"], 1, "there is no pattern 13"),
        (["install-envs", "--with", "kafka"], 1, "no such addon: kafka"),
        (["deliver", "web-gui", "v1", "--archive", "/none.tar"], 2, "'/none.tar' does not exist"),
        (["canary", "web-gui", "prdo", "--image", ":v1"], 2, "no environment prdo"),
        (["canary", "web-gui", "dev", "--image", ":v1", "--prometheus", "http://a b"], 1, "not the address"),
        (["blue-green", "web-gui", "prdo", "--image", ":v1"], 2, "no environment prdo"),
        (["blue-green", "web-gui", "prdo", "--validate"], 2, "no environment prdo"),
        (["blue-green", "no-service", "dev", "--validate"], 1, "no such service: no-service"),
        (["cost", "diff", "*"], 2, "there is no environment *"),
        (["cost", "budget", "*", "--usd", "60"], 2, "there is no environment *"),
        (["cost-optimizer"], 1, "which space?"),
        (["cost-optimizer", "--space", "dev", "--webhook", "ftp://x"], 1, "alerts go to an http or https address"),
        (["cost-optimizer", "--space", "dev", "--pagerduty"], 1, "needs the routing key"),
        (["drift-detector"], 1, "which space?"),
        (["drift-detector", "--space", "dev", "--policy", "/none.yaml"], 1, "the policy cannot be read: /none.yaml"),
        (["drift-detector", "--space", "dev", "--slack", "slack"], 1, "alerts go to an http or https address"),
        (["drift-detector", "--space", "*", "--correct", "web"], 1, "a unit of one space"),
        (["drift-detector", "--space", "dev", "--space", "prod", "--accept", "web"], 1, "a unit of one space"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_started(
    words: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PAGERDUTY_ROUTING_KEY", raising=False)

    assert cli.main([*words, "--data", str(tmp_path)]) == status

    shown = capsys.readouterr().err
    assert said in shown
    assert len(shown.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_address_that_a_webhook_keeps_secret_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["slack-notify", "hello", "--url", f"https://hooks.slack.com:x/services/{SECRET}"]) == 1

    shown = capsys.readouterr().err
    assert "https://hooks.slack.com" in shown
    assert SECRET not in shown


@pytest.mark.parametrize("command", ["canary", "blue-green"])
def test_a_rollout_tells_programs_its_plan_and_what_was_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [command, "web-gui", "dev", "--json", "--explain", "--data", str(tmp_path)]

    assert cli.main([*asked, "--image", ":v1"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["done"], "web-gui :v1" in plan["plan"][0]) == (False, True)

    assert cli.main([*asked, "--image", "v1"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], "given as :TAG" in told["reason"]) == ("could not run", True)
    assert list(tmp_path.iterdir()) == []
