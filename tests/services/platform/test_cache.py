"""A cache is asked by its own protocol, and whatever is wrong with it is a miss."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.services.redis_server import redis_server
from traderx.services.errors import Misconfigured
from traderx.services.platform.cache import Cache, open_cache

PATIENCE_S = 10.0
"""A busy machine of tests is no slow cache."""


def kept(port: int, value: bytes, *, read: str = "a") -> bytes | None:
    """Keep a value under ``a`` and return what is then found."""

    async def scene() -> bytes | None:
        one = Cache("127.0.0.1", port, patience_s=PATIENCE_S)
        await one.put("a", value, seconds=60)
        found = await one.get(read)
        await one.close()
        return found

    return asyncio.run(scene())


@pytest.mark.parametrize("value", [b"150.0", b"", b"a\r\n$5\r\nb", bytes(range(256)) * 1000])
def test_what_was_kept_is_found_as_it_was(tmp_path: Path, free_port: int, value: bytes) -> None:
    with redis_server(tmp_path, free_port):
        assert kept(free_port, value) == value
        assert kept(free_port, value, read="b") is None


def test_what_is_kept_has_an_end(tmp_path: Path, free_port: int) -> None:
    with redis_server(tmp_path, free_port):
        kept(free_port, b"x")
        told = subprocess.run(["redis-cli", "-p", str(free_port), "ttl", "a"], capture_output=True, check=True).stdout

    assert 0 < int(told) <= 60


def test_many_ask_at_once_and_each_gets_its_own(tmp_path: Path, free_port: int) -> None:
    async def scene() -> list[bytes | None]:
        one = Cache("127.0.0.1", free_port, patience_s=PATIENCE_S)
        await asyncio.gather(*(one.put(f"k{at}", f"{at}".encode(), seconds=60) for at in range(100)))
        found = await asyncio.gather(*(one.get(f"k{at}") for at in range(100)))
        await one.close()
        return found

    with redis_server(tmp_path, free_port):
        assert asyncio.run(scene()) == [f"{at}".encode() for at in range(100)]


def test_a_cache_that_is_away_has_nothing(free_port: int) -> None:
    assert kept(free_port, b"x") is None


def test_a_cache_that_refuses_has_nothing(tmp_path: Path, free_port: int) -> None:
    with redis_server(tmp_path, free_port, "--requirepass", "secret"):
        assert kept(free_port, b"x") is None


def test_a_cache_that_comes_back_is_asked_again(tmp_path: Path, free_port: int) -> None:
    async def scene() -> list[bytes | None]:
        one = Cache("127.0.0.1", free_port, patience_s=PATIENCE_S, away_s=0.0)
        found = []
        for _ in range(2):
            with redis_server(tmp_path, free_port):
                # the first question after it came back may go by the connection that broke, and is a miss at most
                await one.get("a")
                await one.put("a", b"x", seconds=60)
                found.append(await one.get("a"))
            found.append(await one.get("a"))
        await one.close()
        return found

    assert asyncio.run(scene()) == [b"x", None, b"x", None]


def test_without_an_address_nothing_is_asked() -> None:
    assert asyncio.run(open_cache({}).get("a")) is None


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(Misconfigured, match="CACHE_PORT must be a number"):
        open_cache({"CACHE_HOST": "cache", "CACHE_PORT": "confighubplaceholder"})
