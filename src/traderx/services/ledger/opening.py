"""The rows a new environment starts with: our accounts, who works on them, what they hold.

Positions are not written down: they are the sum of the opening trades, so the two cannot differ.
Account numbers, user names and tickers are those that FINOS clients know.
"""

from __future__ import annotations

from dataclasses import dataclass

# Monday 5 January 2026, 14:30 UTC, when the opening trades were settled; one minute apart.
OPENING_MS = 1_767_623_400_000
MINUTE_MS = 60_000

ACCOUNTS: tuple[tuple[int, str], ...] = (
    (10031, "House Trading Book"),
    (11413, "Northwind Family Office"),
    (22214, "Harbour Street Capital"),
    (42422, "Quant Lab Partners"),
    (44044, "Market Making Desk"),
    (52355, "Meridian Pension Fund"),
    (62654, "Blue Heron Opportunities"),
)
"""Number and display name, by number."""

ACCOUNT_USERS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (10031, ("user01", "user03", "user07")),
    (11413, ("user04", "user09")),
    (22214, ("user01", "user03", "user05", "user07", "user09")),
    (42422, ("user08", "user11")),
    (44044, ("user01", "user07", "user10", "user12")),
    (52355, ("user02", "user05")),
    (62654, ("user03", "user07", "user09")),
)
"""Account and the logon ids of its users."""


@dataclass(frozen=True)
class OpeningTrade:
    """One trade settled before the first day."""

    id: str
    account_id: int
    security: str
    side: str
    quantity: int
    price_cents: int


TRADES: tuple[OpeningTrade, ...] = (
    OpeningTrade("OPEN-22214-IBM", 22214, "IBM", "Buy", 400, 218_40),
    OpeningTrade("OPEN-22214-MSFT", 22214, "MSFT", "Buy", 250, 421_15),
    OpeningTrade("OPEN-22214-ORCL", 22214, "ORCL", "Sell", 120, 171_30),
    OpeningTrade("OPEN-52355-JPM", 52355, "JPM", "Buy", 1_500, 208_75),
    OpeningTrade("OPEN-52355-KO", 52355, "KO", "Buy", 3_200, 70_60),
    OpeningTrade("OPEN-62654-NVDA", 62654, "NVDA", "Buy", 900, 119_30),
    OpeningTrade("OPEN-62654-INTC", 62654, "INTC", "Sell", 2_000, 23_10),
    OpeningTrade("OPEN-10031-AAPL", 10031, "AAPL", "Buy", 600, 149_20),
    OpeningTrade("OPEN-10031-AAPL-2", 10031, "AAPL", "Sell", 150, 151_05),
    OpeningTrade("OPEN-44044-BAC", 44044, "BAC", "Sell", 1_100, 40_95),
)
"""In the order in which they were settled."""
