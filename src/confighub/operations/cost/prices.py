"""Prices as data: what a vCPU-hour and a GiB-hour cost where a unit runs, with source and date. No row, no figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from confighub.client.transport import Wire
from confighub.errors import BadRequest
from confighub.functions.costs import Rates

OWN_FILE = "prices.yaml"
_TEXTS = ("provider", "region", "environment", "target")


@dataclass(frozen=True)
class Price:
    """One row: ``environment`` and ``target`` are empty when it holds for all of them."""

    provider: str
    region: str
    rates: Rates
    source: str
    date: date
    environment: str = ""
    target: str = ""

    def __str__(self) -> str:
        rates = self.rates
        return (
            f"{self.provider} {self.region}: {rates.cpu_usd_per_hour} USD per vCPU-hour, "
            f"{rates.memory_usd_per_gib_hour} per GiB-hour, {rates.hours_per_month} hours a month "
            f"({self.source}, {self.date})"
        )

    def is_at(self, *, provider: str, region: str) -> bool:
        """Tell whether the row is about that region; a provider that is empty, here or there, is any."""
        return self.region == region and (self.provider == provider or not (self.provider and provider))

    def as_json(self) -> Wire:
        """Return the price for programs."""
        return {
            "provider": self.provider,
            "region": self.region,
            "usdPerVcpuHour": str(self.rates.cpu_usd_per_hour),
            "usdPerGibHour": str(self.rates.memory_usd_per_gib_hour),
            "hoursPerMonth": int(self.rates.hours_per_month),
            "source": self.source,
            "date": str(self.date),
        }


@dataclass(frozen=True)
class Prices:
    """Rows in the order in which they are tried, and where a space is that does not say it."""

    rows: tuple[Price, ...]
    provider: str
    region: str

    def of(self, labels: Mapping[str, str], *, target: str = "") -> Price | None:
        """Return what holds for a space with these labels (``region``, ``provider``, ``environment``) and a target.

        A region that the space names is looked for at every provider; None when no row fits.
        """
        region, provider = labels.get("region", ""), labels.get("provider", "")
        if not region:
            region, provider = self.region, provider or self.provider
        environment = labels.get("environment") or labels.get("env") or ""
        for row in self.rows:
            if (
                row.is_at(provider=provider, region=region)
                and row.environment in ("", environment)
                and row.target in ("", target)
            ):
                return row
        return None

    def at(self, *, provider: str, region: str) -> Prices:
        """Return the same prices for spaces that are elsewhere by default; empty leaves what was there.

        Raises: BadRequest, naming what there is, when there is no such row.
        """
        changed = Prices(self.rows, provider or ("" if region else self.provider), region or self.region)
        if not any(row.is_at(provider=changed.provider, region=changed.region) for row in self.rows):
            known = ", ".join(sorted({f"{row.provider} {row.region}" for row in self.rows}))
            wanted = f"{changed.provider} {changed.region}".strip()
            raise BadRequest(f"no price is known for {wanted}", hint=f"there is {known}; add a row: --prices FILE")
        return changed


def load_prices(path: str = "") -> Prices:
    """Return the prices of a file, or those that come with the program. Raises: BadRequest."""
    if not path:
        own = files("confighub.operations.cost").joinpath(OWN_FILE)
        return read_prices(own.read_text(encoding="utf-8"), name=OWN_FILE)
    try:
        return read_prices(Path(path).read_text(encoding="utf-8"), name=path)
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadRequest(f"the prices cannot be read: {path}: {said}") from error


def read_prices(text: str, *, name: str) -> Prices:
    """Return the prices that a text holds. Raises: BadRequest, naming the row and what is missing or wrong in it."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadRequest(f"the prices are no YAML: {name}: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not isinstance(found.get("prices"), list) or not found["prices"]:
        raise BadRequest(f"the prices have no list `prices`: {name}")
    hours = _amount(found.get("hours_per_month", 730), f"{name}: hours_per_month")
    default = found.get("default") or {}
    rows = tuple(_row(one, hours, f"{name}: row {number}") for number, one in enumerate(found["prices"], 1))
    return Prices(rows, str(default.get("provider") or ""), str(default.get("region") or ""))


def sources(prices: Sequence[Price]) -> list[str]:
    """Return one line for each price, each once."""
    return list(dict.fromkeys(map(str, prices)))


def _row(one: Any, hours: Decimal, where: str) -> Price:
    if not isinstance(one, dict):
        raise BadRequest(f"{where} is no map")
    missing = [key for key in ("region", "usd_per_vcpu_hour", "usd_per_gib_hour", "source", "date") if not one.get(key)]
    if missing:
        raise BadRequest(f"{where} lacks {', '.join(missing)}", hint="a price without source and date is no price")
    when = one["date"]
    if not isinstance(when, date):
        raise BadRequest(f"{where}: date is not like 2026-04-01: {when}")
    texts = {key: str(one.get(key) or "") for key in _TEXTS}
    cpu = _amount(one["usd_per_vcpu_hour"], f"{where}: usd_per_vcpu_hour")
    memory = _amount(one["usd_per_gib_hour"], f"{where}: usd_per_gib_hour")
    return Price(rates=Rates(cpu, memory, hours), source=str(one["source"]), date=when, **texts)


def _amount(value: Any, where: str) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise BadRequest(f"{where} is not an amount: {value}") from None
    if not amount.is_finite() or amount <= 0:
        raise BadRequest(f"{where} is not an amount above zero: {value}")
    return amount
