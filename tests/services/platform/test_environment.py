"""What the environment variables make of a service."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from traderx.services.errors import Misconfigured
from traderx.services.platform.environment import DEFAULT_PORTS, read_environment


@pytest.mark.parametrize(
    ("service", "variables", "port"),
    [
        ("trade-service", {}, 18092),
        ("trade-service", {"PORT": "9000"}, 9000),
        ("trade-service", {"TRADING_SERVICE_PORT": "9001"}, 9001),
        ("trade-service", {"PORT": "9000", "TRADING_SERVICE_PORT": "9001"}, 9000),
        ("web-gui", {"WEB_SERVICE_ANGULAR_PORT": "9002"}, 9002),
        ("trade-feed", {"TRADE_FEED_PORT": "tcp://10.0.0.7:18088"}, 18088),
        ("trade-feed", {"PORT": "", "TRADE_FEED_PORT": "tcp://10.0.0.7:1"}, 18088),
    ],
)
def test_the_port_is_the_first_variable_that_is_one(service: str, variables: Mapping[str, str], port: int) -> None:
    assert read_environment(service, variables).port == port


@pytest.mark.requirement("R-053", "R-054", "R-055", "R-056", "R-057", "R-059", "R-060")
def test_the_seed_decides_the_ports() -> None:
    assert DEFAULT_PORTS == {
        "reference-data": 18085,
        "people-service": 18089,
        "account-service": 18091,
        "position-service": 18090,
        "trade-service": 18092,
        "trade-processor": 18087,
        "trade-feed": 18088,
        "web-gui": 18080,
    }


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PORT": "http"}, "PORT must be a port number from 0 to 65535: http"),
        ({"PORT": "70000"}, "PORT must be a port number from 0 to 65535: 70000"),
        ({"FAULT_ERROR_RATE": "2"}, "FAULT_ERROR_RATE must be between 0 and 1: 2"),
        ({"FAULT_LATENCY_MS": "soon"}, "FAULT_LATENCY_MS must be a number: soon"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(variables: Mapping[str, str], message: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read_environment("trade-service", variables)

    assert refused.value.message == message


def test_another_service_is_where_its_variable_says() -> None:
    environment = read_environment("trade-service", {"ACCOUNT_SERVICE_URL": "http://account-service:18091/"})

    assert environment.urls["account-service"] == "http://account-service:18091"
    assert environment.urls["reference-data"] == "http://127.0.0.1:18085"
