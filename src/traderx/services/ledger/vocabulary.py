"""An order in any of the words that callers use, read into one form.

The seed writes symbol, qty, BUY; the FINOS programs write security, quantity, accountId, Buy.
Every alias is accepted everywhere; two aliases of one field must agree.
Source: requirements.md C-30, traderx.md §9.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from traderx.services.errors import BadInput
from traderx.services.ledger.records import Side

SECURITY_WORDS = ("security", "symbol", "ticker")
QUANTITY_WORDS = ("quantity", "qty")
ACCOUNT_WORDS = ("accountId", "accountID", "accountid", "account")
ID_WORDS = ("id", "orderId", "clientOrderId")

LONGEST_ID = 50
LONGEST_SECURITY = 15
# FINOS counts in 32-bit integers, and its programs read our messages.
LARGEST_INTEGER = 2**31 - 1

_SIDES: Mapping[str, Side] = {"buy": "Buy", "sell": "Sell"}


@dataclass(frozen=True)
class Order:
    """What a caller wants done; ``id`` is empty when the caller did not name it."""

    id: str
    account_id: int
    security: str
    side: Side
    quantity: int


def read_order(body: Mapping[str, object], *, default_id: str = "", default_account: str = "") -> Order:
    """Return the order of a JSON object; the defaults stand in for absent fields.

    Raises: BadInput, naming the field, when one is absent, contradictory or out of range.
    """
    security = read_text(one_of(body, SECURITY_WORDS), "security", longest=LONGEST_SECURITY)
    quantity = read_integer(one_of(body, QUANTITY_WORDS), "quantity")
    if quantity < 1:
        raise BadInput(f"quantity must be at least 1: {quantity}")
    side_text = read_text(one_of(body, ("side",)), "side", longest=10)
    side = _SIDES.get(side_text.lower())
    if side is None:
        raise BadInput(f"side must be Buy or Sell: {side_text}")
    account = one_of(body, ACCOUNT_WORDS)
    account_id = read_integer(default_account or None if account is None else account, "accountId")
    order_id = one_of(body, ID_WORDS)
    if order_id is None or order_id == "":
        order_id = default_id
    return Order(
        id=read_text(order_id, "id", longest=LONGEST_ID) if order_id else "",
        account_id=account_id,
        security=security,
        side=side,
        quantity=quantity,
    )


def one_of(body: Mapping[str, object], words: tuple[str, ...]) -> object:
    """Return what a body has under any of the words, None when under none.

    Raises: BadInput when two of them differ.
    """
    found = {word: body[word] for word in words if body.get(word) is not None}
    if len({str(value) for value in found.values()}) > 1:
        raise BadInput(f"{' and '.join(found)} name the same thing and differ")
    return next(iter(found.values()), None)


def read_text(value: object, name: str, *, longest: int) -> str:
    """Return a value as a printable text without blanks around it.

    Raises: BadInput, naming the field, when it is missing, longer than that, or no text.
    """
    if value is None or value == "":
        raise BadInput(f"{name} is missing")
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text or not text.isprintable() or len(text) > longest:
        raise BadInput(f"{name} must be a text of at most {longest} characters")
    return text


def read_integer(value: object, name: str) -> int:
    """Return a value as a whole number of at most 32 bits; digits in a text are one.

    Raises: BadInput, naming the field.
    """
    if value is None or value == "":
        raise BadInput(f"{name} is missing")
    if isinstance(value, str) and value.strip().lstrip("-").isascii() and value.strip().lstrip("-").isdigit():
        value = int(value) if len(value) < 18 else LARGEST_INTEGER + 1
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput(f"{name} must be a whole number: {str(value)[:40]}")
    if abs(value) > LARGEST_INTEGER:
        raise BadInput(f"{name} must be at most {LARGEST_INTEGER}: {str(value)[:40]}")
    return value
