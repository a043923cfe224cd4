"""The command line against a real hub: what the seed types, and what must come of it."""

import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from confighub.cli.clicked import ROOT
from confighub.client.session import Home
from tests.cli.conftest import Terminal
from tests.conftest import need
from tests.manifests import WEB

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
spec:
  selector:
    app: web
  ports:
  - port: 8080
"""

_numbers = count(1)


@pytest.fixture
def project(alice: Terminal, tmp_path: Path) -> str:
    """A project with a base of two units, filters beside it, and dev and prod cloned in a row."""
    name = f"shop-{next(_numbers)}"
    (tmp_path / "web.yaml").write_text(WEB)
    (tmp_path / "service.yaml").write_text(SERVICE)
    for environment in ("base", "dev", "prod"):
        labels = f"project={name},environment={environment}"
        alice.must("space", "create", f"{name}-{environment}", "--label", labels)
    alice.must("space", "create", f"{name}-filters", "--label", f"project={name}")
    alice.must(
        "filter", "create", "all", "Unit", "--where", f"Space.Labels.project = '{name}'", "--space", f"{name}-filters"
    )
    for slug, file, order in (("web-deployment", "web.yaml", "1"), ("web-service", "service.yaml", "2")):
        labels = f"service=web,order={order}"
        alice.must("unit", "create", slug, str(tmp_path / file), "--space", f"{name}-base", "--label", labels)
    for source, destination in (("base", "dev"), ("dev", "prod")):
        alice.must(
            "unit",
            "create",
            "--dest-space",
            f"{name}-{destination}",
            "--space",
            f"{name}-{source}",
            "--filter",
            f"{name}/all",
            "--label",
            "targetable=true",
        )
    alice.must("context", "set", "--space", f"{name}-dev")
    return name


def units(alice: Terminal, space: str, *more: str) -> list[dict[str, object]]:
    found = json.loads(alice.must("unit", "list", "--space", space, "--format", "json", *more).out)
    assert isinstance(found, list)
    return found


def text(alice: Terminal, unit: str, space: str) -> str:
    return alice.must("unit", "get", unit, "--data-only", "--space", space).out


@pytest.mark.requirement("R-039", "R-346")
def test_a_new_prefix_is_two_words_and_fresh(alice: Terminal) -> None:
    first, second = alice.must("space", "new-prefix").out, alice.must("space", "new-prefix").out

    assert first != second
    assert len(first.strip().split("-")) == 2


@pytest.mark.requirement("R-347")
def test_a_space_is_made_and_found_by_its_labels(alice: Terminal, project: str) -> None:
    made = alice.must("space", "create", f"{project}-extra", "--label", f"project={project}-x", "--label", "tier=a")

    listed = alice.must("space", "list", "--where", f"Labels.project = '{project}-x'", "--names")

    assert f"{project}-extra" in made.out
    assert listed.lines == [f"{project}-extra"]


@pytest.mark.requirement("R-348")
def test_a_filter_is_made_of_terms(alice: Terminal, project: str) -> None:
    terms = ("--where-field", f"Space.Labels.project = '{project}'", "--where-field", "Labels.order = '1'")
    alice.must("filter", "create", "first", "Unit", *terms, "--space", f"{project}-filters")

    chosen = alice.must("unit", "list", "--space", f"{project}-prod", "--filter", f"{project}/first", "--names")

    assert chosen.lines == ["web-deployment"]


@pytest.mark.requirement("R-220", "R-354")
def test_clones_come_with_labels_upstream_and_the_same_bytes(alice: Terminal, project: str) -> None:
    (base, _), (dev, _) = units(alice, f"{project}-base"), units(alice, f"{project}-dev")

    assert dev["UpstreamUnitID"] == base["UnitID"]
    assert dev["Labels"] == {"service": "web", "order": "1", "targetable": "true"}
    assert text(alice, "web", f"{project}-dev") == WEB


@pytest.mark.requirement("R-104", "R-193")
def test_units_are_listed_by_filter_and_order_as_flat_json(alice: Terminal, project: str) -> None:
    ordered = alice.must("unit", "list", "--filter", f"{project}/all", "--sort-by", "-Labels.order", "--names")
    by_order = units(alice, f"{project}-dev", "--filter", "Labels.order = '2'")

    assert ordered.lines == ["web-service", "web-deployment"]
    assert [one["Slug"] for one in by_order] == ["web-service"]


@pytest.mark.requirement("R-131")
def test_a_unit_in_a_pipe_is_json_with_its_revision(alice: Terminal, project: str) -> None:
    piped = json.loads(alice.must("unit", "get", "web").out)
    drawn = alice.must("unit", "get", "web", "-o", "table")

    assert piped["Revision"] == 1
    assert piped["Slug"] == "web-deployment"
    assert drawn.lines[1].split() == ["Name", "web-deployment"]


@pytest.mark.requirement("R-203", "R-201", "R-202", "R-349")
def test_a_set_is_filled_shown_and_patched_by_its_slug(alice: Terminal, project: str) -> None:
    alice.must("set", "create", "critical", "--space", f"{project}-filters")
    alice.must("set", "add-units", "critical", "--space", f"{project}-base", "--filter", "Labels.order = '1'")

    shown = alice.must("set", "get", "critical", "--space", f"{project}-base")
    patch = '{"spec":{"template":{"spec":{"priorityClassName":"high"}}}}'
    alice.must(
        "unit", "update", "--patch", "--space", f"{project}-prod", "--where", "SetID = 'critical'", "--data", patch
    )

    assert shown.lines[-1].split() == ["Members", f"{project}-base/web-deployment"]
    changed = text(alice, "web", f"{project}-prod")
    assert "priorityClassName: high" in changed
    assert "name: web # the front" in changed


@pytest.mark.requirement("R-221", "R-355")
def test_a_tag_is_set_by_flags_and_by_the_short_form(alice: Terminal, project: str) -> None:
    alice.must("run", "set-image-reference", "--container-name", "web", "--image-reference", ":v2.0.0", "--unit", "web")
    long = text(alice, "web", f"{project}-dev")
    alice.must("run", "set-image-reference", ":v1.2.3")
    short = text(alice, "web", f"{project}-dev")

    assert long == WEB.replace(":v1.0.0", ":v2.0.0")
    assert short == WEB.replace(":v1.0.0", ":v1.2.3")


@pytest.mark.requirement("R-192")
def test_one_call_changes_every_environment(alice: Terminal, project: str) -> None:
    ran = alice.must(
        "run",
        "set-image-reference",
        "--container-name",
        "web",
        "--image-reference",
        ":v2.0.0",
        "--filter",
        f"{project}/all",
        "--space",
        "*",
    )

    changed = [line for line in ran.lines if "image" in line and "v2.0.0" in line]
    assert len(changed) >= 3
    assert all("v2.0.0" in text(alice, "web", f"{project}-{environment}") for environment in ("base", "dev", "prod"))


@pytest.mark.requirement("R-222", "R-356")
def test_upgrades_keep_what_was_set_downstream(alice: Terminal, project: str) -> None:
    alice.must("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":3}}', "--space", f"{project}-prod")
    alice.must("run", "set-image-reference", ":v2.0.0", "--unit", "web", "--space", f"{project}-dev")

    behind = alice.must("unit", "list", "--space", f"{project}-prod", "--columns", "Name,UpgradeNeeded")
    alice.must("unit", "update", "--patch", "--upgrade", "--space", f"{project}-prod")

    assert behind.lines[1].split() == ["web-deployment", "Yes"]
    upgraded = text(alice, "web", f"{project}-prod")
    assert "replicas: 3" in upgraded
    assert "web:v2.0.0" in upgraded


@pytest.mark.requirement("R-248", "R-359")
def test_the_history_says_who_changed_what_newest_first(alice: Terminal, project: str) -> None:
    alice.must("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":2}}', "--change-desc", "more load")

    listed, same = alice.must("unit", "revision", "list", "web"), alice.must("revision", "list", "web")

    assert listed.out == same.out
    assert [line.split()[0] for line in listed.lines] == ["NUM", "2", "1"]
    assert listed.lines[1].split()[5] == "alice"
    assert "more load" in listed.lines[1]


@pytest.mark.requirement("R-352")
def test_a_difference_shows_the_changed_line_and_a_restore_brings_it_back(alice: Terminal, project: str) -> None:
    alice.must("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":2}}')

    shown = alice.must("unit", "diff", "web", "1", "head")
    alice.must("unit", "update", "web", "--restore", "N-1")

    assert "-  replicas: 1" in shown.lines
    assert "+  replicas: 2" in shown.lines
    assert text(alice, "web", f"{project}-dev") == WEB


def test_a_dry_run_shows_the_change_and_stores_nothing(alice: Terminal, project: str) -> None:
    one = alice.must("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":2}}', "--dry-run")
    called = alice.must("run", "set-replicas", "2", "--unit", "web", "--dry-run")

    assert "+  replicas: 2" in one.lines
    assert "nothing is stored" in called.out
    assert text(alice, "web", f"{project}-dev") == WEB


def test_who_set_which_path_is_shown(alice: Terminal, project: str) -> None:
    ran = alice.must("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":2}}', "-o", "mutations")

    assert ran.lines[1].split() == ["shop/web", "apps/v1/Deployment", "spec.replicas", "Update", "2", "2"]


@pytest.mark.requirement("R-114")
def test_a_colour_is_cloned_from_another_space_by_its_service(alice: Terminal, project: str) -> None:
    alice.must(
        "unit",
        "create",
        "web-green",
        "--space",
        f"{project}-prod",
        "--upstream-unit",
        f"{project}-dev/web",
        "--label",
        "version=green",
        "--label",
        "active=false",
    )

    green = units(alice, f"{project}-prod", "--where", "Slug = 'web-green'")[0]
    labels = green["Labels"]
    assert isinstance(labels, dict)
    assert (labels["version"], labels["active"]) == ("green", "false")


@pytest.mark.requirement("R-358")
def test_the_tree_of_spaces_follows_the_clones(alice: Terminal, project: str) -> None:
    alice.must("run", "set-replicas", "2", "--unit", "web")

    drawn = alice.must("unit", "tree", "--node=space", "--filter", "all")

    assert drawn.lines == [
        f"{project}-base (2 units)",
        f"└── {project}-dev (2 units)",
        f"    └── {project}-prod (2 units, 1 upgrades needed)",
    ]


@pytest.mark.requirement("R-224")
def test_a_worker_without_a_name_is_called_by_project_and_environment(alice: Terminal, project: str) -> None:
    alice.must("worker", "create", "--space", f"{project}-dev", "--poll-interval", "10s", "--auto-apply", "true")

    worker = json.loads(alice.must("worker", "get", f"{project}-worker-dev", "--format", "json").out)

    assert (worker["AutoApply"], worker["PollInterval"]) == (True, "10s")
    assert "Secret" not in worker


@pytest.mark.requirement("R-350")
def test_a_unit_begins_with_a_skeleton(alice: Terminal, project: str) -> None:
    alice.must("unit", "create", "my-unit", "--type", "k8s/Deployment")

    assert "image: confighubplaceholder" in text(alice, "my-unit", f"{project}-dev")


def test_an_existing_name_fails_unless_that_is_fine(alice: Terminal, project: str) -> None:
    again = ("unit", "create", "web-service", "--type", "k8s/Service")

    refused, allowed = alice.run(*again), alice.must(*again, "--allow-exists")

    assert refused.status == 1
    assert "web-service" in refused.err
    assert "exists already" in allowed.out


@pytest.mark.requirement("R-285")
def test_an_export_is_restored_byte_for_byte(alice: Terminal, project: str, tmp_path: Path) -> None:
    exported = alice.must("unit", "export", "--space", f"{project}-dev", "--format", "yaml")
    (tmp_path / "backup.yaml").write_text(exported.out)
    alice.must("space", "create", f"{project}-restored")

    alice.must("unit", "import", "--export", str(tmp_path / "backup.yaml"), "--space", f"{project}-restored")

    assert text(alice, "web", f"{project}-restored") == WEB
    assert len(units(alice, f"{project}-restored")) == 2


@pytest.mark.requirement("R-132", "R-134")
def test_a_change_set_brings_every_unit_back_to_its_start(alice: Terminal, project: str) -> None:
    prod = f"{project}-prod"
    alice.must("changeset", "create", "release-v1.0", "--space", prod, "--filter", f"{project}/all")
    alice.must("unit", "update", "web", "--space", prod, "--patch", "--data", '{"spec":{"replicas":9}}')

    ran = alice.must("changeset", "apply", "release-v1.0", "--space", prod)

    assert "2 units are at its start" in ran.out
    assert text(alice, "web", prod) == WEB


@pytest.mark.requirement("R-227")
def test_a_change_set_changes_all_units_or_none(alice: Terminal, project: str) -> None:
    prod = f"{project}-prod"
    alice.must("unit", "update", "web", "--space", prod, "--patch", "--data", '{"spec":{"replicas":9}}')
    alice.must("changeset", "create", "later", "--space", prod, "--filter", f"{project}/all")
    alice.must("unit", "update", "web", "--space", prod, "--patch", "--data", '{"spec":{"replicas":3}}')
    alice.must("unit", "create", "newcomer", "--type", "k8s/Deployment", "--space", prod)

    ran = alice.run("changeset", "apply", "later", "--space", prod)

    assert ran.status == 1
    assert "nothing was changed: unit newcomer has no such revision" in ran.err
    assert "replicas: 3" in text(alice, "web", prod)


def test_a_revision_is_named_by_a_tag_and_by_what_was_before_it(alice: Terminal, project: str) -> None:
    dev = f"{project}-dev"
    alice.must("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":2}}')
    alice.must("tag", "create", "two")
    alice.must("unit", "tag", "two", "web")
    alice.must("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":3}}')

    alice.must("unit", "update", "web", "--patch", "--restore", "Tag:two")
    assert "replicas: 2" in text(alice, "web", dev)

    alice.must("unit", "update", "web", "--patch", "--restore", "Before:Tag:two")
    assert "replicas: 1" in text(alice, "web", dev)


def test_an_upgrade_says_what_it_left_out(alice: Terminal, project: str) -> None:
    alice.must("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":4}}')
    change = '{"spec":{"replicas":2}}'
    alice.must("unit", "update", "web", "--space", f"{project}-base", "--patch", "--data", change)

    dry = alice.must("unit", "update", "web", "--upgrade", "--dry-run")
    ran = alice.must("unit", "update", "--patch", "--upgrade", "--where", "Slug = 'web-deployment'")

    line = "held in web-deployment: Deployment web spec.replicas stays 4, upstream has 2"
    assert line in dry.out
    assert line in ran.out


@pytest.mark.requirement("R-010")
def test_the_audit_log_is_verified_and_exported(alice: Terminal, project: str, tmp_path: Path) -> None:
    assert "intact" in alice.must("audit", "verify").out

    alice.must("audit", "export", "--file", str(tmp_path / "audit.jsonl"))

    rows = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert len({row["AuditID"] for row in rows}) == len(rows)
    assert {"create"} <= {row["Action"] for row in rows if row["EntitySlug"] == f"{project}-base"}


def test_charts_need_helm_and_become_units(
    alice: Terminal, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    missing = alice.run("helm", "install", "nginx", "nginx/nginx")
    (tmp_path / "bin").mkdir()
    helm = tmp_path / "bin" / "helm"
    # Stands for the real program, which is not everywhere: prints a definition and a Service.
    helm.write_text(
        "#!/bin/sh\nprintf -- '---\\napiVersion: apiextensions.k8s.io/v1\\nkind: CustomResourceDefinition\\n"
        "metadata:\\n  name: x.y\\n---\\napiVersion: v1\\nkind: Service\\nmetadata:\\n  name: nginx\\n"
        "  namespace: confighubplaceholder\\n'\n"
    )
    helm.chmod(0o755)

    alice.must("helm", "install", "nginx", "nginx/nginx", "--set", "a=1")
    alice.must("helm", "upgrade", "nginx", "nginx/nginx", "--update-crds")

    assert missing.status == 1
    assert "helm is not on PATH" in missing.err
    assert "kind: Service" in text(alice, "nginx", f"{project}-dev")
    assert "CustomResourceDefinition" in text(alice, "nginx-crds", f"{project}-dev")


def test_a_check_that_does_not_pass_makes_the_command_fail(alice: Terminal, project: str) -> None:
    alice.must("unit", "create", "my-unit", "--type", "k8s/Deployment")

    ran = alice.run("function", "do", "no-placeholders", "--unit", "my-unit")

    assert ran.status == 1
    assert "false" in ran.lines
    assert "did not pass on 1 of 1 units" in ran.err


def test_values_are_read_from_many_units(alice: Terminal, project: str) -> None:
    ran = alice.must("function", "do", "get-replicas", "--where", "Labels.service = 'web'", "--output-values-only")

    assert ran.lines == ["1"]


@pytest.mark.parametrize(
    ("noun", "arguments"),
    [
        ("tag", []),
        ("set", []),
        ("filter", ["Unit", "--where", "Slug = 'a'"]),
        ("trigger", ["Mutation", "Kubernetes/YAML", "no-placeholders"]),
        ("invocation", ["Kubernetes/YAML", "set-replicas", "3"]),
        ("worker", []),
        ("view", ["all"]),
        ("changeset", ["--description", "spring"]),
        ("link", ["web", "web-service"]),
    ],
)
def test_every_noun_is_created_listed_shown_and_deleted(
    alice: Terminal, project: str, noun: str, arguments: list[str]
) -> None:
    created = alice.must(noun, "create", "it", *arguments)
    listed = alice.must(noun, "list", "--names")
    shown = json.loads(alice.must(noun, "get", "it", "--format", "json").out)
    alice.must(noun, "update", "it", "--label", "tier=a")
    labelled = json.loads(alice.must(noun, "get", "it", "--format", "json").out)
    alice.must(noun, "delete", "it")
    gone = alice.run(noun, "get", "it")

    assert created.out.startswith("Successfully created ")
    assert "it" in listed.lines
    assert shown["Slug"] == "it"
    assert labelled["Labels"] == {"tier": "a"}
    assert gone.status == 1
    assert f"{noun} it not found" in gone.err or f"no such {noun}: it" in gone.err


def test_a_target_is_made_for_a_worker_and_units_are_pointed_at_it(alice: Terminal, project: str) -> None:
    alice.must("worker", "create", "w1")
    alice.must("target", "create", "t1", '{"KubeContext":"kind"}', "w1", "--provider", "Kubernetes")

    alice.must("unit", "set-target", "web", "t1")
    alice.must("unit", "set-target", "t1", "--unit", "web-service")

    listed = alice.must("unit", "list", "--columns", "Name,Target.Slug", "--no-header")
    assert [line.split() for line in listed.lines] == [["web-deployment", "t1"], ["web-service", "t1"]]
    refused = alice.run("target", "create", "t2", "{", "w1")
    assert "the parameters are not JSON" in refused.err


def test_bad_input_is_one_clear_line(alice: Terminal, project: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [1\n")

    broken = alice.run("unit", "create", "broken", str(tmp_path / "broken.yaml"))
    unknown = alice.run("unit", "list", "--where", "Slog = 'a'")
    homeless = alice.run("unit", "apply", "web")
    absent = alice.run("unit", "get", "nobody")
    missing = alice.run("unit", "create", "x", str(tmp_path / "missing.yaml"))

    assert "line" in broken.err
    assert unknown.err.splitlines()[1:] == ["Slog = 'a'", "^"]
    assert "has no target" in homeless.err
    assert absent.err.startswith("Failed: no such unit: nobody")
    assert missing.err == f"Failed: cannot read {tmp_path / 'missing.yaml'}: no such file or directory\n"
    assert {one.status for one in (broken, unknown, homeless, absent, missing)} == {1}
    assert len(units(alice, f"{project}-dev")) == 2


def test_slugs_from_the_hub_are_offered_to_the_shell(alice: Terminal, project: str) -> None:
    def offered(words: list[str], incomplete: str) -> list[str]:
        completer = ShellComplete(ROOT, {}, "cub", "_CUB_COMPLETE")
        return [one.value for one in completer.get_completions(words, incomplete)]

    assert offered(["unit", "get"], "web-d") == ["web-deployment"]
    assert offered(["unit", "list", "--space"], f"{project}-f") == [f"{project}-filters"]
    assert offered(["unit"], "li") == ["list"]
    assert "set-replicas" in offered(["run"], "set-rep")


def test_wrong_passwords_are_refused_and_leave_the_login_alone(alice: Terminal, home: Home) -> None:
    before = alice.must("auth", "status").out
    (home.folder / "testusers.csv").write_text("alice,wrong\n")

    refused = alice.run("auth", "test-login", "alice")

    assert refused.status == 1
    assert alice.must("auth", "status").out == before


def test_a_current_space_that_is_gone_is_said_so(alice: Terminal, project: str) -> None:
    alice.must("space", "delete", f"{project}-dev")

    ran = alice.run("unit", "list")

    assert ran.err.startswith(f"Failed: the current space {project}-dev is not in the hub")
    assert "cub context set --space" in ran.err


def test_a_unit_has_one_origin_and_a_change_one_source(alice: Terminal, project: str, tmp_path: Path) -> None:
    file = str(tmp_path / "web.yaml")

    created = alice.run("unit", "create", "x", file, "--type", "k8s/Service")
    updated = alice.run("unit", "update", "web", file, "--upgrade")

    assert "a file and --type" in created.err
    assert "a file and --upgrade exclude each other" in updated.err


def test_nobody_is_told_to_log_in(alice: Terminal) -> None:
    alice.must("auth", "logout")

    ran = alice.run("space", "list")

    assert ran.status == 1
    assert "cub auth test-login" in ran.err


@pytest.mark.parametrize("noun", ["filter", "tag", "set"])
def test_get_prints_the_plain_record_as_the_public_client_does(alice: Terminal, project: str, noun: str) -> None:
    alice.must(noun, "create", "it", *(["Unit"] if noun == "filter" else []))

    assert alice.must(noun, "get", "it", "--jq", ".Slug").out == "it\n"


def test_one_revision_is_compared_with_what_is_live(alice: Terminal, project: str) -> None:
    alice.must("run", "set-replicas", "4", "--unit", "web")

    shown = alice.must("unit", "diff", "web", "2")

    assert {"-  replicas: 1", "+  replicas: 4"} <= set(shown.lines)


def test_what_a_change_costs_is_said_beside_its_diff(alice: Terminal, project: str) -> None:
    sizes = {"containers": [{"name": "web", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}
    patch = json.dumps({"spec": {"template": {"spec": sizes}}})
    alice.must("unit", "update", "web", "--patch", "--data", patch)
    alice.must("run", "set-replicas", "3", "--unit", "web")

    shown = alice.must("unit", "diff", "web", "2", "head")

    assert "cost of" not in shown.out
    # a vCPU and a GiB for a month by our own prices: (0.04048 + 0.004445) x 730
    assert "cost of web-deployment: 32.80 -> 98.39 USD a month (+65.59), by prices of aws us-east-1" in shown.err


def test_a_revision_is_brought_back_by_its_id(alice: Terminal, project: str) -> None:
    alice.must("run", "set-replicas", "4", "--unit", "web")
    first = alice.must("revision", "get", "web", "1", "--jq", ".RevisionID").out.strip()

    alice.must("unit", "update", "web", "--restore", first)

    assert text(alice, "web", f"{project}-dev") == WEB


def test_every_noun_is_listed_by_an_expression_or_a_filter(alice: Terminal, project: str) -> None:
    alice.must("filter", "create", "live", "Space", "--where", f"Slug = '{project}-prod'")
    alice.must("filter", "create", "inside", "Unit")

    by_expression = alice.must("space", "list", "--filter", f"Slug = '{project}-dev'", "--names")
    by_name = alice.must("space", "list", "--filter", f"{project}-dev/live", "--names")
    refused = alice.run("space", "list", "--filter", f"{project}-dev/inside")

    assert (by_expression.lines, by_name.lines) == ([f"{project}-dev"], [f"{project}-prod"])
    assert "selects Unit, not Space" in refused.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_real_shell_completes_slugs_from_the_hub(alice: Terminal, project: str, tmp_path: Path, shell: str) -> None:
    program = need(shell, f"apt-get install {shell}")
    cub = tmp_path / "bin" / "cub"
    cub.parent.mkdir()
    cub.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from confighub.cli.main import run; run()' \"$@\"\n")
    cub.chmod(0o755)
    scripts = {
        "bash": 'eval "$(cub completion bash)"; COMP_WORDS=(cub unit get web-d); COMP_CWORD=3; '
        '_cub_completion cub; echo "${COMPREPLY[@]}"',
        "zsh": 'autoload -U compinit; compinit -D; eval "$(cub completion zsh)"; '
        "COMP_WORDS='cub unit get web-d' COMP_CWORD=3 _CUB_COMPLETE=zsh_complete cub",
        "fish": "cub completion fish | source; complete -C 'cub unit get web-d'",
    }
    environ = {**os.environ, "PATH": f"{cub.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    ran = subprocess.run([program, "-c", scripts[shell]], capture_output=True, text=True, env=environ, timeout=60)

    assert ran.stderr == ""
    assert "web-deployment" in ran.stdout.split()
