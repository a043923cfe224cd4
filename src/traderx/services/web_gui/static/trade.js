// The trade page: one account's ticket, positions and trades, live.

import { CallFailed, getJson, sendJson } from "./api.js";
import { Book } from "./book.js";
import { Combo } from "./combo.js";
import { byId, cell, element, flash, tell } from "./dom.js";
import { dollarText, figureText, momentText, priceText, quantityText, valueText } from "./format.js";

const ALL = 0;
const MOST_ROWS = 300;
// While the feed is there a reload only heals what a lost message broke; without it, it is all there is.
const RELOAD_MS = { connected: 15000, disconnected: 2500, connecting: 2500 };
const REMEMBERED = "traderx.account";

export class TradePage {
  constructor(feed) {
    this.feed = feed;
    this.securities = new Map();
    this.accounts = [];
    this.account = null;
    this.book = new Book();
    this.waiting = []; // messages that came before the first load was done
    this.isLoaded = false;
    this.sent = new Map(); // our own orders on their way: id → when
    this.combo = new Combo(byId("security"), byId("security-list"), {
      find: (text) => this.matching(text),
      render: (item) => [element("b", {}, [item.ticker]), element("span", { class: "soft" }, [item.companyName]), element("span", { class: "soft" }, [priceText(item.price)])],
      textOf: (item) => item.ticker,
      onPick: () => this.showTicket(),
    });
    byId("account").addEventListener("change", (event) => this.select(Number(event.target.value)));
    byId("ticket").addEventListener("submit", (event) => this.submit(event));
    byId("ticket").addEventListener("input", () => this.showTicket());
    byId("ticket").addEventListener("click", (event) => this.addQuantity(event));
    byId("positions").addEventListener("click", (event) => this.pickPosition(event));
    this.scheduleReload("connecting");
  }

  /** Load accounts and securities, and show the account looked at last. */
  async start() {
    const [accounts, securities] = await Promise.all([this.insist("/api/accounts"), this.insist("/api/reference-data")]);
    for (const security of securities) this.securities.set(security.ticker, security);
    this.showAccounts(accounts);
    const remembered = Number(localStorage.getItem(REMEMBERED));
    const known = accounts.some((account) => account.id === remembered);
    await this.select(known ? remembered : (accounts[accounts.length === 6 ? 5 : 0]?.id ?? ALL));
  }

  showAccounts(accounts) {
    this.accounts = accounts;
    const options = [{ id: ALL, displayName: "All accounts" }, ...accounts];
    byId("account").replaceChildren(...options.map(({ id, displayName }) =>
      element("option", { value: id }, [id === ALL ? displayName : `${displayName} (${id})`])));
    if (this.account !== null) byId("account").value = this.account;
  }

  async select(account) {
    this.account = account;
    localStorage.setItem(REMEMBERED, account);
    byId("account").value = account;
    this.book = new Book();
    this.waiting = [];
    this.isLoaded = false;
    for (const table of ["positions", "blotter"]) {
      byId(table).replaceChildren();
      byId(`${table}-empty`).hidden = true;
    }
    document.querySelector(".blotter").classList.toggle("all", account === ALL);
    this.showTicket();
    const shown = account === ALL ? this.accounts.map(({ id }) => id) : [account];
    this.feed.listenTo(shown.flatMap((id) => [`/accounts/${id}/trades`, `/accounts/${id}/positions`]));
    await this.load();
  }

  /** Load the account's rows; what the feed brought meanwhile is added after. */
  async load() {
    const account = this.account;
    if (account === null) return;
    const of = account === ALL ? "" : `/${account}`;
    const query = account === ALL ? "" : `&accountId=${account}`;
    let positions, trades;
    try {
      [positions, trades] = await Promise.all([getJson(`/api/positions${of}`), getJson(`/api/trades?limit=${MOST_ROWS}${query}`)]);
    } catch {
      return; // the next reload tries again, and the indicator says what is wrong
    }
    if (account !== this.account) return;
    const isFirst = !this.isLoaded;
    for (const data of trades.reverse()) this.takeTrade(data, !isFirst);
    for (const data of positions) this.takePosition(data, !isFirst);
    this.isLoaded = true;
    for (const envelope of this.waiting.splice(0)) this.hear(envelope);
    this.showFigures();
  }

  hear(envelope) {
    if (!this.isLoaded) {
      this.waiting.push(envelope);
      return;
    }
    if (envelope.type === "Trade") this.takeTrade(envelope.payload, true);
    if (envelope.type === "Position") this.takePosition(envelope.payload, true);
    this.showFigures();
  }

  onFeedState(state) {
    // Every failed attempt says "disconnected" again; starting the clock anew each time would stop it.
    if (state === this.feedState) return;
    this.feedState = state;
    this.scheduleReload(state);
    this.load();
  }

  scheduleReload(state) {
    clearInterval(this.reload);
    this.reload = setInterval(() => document.hidden || this.load(), RELOAD_MS[state]);
  }

  takeTrade(data, isNews) {
    if (this.account !== ALL && data.accountId !== this.account) return;
    const trade = this.book.takeTrade(data);
    if (!trade) return;
    if (trade.price == null) trade.price = this.securities.get(trade.security)?.price ?? null;
    const known = byId(`trade-${trade.id}`);
    const row = this.tradeRow(trade);
    if (known) known.replaceWith(row);
    else this.insertTrade(row, trade);
    if (isNews) flash(row);
    if (trade.state === "Settled" && this.sent.has(trade.id)) this.tellSettled(trade);
  }

  tradeRow(trade) {
    const value = trade.price == null ? null : trade.price * trade.quantity;
    return element("tr", { id: `trade-${trade.id}`, "data-created": trade.created }, [
      cell(momentText(trade.created), "soft"),
      cell(String(trade.accountId), "of-all soft"),
      cell(trade.security, "security"),
      cell(trade.side, `side ${trade.side}`),
      cell(quantityText(trade.quantity), "n"),
      cell(priceText(trade.price), "n wide soft price"),
      cell(valueText(value), "n wide"),
      element("td", { class: "s" }, [element("span", { class: `state ${trade.state}` }, [trade.state])]),
    ]);
  }

  insertTrade(row, trade) {
    const body = byId("blotter");
    const after = [...body.rows].find((other) => Number(other.dataset.created) <= trade.created);
    body.insertBefore(row, after ?? null);
    while (body.rows.length > MOST_ROWS) body.deleteRow(-1);
  }

  takePosition(data, isNews) {
    if (this.account !== ALL && data.accountId !== this.account) return;
    const position = this.book.takePosition(data);
    if (!position) return;
    const known = byId(`position-${position.security}`);
    const row = this.positionRow(position.security);
    if (known) known.replaceWith(row);
    else {
      const after = [...byId("positions").rows].find((other) => other.dataset.security > position.security);
      byId("positions").insertBefore(row, after ?? null);
    }
    if (isNews) flash(row);
    this.showTicket();
  }

  positionRow(security) {
    const quantity = this.book.held(security);
    const known = this.securities.get(security);
    const value = known ? known.price * quantity : null;
    const direction = quantity < 0 ? "short" : quantity > 0 ? "long" : "soft";
    return element("tr", { id: `position-${security}`, "data-security": security }, [
      element("td", { class: "holding", title: known?.companyName ?? "" }, [
        element("button", { type: "button", class: "pick", "aria-label": `Trade ${security}` }, [security]),
        element("span", { class: "soft" }, [known?.companyName ?? ""]),
      ]),
      cell(quantityText(quantity), `n ${direction}`),
      cell(priceText(known?.price), "n soft price"),
      cell(valueText(value), "n"),
    ]);
  }

  showFigures() {
    const rows = byId("positions").rows.length;
    let long = 0, short = 0;
    for (const { security, quantity } of this.book.positions.values()) {
      const value = (this.securities.get(security)?.price ?? 0) * quantity;
      if (value > 0) long += value;
      else short += value;
    }
    const trades = [...this.book.trades.values()];
    const settled = trades.filter((trade) => trade.state === "Settled").length;
    byId("figure-long").textContent = figureText(long);
    byId("figure-short").textContent = figureText(short);
    byId("figure-net").textContent = figureText(long + short);
    byId("figure-settled").textContent = `${settled} of ${trades.length}`;
    byId("positions-count").textContent = rows || "";
    byId("blotter-count").textContent = trades.length || "";
    byId("positions-empty").hidden = rows > 0;
    byId("blotter-empty").hidden = trades.length > 0;
  }

  matching(text) {
    const wanted = text.toLowerCase();
    const all = [...this.securities.values()];
    const byTicker = all.filter(({ ticker }) => ticker.toLowerCase().startsWith(wanted));
    const byName = all.filter(({ ticker, companyName }) => !ticker.toLowerCase().startsWith(wanted) && companyName.toLowerCase().includes(wanted));
    return [...byTicker, ...byName];
  }

  // A click on a position fills the ticket with its security.
  pickPosition(event) {
    const security = this.securities.get(event.target.closest("tr")?.dataset.security);
    if (security) this.combo.pick(security);
  }

  get side() {
    return byId("ticket").elements.side.value;
  }

  get quantity() {
    const value = byId("quantity").valueAsNumber;
    return Number.isInteger(value) && value > 0 ? value : 0;
  }

  showTicket() {
    const security = this.combo?.picked ?? null;
    const signed = this.side === "Buy" ? this.quantity : -this.quantity;
    const isAll = this.account === ALL;
    byId("ticket").dataset.side = this.side;
    byId("security-hint").textContent = security?.companyName ?? "";
    byId("ticket-price").textContent = dollarText(security?.price);
    byId("ticket-value").textContent = dollarText(security && this.quantity ? security.price * this.quantity : null);
    byId("ticket-after").textContent = security && !isAll ? quantityText(this.book.held(security.ticker) + signed) : "–";
    byId("submit").textContent = [this.side, this.quantity ? quantityText(this.quantity) : "", security?.ticker ?? ""].filter(Boolean).join(" ");
    byId("submit").disabled = isAll;
    if (isAll) tell(byId("outcome"), "Choose one account to trade in it.");
    else if (byId("outcome").textContent === "Choose one account to trade in it.") tell(byId("outcome"), "");
    for (const id of ["security", "quantity"]) byId(id).removeAttribute("aria-invalid");
  }

  addQuantity(event) {
    const step = event.target.closest("[data-add]")?.dataset.add;
    if (!step) return;
    byId("quantity").value = step === "clear" ? "" : this.quantity + Number(step);
    this.showTicket();
  }

  async submit(event) {
    event.preventDefault();
    const security = this.combo.picked;
    if (!security) return this.refuse("security", "Choose a security from the list.");
    if (!this.quantity) return this.refuse("quantity", "Enter a quantity of at least 1.");
    const order = { accountId: this.account, symbol: security.ticker, qty: this.quantity, side: this.side.toUpperCase() };
    // Our own id makes a repeated click, or a lost answer, harmless.
    order.id = crypto.randomUUID ? crypto.randomUUID() : `web-${Date.now()}-${Math.random().toString(16).slice(2)}`;
    const words = `${this.side} ${quantityText(this.quantity)} ${security.ticker}`;
    this.sent.set(order.id, { at: performance.now(), words });
    byId("submit").disabled = true;
    tell(byId("outcome"), `Sending: ${words}`);
    try {
      const trade = await sendJson("POST", "/api/trades/new", order);
      if (this.sent.has(order.id)) tell(byId("outcome"), `Accepted: ${words}`, "good");
      byId("quantity").value = ""; // a second click must not be a second order
      if (this.isLoaded) this.takeTrade(trade, true);
      this.showFigures();
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      this.sent.delete(order.id);
      tell(byId("outcome"), error.message, "bad");
    } finally {
      byId("submit").disabled = this.account === ALL;
    }
  }

  refuse(field, message) {
    tell(byId("outcome"), message, "bad");
    byId(field).setAttribute("aria-invalid", "true");
    byId(field).focus();
  }

  tellSettled(trade) {
    const { at, words } = this.sent.get(trade.id);
    this.sent.delete(trade.id);
    tell(byId("outcome"), `Settled: ${words}, after ${Math.round(performance.now() - at)} ms`, "good");
  }

  async insist(path) {
    for (;;) {
      try {
        return await getJson(path);
      } catch {
        await new Promise((resume) => setTimeout(resume, 1000));
      }
    }
  }
}
