"""reference-data in both vocabularies."""

from __future__ import annotations

import pytest

from tests.services.running import Desk, ServiceProcess, call


@pytest.mark.requirement("R-255", "R-256")
def test_a_symbol_has_price_and_is_valid(desk: Desk) -> None:
    reply = call(f"{desk.url('reference-data')}/api/reference-data/AAPL")

    assert reply.status == 200
    assert reply.json["price"] == 150.0
    assert reply.json["valid"] is True


@pytest.mark.parametrize("path", ["/stocks/IBM", "/stocks/IBM/", "/api/securities/ibm", "/api/reference-data/ibm/"])
def test_a_stock_is_the_same_on_every_path(desk: Desk, path: str) -> None:
    reply = call(desk.url("reference-data") + path)

    assert reply.json == {"ticker": "IBM", "companyName": "IBM", "symbol": "IBM", "price": 220.8, "valid": True}


def test_the_finos_path_matches_exactly(desk: Desk) -> None:
    reply = call(f"{desk.url('reference-data')}/stocks/ibm")

    assert reply.status == 404
    assert reply.json["statusCode"] == 404
    assert reply.json["error"] == "Not Found"
    assert reply.json["message"] == 'Stock ticker "ibm" not found.'


def test_an_unknown_symbol_can_be_asked_softly(desk: Desk) -> None:
    url = f"{desk.url('reference-data')}/api/reference-data/NOPE"

    assert call(url).status == 404
    assert call(f"{url}?soft=true").json == {"ticker": "NOPE", "symbol": "NOPE", "price": None, "valid": False}


def test_the_list_can_be_searched(desk: Desk) -> None:
    found = call(f"{desk.url('reference-data')}/stocks?search=micro").json

    assert [one["ticker"] for one in found] == ["AMD", "MSFT"]


def test_the_list_has_the_tickers_that_finos_clients_know(desk: Desk) -> None:
    tickers = {one["ticker"] for one in call(f"{desk.url('reference-data')}/stocks/").json}

    assert tickers >= {"AAPL", "MSFT", "AMZN", "GOOGL", "META", "NVDA", "TSLA", "IBM", "BAC", "C", "JPM", "GS", "MS"}
    assert tickers >= {"UBS", "DB", "COF", "DFS", "FNMA", "FIS", "FNF", "BRK.B"}
    assert len(tickers) >= 60


def test_the_tickers_can_be_narrowed() -> None:
    process = ServiceProcess(
        "reference-data", {"REFERENCE_DATA_SUPPORTED_TICKERS": "msft, IBM,AAPL", "REFERENCE_DATA_MAX_TICKERS": "2"}
    ).wait_ready()

    found = call(f"{process.url}/stocks").json
    process.stop()

    assert [one["ticker"] for one in found] == ["AAPL", "IBM"]


def test_no_ticker_at_all_is_not_ready() -> None:
    process = ServiceProcess("reference-data", {"REFERENCE_DATA_SUPPORTED_TICKERS": "NOPE"})

    ready = call(f"{process.url}/health/ready")
    process.stop()

    assert ready.status == 503
    assert "no securities loaded" in ready.text
