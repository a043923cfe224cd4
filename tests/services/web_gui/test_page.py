"""The trading desk in a real Chromium, on a phone and on a desk, in the dark and in the light."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.services.running import Desk, call, running_desk
from traderx.services.main import SERVICES

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {390: 844, 1280: 800}
ACCOUNT = "22214"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=WIDTHS, ids=lambda width: f"{width}px")
def page(request: pytest.FixtureRequest, browser: Browser, desk: Desk) -> Iterator[Page]:
    """The trade page with one account chosen; any error in the page fails the test."""
    width: int = request.param
    scheme = "dark" if width == 390 else "light"
    context = browser.new_context(
        viewport={"width": width, "height": WIDTHS[width]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    errors: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{desk.url('web-gui')}/trade")
    expect(page.locator("#live-text")).to_have_text("Connected")
    page.get_by_label("Account", exact=True).first.select_option(ACCOUNT)
    expect(page.locator("#positions tr")).not_to_have_count(0)
    yield page
    assert errors == []
    assert [url for url in asked if not url.startswith(desk.url("web-gui"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if folder := os.environ.get("TRADERX_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{request.node.name}.png"), full_page=width == 390)
    context.close()


def fill_ticket(page: Page, text: str, quantity: int, side: str = "Buy") -> None:
    page.locator(f"input[value={side}]").check()
    page.get_by_label("Security").fill(text)
    page.get_by_label("Security").press("Enter")
    page.get_by_label("Quantity", exact=True).fill(str(quantity))


@pytest.mark.requirement("R-254", "R-263")
def test_an_order_from_the_ticket_is_seen_settled(page: Page, desk: Desk) -> None:
    before = desk.held(int(ACCOUNT), "NFLX")
    fill_ticket(page, "netfl", 25)
    expect(page.locator("#ticket-price")).to_have_text("$706.10")
    expect(page.locator("#ticket-value")).to_have_text("$17,652.50")
    expect(page.locator("#submit")).to_have_text("Buy 25 NFLX")

    page.locator("#submit").click()

    expect(page.locator("#outcome")).to_contain_text("Settled: Buy 25 NFLX")
    first = page.locator("#blotter tr").first
    expect(first).to_contain_text("NFLX")
    expect(first.locator(".state")).to_have_text("Settled")
    expect(page.locator("#position-NFLX")).to_contain_text(str(before + 25))


@pytest.mark.requirement("R-263")
def test_a_trade_made_elsewhere_appears_in_place(page: Page, desk: Desk) -> None:
    rows = page.locator("#positions tr").count()
    trade_id = str(uuid.uuid4())

    desk.order(id=trade_id, symbol="IBM", qty=7, side="SELL", accountId=int(ACCOUNT))

    expect(page.locator(f"#trade-{trade_id} .state")).to_have_text("Settled")
    expect(page.locator(f"[id='trade-{trade_id}']")).to_have_count(1)
    expect(page.locator("#position-IBM")).to_contain_text(str(desk.held(int(ACCOUNT), "IBM")))
    assert page.locator("#positions tr").count() == rows


def test_a_trade_of_another_account_does_not_appear(page: Page, desk: Desk) -> None:
    other, mine = str(uuid.uuid4()), str(uuid.uuid4())

    desk.order(id=other, symbol="IBM", qty=1, side="SELL", accountId=10031)
    desk.settled(other)
    desk.order(id=mine, symbol="IBM", qty=1, side="SELL", accountId=int(ACCOUNT))

    expect(page.locator(f"#trade-{mine} .state")).to_have_text("Settled")
    expect(page.locator(f"[id='trade-{other}']")).to_have_count(0)


def test_all_accounts_shows_everything_and_takes_no_orders(page: Page, desk: Desk) -> None:
    page.get_by_label("Account", exact=True).first.select_option("0")
    trade_id = str(uuid.uuid4())

    desk.order(id=trade_id, symbol="IBM", qty=1, side="BUY", accountId=62654)

    expect(page.locator(f"#trade-{trade_id}")).to_contain_text("62654")
    expect(page.locator("#submit")).to_be_disabled()
    expect(page.locator("#outcome")).to_have_text("Choose one account to trade in it.")


def test_an_incomplete_ticket_is_explained_and_not_sent(page: Page) -> None:
    page.locator("#submit").click()
    expect(page.locator("#outcome")).to_have_text("Choose a security from the list.")
    expect(page.get_by_label("Security")).to_be_focused()

    page.get_by_label("Security").fill("ibm")
    page.get_by_label("Security").press("Enter")
    page.locator("#submit").click()

    expect(page.locator("#outcome")).to_have_text("Enter a quantity of at least 1.")
    expect(page.get_by_label("Quantity", exact=True)).to_have_attribute("aria-invalid", "true")


def test_the_ticket_works_by_keyboard_alone(page: Page) -> None:
    security = page.get_by_label("Security")
    security.focus()
    page.keyboard.type("ca")
    expect(security).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("option")).not_to_have_count(0)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(security).to_have_value("CAT")
    expect(security).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    page.keyboard.press("Enter")

    expect(page.locator("#outcome")).to_contain_text("Settled: Buy 3 CAT")


def test_accounts_can_be_made_renamed_and_staffed(page: Page) -> None:
    name = f"Desk {uuid.uuid4().hex[:6]}"
    page.get_by_role("link", name="Accounts").click()
    page.get_by_label("New account").fill(name)
    page.get_by_role("button", name="Add account").click()
    expect(page.locator("#account-outcome")).to_contain_text(f"Saved: {name}")

    page.get_by_role("button", name=f"Rename {name}").click()
    page.locator("#account-name").fill(f"{name} B")
    page.get_by_role("button", name="Save name").click()
    expect(page.locator("#account-outcome")).to_contain_text(f"Saved: {name} B")

    expect(page.locator("#user-account option", has_text=f"{name} B")).to_have_count(1)
    page.get_by_label("Person").fill("hiro")
    page.get_by_label("Person").press("Enter")
    page.locator("#user-account").select_option(label=page.locator("#user-account option", has_text=name).inner_text())
    page.get_by_role("button", name="Assign").click()
    expect(page.locator("#user-outcome")).to_contain_text("Hiroshi Tanaka works on")

    page.get_by_role("link", name="Trade", exact=True).click()
    expect(page.locator("#account option", has_text=f"{name} B")).to_have_count(1)


def test_the_status_page_shows_all_services(page: Page) -> None:
    page.get_by_role("link", name="Status").click()

    expect(page.locator("#status-banner")).to_contain_text("All 8 services up")
    expect(page.locator("#statuses .UP")).to_have_count(len(SERVICES))
    page.go_back()
    expect(page.locator("#page-trade")).to_be_visible()


@pytest.mark.parametrize("path", ["/trade", "/account", "/status"])
def test_every_control_has_a_name_and_nothing_moves(browser: Browser, desk: Desk, path: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) "
        "if (!entry.hadRecentInput) window.moved += entry.value; }).observe({type: 'layout-shift', buffered: true});"
    )
    page.goto(desk.url("web-gui") + path)
    expect(page.locator("#live-text")).to_have_text("Connected")
    page.wait_for_load_state("networkidle")

    nameless = page.evaluate(
        "[...document.querySelectorAll('input, select, button, a')].filter((one) => one.offsetParent && "
        "!(one.labels?.length || one.textContent.trim() || one.ariaLabel)).map((one) => one.outerHTML)"
    )
    assert nameless == []
    assert page.evaluate("window.moved") < 0.02
    page.close()


# The contrast of every text with the nearest opaque colour behind it (WCAG 2.2, 1.4.3).
FAINT_TEXTS = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.offsetParent || node.closest(".unseen, :disabled, script, style, option")) continue;
    const [a, b] = [luminance(channels(getComputedStyle(node).color)), luminance(behind(node))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(`${node.textContent.trim().slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return faint;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/trade", "/account", "/status"])
def test_every_text_can_be_read(browser: Browser, desk: Desk, path: str, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(desk.url("web-gui") + path)
    expect(page.locator("#live-text")).to_have_text("Connected")
    expect(page.locator("tbody:visible tr").first).to_be_visible()
    page.wait_for_function("document.getAnimations().length === 0")

    assert page.evaluate(FAINT_TEXTS) == []
    context.close()


def test_the_page_goes_on_without_the_feed_and_finds_it_again(tmp_path: Path, browser: Browser) -> None:
    with running_desk(tmp_path, *SERVICES) as desk:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(desk.url("web-gui"))
        page.get_by_label("Account", exact=True).first.select_option(ACCOUNT)
        expect(page.locator("#live-text")).to_have_text("Connected")
        desk.process("trade-feed").kill()
        expect(page.locator("#live-text")).to_have_text("Disconnected")

        without = desk.order(symbol="IBM", qty=1, side="BUY", accountId=int(ACCOUNT)).json["id"]
        expect(page.locator(f"[id='trade-{without}'] .state")).to_have_text("Settled", timeout=15_000)
        desk.start("trade-feed")
        expect(page.locator("#live-text")).to_have_text("Connected", timeout=15_000)
        after = desk.order(symbol="IBM", qty=1, side="BUY", accountId=int(ACCOUNT)).json["id"]

        expect(page.locator(f"[id='trade-{after}'] .state")).to_have_text("Settled", timeout=15_000)
        held = call(f"{desk.url('position-service')}/positions/{ACCOUNT}").json
        assert {one["security"]: one["quantity"] for one in held}["IBM"] == 402
        expect(page.locator("#position-IBM")).to_contain_text("402")
        page.close()
