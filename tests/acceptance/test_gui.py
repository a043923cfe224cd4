"""The GUI in a real Chromium: an order made elsewhere appears without a reload, on a desk and on a phone."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.acceptance.system import System, call
from tests.acceptance.trading import position

pytestmark = pytest.mark.acceptance

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless Chromium of the system."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.requirement("R-263", "R-060")
def test_a_trade_booked_elsewhere_appears_without_a_reload(dev: System, browser: Browser, width: int) -> None:
    ingress = dev.status()["ingress"]
    page = browser.new_page(viewport={"width": width, "height": 844})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(dev.status()["gui"])
    page.get_by_label("Account").first.select_option("22214")
    expect(page.get_by_text("connected", exact=False).first).to_be_visible()
    before = position(ingress, 22214, "TSLA")
    expect(page.get_by_text(str(before + 11), exact=True)).to_have_count(0)

    call(
        f"{ingress}/api/trades/new",
        {"id": str(uuid.uuid4()), "symbol": "TSLA", "qty": 11, "side": "BUY", "accountId": 22214},
    )

    expect(page.get_by_text("TSLA", exact=True).first).to_be_visible()
    expect(page.get_by_text("Settled").first).to_be_visible()
    expect(page.get_by_text(str(before + 11), exact=True).first).to_be_visible()
    assert problems == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    kept = os.environ.get("TRADERX_SCREENSHOTS")
    if kept:
        page.screenshot(path=str(Path(kept) / f"gui-{width}.png"))
    page.close()
