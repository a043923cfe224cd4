// Brings the pages, the address bar and the live connection together.

import { getJson } from "./api.js";
import { AccountPage } from "./account.js";
import { byId } from "./dom.js";
import { Feed } from "./feed.js";
import { StatusPage } from "./status.js";
import { TradePage } from "./trade.js";

const TITLES = { trade: "Trade", account: "Accounts", status: "Status" };
const LIVE_TEXTS = { connecting: "Connecting", connected: "Connected", disconnected: "Disconnected" };

const feed = new Feed({
  onState: (state) => {
    byId("live").dataset.state = state;
    byId("live-text").textContent = LIVE_TEXTS[state];
    trade.onFeedState(state);
  },
  onMessage: (envelope) => trade.hear(envelope),
});
const trade = new TradePage(feed);
const pages = {
  trade: { show: () => {}, hide: () => {} },
  account: Object.assign(new AccountPage((accounts) => trade.showAccounts(accounts)), { hide: () => {} }),
  status: new StatusPage(),
};
let shown = null;

function show(name) {
  if (shown) {
    pages[shown].hide();
    byId(`page-${shown}`).hidden = true;
  }
  shown = name;
  byId(`page-${name}`).hidden = false;
  document.title = `${TITLES[name]} · TraderX`;
  for (const link of document.querySelectorAll("nav [data-page]")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  pages[name].show();
}

const pageOfAddress = () => location.pathname.split("/")[1] in TITLES ? location.pathname.split("/")[1] : "trade";

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-page]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.pathname);
  show(link.dataset.page);
});
addEventListener("popstate", () => show(pageOfAddress()));

show(pageOfAddress());
trade.start();
getJson("/info").then(({ version }) => { byId("release").textContent = `TraderX ${version}`; }, () => {});
