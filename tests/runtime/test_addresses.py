"""Addresses are decided once, kept on disk, and never given twice."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from confighub.errors import Conflict
from confighub.runtime.addresses import Addresses

Opener = Callable[..., Addresses]


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[Opener]:
    opened: list[Addresses] = []

    def start(name: str = "project", *, has_block: bool = True) -> Addresses:
        (tmp_path / name).mkdir(exist_ok=True)
        opened.append(Addresses(tmp_path / name, has_block=has_block))
        return opened[-1]

    yield start
    for item in opened:
        item.close()


def test_a_name_keeps_its_address_over_restarts(addresses: Opener) -> None:
    first = addresses()
    place, ports = first.service("dev", "ns/web", 80), first.ingress("dev")
    first.close()

    again = addresses()

    assert again.service("dev", "ns/web", 80) == place
    assert again.ingress("dev") == ports


def test_environments_and_names_have_addresses_of_their_own(addresses: Opener) -> None:
    known = addresses()

    places = {known.service(env, name, 80).host for env in ("dev", "prod") for name in ("a", "b")}

    assert len(places) == 4


def test_projects_that_run_have_blocks_of_their_own(addresses: Opener) -> None:
    hosts = [addresses(f"project-{number}").service("dev", "web", 80).host for number in range(3)]

    assert len({host.split(".")[1] for host in hosts}) == 3


def test_replicas_never_get_a_services_address(addresses: Opener) -> None:
    known = addresses()
    service = known.service("dev", "web", 80).host
    slots = [known.take_replica("dev") for _ in range(250)]

    assert len(set(slots)) == 250
    assert service not in {known.replica("dev", slot, 80).host for slot in slots}


def test_an_address_that_was_given_back_is_used_again_last(addresses: Opener) -> None:
    known = addresses()
    first = known.take_replica("dev")
    known.give_back("dev", first)

    assert known.take_replica("dev") != first


def test_when_no_address_is_left_it_is_said(addresses: Opener) -> None:
    known = addresses()

    with pytest.raises(Conflict, match="environment dev has no address left"):
        _ = [known.take_replica("dev") for _ in range(300)]


def test_without_a_block_every_port_is_free_and_kept(addresses: Opener) -> None:
    known = addresses(has_block=False)
    service = known.service("dev", "web", 80)
    replicas = [known.replica("dev", known.take_replica("dev"), 80) for _ in range(3)]

    assert service.host == "127.0.0.1"
    assert len({service.port, *(replica.port for replica in replicas)}) == 4
    assert known.service("dev", "web", 80) == service


def test_an_ingress_does_not_get_a_port_that_is_held(addresses: Opener) -> None:
    known = addresses()
    plain, _ = known.ingress("dev")

    # The next environment would have the next pair of ports.
    with socket.create_server(("127.0.0.1", plain + 2)):
        other = known.ingress("prod")

    assert plain + 2 not in other
    assert not set(other) & set(known.ingress("dev"))
