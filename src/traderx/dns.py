"""The switch of an environment's name to another address: a Route 53 change batch, and the command that sends it.

Source: https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from confighub.errors import BadRequest, ConfigHubError
from traderx.project import replace_file

TTL_S = 60
"""How long resolvers keep the old address, so this is what a switch costs beside itself."""
_HOOK_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Switch:
    """One name and the address that it shall lead to: an IP address, or the name of a load balancer."""

    name: str
    address: str

    def batch(self, *, why: str) -> dict[str, Any]:
        """Return the change batch as Route 53 takes it."""
        record = {"Name": f"{self.name}.", "Type": _type(self.address), "TTL": TTL_S}
        record["ResourceRecords"] = [{"Value": self.address}]
        return {"Comment": why, "Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}


def address_in(url: str) -> str:
    """Return the host of an address, to which the name shall lead. Raises: BadRequest when it has none."""
    host = urlsplit(url).hostname
    if not host:
        raise BadRequest(f"no address to lead a name to: {url or 'nothing is live'}")
    return host


def write_batch(switch: Switch, file: Path, *, why: str) -> None:
    """Write the change batch, as in ``dns-update-dr.json``."""
    replace_file(file, json.dumps(switch.batch(why=why), indent=2) + "\n")


def words_of(hook: str) -> list[str]:
    """Return the words of the command. Raises: BadRequest for one that is empty or does not end."""
    try:
        words = shlex.split(hook)
    except ValueError as error:
        raise BadRequest(f"the DNS hook is no command: {error}") from error
    if not words:
        raise BadRequest("the DNS hook is empty")
    return words


def run_hook(hook: str, file: Path, switch: Switch, *, zone: str) -> str:
    """Run the command that sends the batch, and return what it said last.

    It gets the file, name, address and zone as DNS_BATCH, DNS_NAME, DNS_ADDRESS and DNS_ZONE; ``{file}`` and
    ``{zone}`` in it are replaced. No shell reads it. Raises: ConfigHubError with the reason; BadRequest.
    """
    words = [word.replace("{file}", str(file)).replace("{zone}", zone) for word in words_of(hook)]
    env = {**os.environ, "DNS_BATCH": str(file), "DNS_NAME": switch.name, "DNS_ADDRESS": switch.address}
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            env={**env, "DNS_ZONE": zone},
            timeout=_HOOK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigHubError(f"the DNS hook failed: {error}", hint=f"the batch is in {file}") from error
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or said or ["no reason"])[-1]
        raise ConfigHubError(f"the DNS hook ended with {done.returncode}: {reason}", hint=f"the batch is in {file}")
    return said[-1] if said else "it said nothing"


def _type(address: str) -> str:
    try:
        return "AAAA" if ipaddress.ip_address(address).version == 6 else "A"
    except ValueError:
        return "CNAME"
