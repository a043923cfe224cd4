// The status page: how every service is, asked again while the page is looked at.

import { byId, cell, element, tell } from "./dom.js";

const ASK_AGAIN_MS = 5000;

export class StatusPage {
  constructor() {
    this.seen = new Map(); // service → how often asked and how often up, in this session
  }

  show() {
    this.ask();
    this.timer = setInterval(() => this.ask(), ASK_AGAIN_MS);
  }

  hide() {
    clearInterval(this.timer);
  }

  async ask() {
    try {
      // 503 says that something is down, and what: an answer like any other.
      const response = await fetch("/health", { headers: { accept: "application/json" } });
      this.draw(await response.json());
    } catch {
      tell(byId("status-banner"), "TraderX cannot be reached.", "bad");
    }
  }

  draw({ services, checked }) {
    const down = services.filter(({ status }) => status !== "UP");
    const when = new Date(checked).toLocaleTimeString("en-GB");
    tell(byId("status-banner"), down.length ? `${down.length} of ${services.length} services down · ${when}` : `All ${services.length} services up · ${when}`, down.length ? "bad" : "good");
    byId("statuses").replaceChildren(...services.map((service) => this.row(service)));
  }

  row({ name, status, httpStatus, latencyMs, version, reason }) {
    const seen = this.seen.get(name) ?? { asked: 0, up: 0 };
    seen.asked += 1;
    seen.up += status === "UP" ? 1 : 0;
    this.seen.set(name, seen);
    return element("tr", {}, [
      cell(name, "security"),
      element("td", { class: "s" }, [element("span", { class: `state ${status}` }, [status])]),
      cell(httpStatus ? String(httpStatus) : "–", "n soft wide"),
      cell(latencyMs == null ? "–" : `${latencyMs.toFixed(1)} ms`, "n"),
      cell(version || "–", "wide"),
      cell(`${((100 * seen.up) / seen.asked).toFixed(0)} %`, "n wide"),
      cell(reason ?? "", "wide soft reason"),
    ]);
  }
}
