// What an account holds and traded, kept right whatever arrives in whatever order.
//
// Both the services' answers and the feed's messages go through here. A trade never goes back to
// an earlier state; a position never goes back to an earlier moment (the services make `updated`
// rise with every change).

import { milliseconds } from "./format.js";

const RANK = { New: 0, Pending: 0, Processing: 1, Settled: 2, Cancelled: 2 };

export class Book {
  constructor() {
    this.trades = new Map();
    this.positions = new Map();
  }

  /** Take a trade in; return it as it is now, null when nothing changed. */
  takeTrade(data) {
    const known = this.trades.get(data.id);
    const trade = {
      id: data.id,
      accountId: data.accountId,
      security: data.security ?? data.symbol,
      side: data.side[0].toUpperCase() + data.side.slice(1).toLowerCase(),
      quantity: data.quantity ?? data.qty,
      state: data.state,
      created: milliseconds(data.created),
      price: data.price ?? known?.price ?? null,
    };
    if (known && (RANK[known.state] > RANK[trade.state] || (known.state === trade.state && known.price === trade.price))) return null;
    this.trades.set(trade.id, trade);
    return trade;
  }

  /** Take a position in; return it, null when it is not newer than what is known. */
  takePosition(data) {
    const key = `${data.accountId}/${data.security}`;
    const updated = milliseconds(data.updatedAt ?? data.updated);
    const known = this.positions.get(key);
    if (known && known.updated >= updated) return null;
    const position = { accountId: data.accountId, security: data.security, quantity: data.quantity, updated };
    this.positions.set(key, position);
    return position;
  }

  /** How much is held of one security, over all accounts in the book. */
  held(security) {
    let total = 0;
    for (const position of this.positions.values()) if (position.security === security) total += position.quantity;
    return total;
  }
}
