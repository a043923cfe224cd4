"""Kubernetes resource quantities: ``250m``, ``1.5Gi``, ``2e3``.

Source: apimachinery resource.Quantity; the canonical form keeps the family of suffix that was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from confighub.errors import BadRequest

_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([EPTGMk]i?|Ki|m|u|n)?)\Z")
_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_NANO = Decimal(1).scaleb(-9)


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount and how it was written: "decimal", "binary" or "exponent"."""

    amount: Decimal
    form: str

    def times(self, factor: int) -> Quantity:
        """Return the amount multiplied, in the same form."""
        return Quantity(self.amount * factor, self.form)

    def __str__(self) -> str:
        amount = self.amount
        if self.form == "binary" and (abs(amount) < 1024 or amount != amount.to_integral_value()):
            return _decimal(amount)
        if self.form == "binary":
            return _binary(int(amount))
        if self.form == "exponent":
            return _exponent(amount)
        return _decimal(amount)


@lru_cache(maxsize=1024)
def parse(text: str) -> Quantity:
    """Return the quantity that a text means; finer than nano is rounded up.

    Raises: BadRequest for text that is no quantity.
    """
    match = _FORM.match(text)
    if match is None or text.endswith("K"):
        raise BadRequest(f"no resource quantity: {text}")
    number, exponent, suffix = match.groups()
    amount = Decimal(number)
    if exponent:
        return Quantity(_rounded(amount.scaleb(int(exponent[1:]))), "exponent")
    suffix = suffix or ""
    if suffix.endswith("i"):
        return Quantity(_rounded(amount * 1024 ** _BINARY.index(suffix)), "binary")
    return Quantity(_rounded(amount.scaleb(3 * (_DECIMAL.index(suffix) - 3))), "decimal")


def _rounded(amount: Decimal) -> Decimal:
    if abs(amount) >= Decimal(2) ** 63:
        return amount
    return amount.quantize(_NANO, rounding=ROUND_CEILING) if amount % _NANO else amount


def _decimal(amount: Decimal) -> str:
    if amount == 0:
        return "0"
    scaled, place = amount, 3
    while place > 0 and scaled != scaled.to_integral_value():
        scaled, place = scaled * 1000, place - 1
    number = int(scaled)
    while place < len(_DECIMAL) - 1 and number % 1000 == 0:
        number, place = number // 1000, place + 1
    return f"{number}{_DECIMAL[place]}"


def _binary(amount: int) -> str:
    place = 0
    while amount and place < len(_BINARY) - 1 and amount % 1024 == 0:
        amount, place = amount // 1024, place + 1
    return f"{amount}{_BINARY[place]}"


def _exponent(amount: Decimal) -> str:
    text = _decimal(amount)
    suffix = text.lstrip("+-0123456789")
    power = 3 * (_DECIMAL.index(suffix) - 3)
    return text[: len(text) - len(suffix)] + (f"e{power}" if power else "")
