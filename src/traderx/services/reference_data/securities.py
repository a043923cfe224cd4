"""The securities that can be traded, read once from the table beside this module."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from traderx.services.platform.variables import number

TABLE = "securities.csv"


@dataclass(frozen=True)
class Security:
    """One security; ``price`` is its reference price in US dollars."""

    ticker: str
    company_name: str
    price: float

    def as_answer(self) -> dict[str, object]:
        """Return the fields of both vocabularies."""
        return {
            "ticker": self.ticker,
            "companyName": self.company_name,
            "symbol": self.ticker,
            "price": self.price,
            "valid": True,
        }

    def matches(self, text: str) -> bool:
        """Return whether the ticker starts with the text or the company's name contains it."""
        wanted = text.strip().lower()
        return self.ticker.lower().startswith(wanted) or wanted in self.company_name.lower()


def load_securities(variables: Mapping[str, str]) -> dict[str, Security]:
    """Return the securities by ticker, in the table's order.

    REFERENCE_DATA_SUPPORTED_TICKERS (commas) keeps only those, REFERENCE_DATA_MAX_TICKERS the first ones.
    Raises: Misconfigured when the latter is no number.
    """
    supported = {
        t.strip().upper() for t in variables.get("REFERENCE_DATA_SUPPORTED_TICKERS", "").split(",") if t.strip()
    }
    most = number(variables, "REFERENCE_DATA_MAX_TICKERS", default=float("inf"))
    text = files(__package__).joinpath(TABLE).read_text("utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if not supported or row["ticker"] in supported]
    return {
        row["ticker"]: Security(row["ticker"], row["companyName"], float(row["price"]))
        for place, row in enumerate(rows)
        if place < most
    }
