"""Host names of Services inside values become addresses; everything else stays."""

from __future__ import annotations

import pytest

from confighub.runtime import hosts
from confighub.runtime.addresses import Endpoint

KNOWN = {
    ("reference-data", ""): "127.9.1.2",
    ("trade-feed", ""): "127.9.1.3",
    ("trade-feed", "traderx-prod"): "127.9.2.3",
}


def lookup(name: str, namespace: str, port: int) -> Endpoint | None:
    host = KNOWN.get((name, namespace))
    return Endpoint(host, port) if host else None


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("URL", "http://reference-data:18085", "http://127.9.1.2:18085"),
        ("URL", "http://reference-data:18085/stocks?q=1", "http://127.9.1.2:18085/stocks?q=1"),
        ("URL", "http://reference-data", "http://127.9.1.2"),
        ("URL", "ws://user:pw@trade-feed:18088/", "ws://user:pw@127.9.1.3:18088/"),
        ("URL", "http://trade-feed.traderx-prod:1/", "http://127.9.2.3:1/"),
        ("URL", "http://trade-feed.traderx-prod.svc:1/", "http://127.9.2.3:1/"),
        ("URL", "http://trade-feed.traderx-prod.svc.cluster.local:1/", "http://127.9.2.3:1/"),
        ("URLS", "http://reference-data:1,http://trade-feed:2", "http://127.9.1.2:1,http://127.9.1.3:2"),
        ("ADDR", "trade-feed:18088", "127.9.1.3:18088"),
        ("ADDRS", "trade-feed:1,reference-data:2", "127.9.1.3:1,127.9.1.2:2"),
        ("TRADE_FEED_HOST", "trade-feed", "127.9.1.3"),
        ("SERVICE_NAME", "trade-feed", "trade-feed"),
        ("ASPNETCORE_URLS", "http://+:18092", "http://+:18092"),
        ("URL", "http://localhost:80", "http://localhost:80"),
        ("URL", "http://10.0.0.1:80", "http://10.0.0.1:80"),
        ("URL", "https://api.example.com/trade-feed:1", "https://api.example.com/trade-feed:1"),
        ("URL", "http://unknown:1", "http://unknown:1"),
        ("IMAGE", "finos/trade-feed:18088", "finos/trade-feed:18088"),
        ("TIME", "12:30", "12:30"),
        ("TEXT", "trade-feed and reference-data", "trade-feed and reference-data"),
    ],
)
def test_only_mentions_of_services_are_replaced(variable: str, value: str, expected: str) -> None:
    assert hosts.replace(variable, value, lookup)[0] == expected


def test_what_was_replaced_is_told() -> None:
    _, replaced = hosts.replace("URL", "http://trade-feed.traderx-prod.svc:1/", lookup)

    assert replaced == {"trade-feed.traderx-prod.svc": "127.9.2.3:1"}


def test_a_port_that_moved_is_shown_even_when_it_was_the_schemes_own() -> None:
    text, _ = hosts.replace("URL", "http://web/x", lambda *_: Endpoint("127.0.0.1", 26001))

    assert text == "http://127.0.0.1:26001/x"
