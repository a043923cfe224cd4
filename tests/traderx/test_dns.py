"""The switch of a name: a batch as Route 53 takes it, and the command that sends it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from confighub.errors import BadRequest, ConfigHubError
from traderx.dns import Switch, address_in, run_hook, write_batch

SWITCH = Switch("traderx.example.com", "192.0.2.7")


@pytest.mark.requirement("R-298")
def test_the_batch_leads_the_name_to_the_address(tmp_path: Path) -> None:
    write_batch(SWITCH, tmp_path / "dns-update-dr.json", why="prod goes to traderx-prod-dr")

    assert json.loads((tmp_path / "dns-update-dr.json").read_text()) == {
        "Comment": "prod goes to traderx-prod-dr",
        "Changes": [
            {
                "Action": "UPSERT",
                "ResourceRecordSet": {
                    "Name": "traderx.example.com.",
                    "Type": "A",
                    "TTL": 60,
                    "ResourceRecords": [{"Value": "192.0.2.7"}],
                },
            }
        ],
    }


@pytest.mark.parametrize(
    ("url", "address", "kind"),
    [
        ("http://192.0.2.7:8080", "192.0.2.7", "A"),
        ("http://[2001:db8::7]:80", "2001:db8::7", "AAAA"),
        ("https://lb-1.elb.example.com", "lb-1.elb.example.com", "CNAME"),
    ],
)
def test_the_record_is_of_the_addresss_kind(url: str, address: str, kind: str) -> None:
    assert address_in(url) == address
    assert Switch("a", address).batch(why="")["Changes"][0]["ResourceRecordSet"]["Type"] == kind


def test_no_address_is_no_switch() -> None:
    with pytest.raises(BadRequest, match="nothing is live"):
        address_in("")


def test_the_hook_gets_file_and_zone_and_no_shell_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "a file; touch x.json"
    code = "import os,sys; print(sys.argv[1:], os.environ['DNS_NAME'], os.environ['DNS_ADDRESS'])"

    said = run_hook(f'{sys.executable} -c "{code}" --batch file://{{file}} {{zone}}', file, SWITCH, zone="Z123")

    assert said == f"{['--batch', f'file://{file}', 'Z123']} traderx.example.com 192.0.2.7"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        (f"{sys.executable} -c \"import sys; sys.exit('no such zone')\"", "ended with 1: no such zone"),
        ("no-such-program-here {file}", "the DNS hook failed"),
        ("'unclosed", "is no command"),
        ("", "is empty"),
    ],
)
def test_a_hook_that_fails_says_why(hook: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigHubError, match=reason):
        run_hook(hook, tmp_path / "batch.json", SWITCH, zone="Z123")
