"""An order in each of its words, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from traderx.services.errors import BadInput
from traderx.services.ledger.vocabulary import Order, read_order

SEED = {"symbol": "AAPL", "qty": 100, "side": "BUY", "accountId": 22214}
FINOS = {"security": "AAPL", "quantity": 100, "side": "Buy", "accountId": 22214}
EXPECTED = Order(id="", account_id=22214, security="AAPL", side="Buy", quantity=100)


@pytest.mark.parametrize(
    "body",
    [
        SEED,
        FINOS,
        {"ticker": "AAPL", "qty": 100, "side": "buy", "account": 22214},
        {"symbol": "AAPL", "quantity": "100", "side": "Buy", "accountID": "22214"},
        {"security": " AAPL ", "quantity": 100.0, "side": "BUY", "accountid": 22214},
        {**FINOS, **SEED, "side": "Buy"},
        {**FINOS, "id": None, "state": None, "anything": [1]},
    ],
)
@pytest.mark.requirement("R-254")
def test_every_vocabulary_says_the_same_order(body: Mapping[str, object]) -> None:
    assert read_order(body) == EXPECTED


def test_an_account_in_a_header_stands_in() -> None:
    body = {key: value for key, value in SEED.items() if key != "accountId"}

    assert read_order(body, default_account="22214") == EXPECTED


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quantity": 0}, "quantity must be at least 1: 0"),
        ({"quantity": -5}, "quantity must be at least 1: -5"),
        ({"quantity": 1.5}, "quantity must be a whole number: 1.5"),
        ({"quantity": True}, "quantity must be a whole number: True"),
        ({"quantity": "many"}, "quantity must be a whole number: many"),
        ({"quantity": 2**31}, "quantity must be at most 2147483647: 2147483648"),
        ({"quantity": "9" * 5000}, "quantity must be at most 2147483647: 2147483648"),
        ({"quantity": None}, "quantity is missing"),
        ({"security": ""}, "security is missing"),
        ({"security": ["AAPL"]}, "security must be a text of at most 15 characters"),
        ({"security": "A" * 16}, "security must be a text of at most 15 characters"),
        ({"security": "AA\x00PL"}, "security must be a text of at most 15 characters"),
        ({"side": "Hold"}, "side must be Buy or Sell: Hold"),
        ({"side": None}, "side is missing"),
        ({"accountId": None}, "accountId is missing"),
        ({"accountId": "mine"}, "accountId must be a whole number: mine"),
        ({"id": "x" * 51}, "id must be a text of at most 50 characters"),
        ({"symbol": "MSFT"}, "security and symbol name the same thing and differ"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(fields: Mapping[str, object], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_order({**FINOS, **fields})

    assert refused.value.message == message
