// How numbers, money and times are written on the page.

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });

const NONE = "–";
// A minus as wide as a digit, so that columns stay aligned.
const withMinus = (text) => text.replace("-", "−");

export const quantityText = (value) => withMinus(whole.format(value));
export const priceText = (value) => (value == null ? NONE : money.format(value));
export const valueText = (value) => (value == null ? NONE : withMinus(money.format(value)));
export const dollarText = (value) => (value == null ? NONE : `$${money.format(value)}`);

/** A sum to be read at a glance: $1.2M, −$31.4K. */
export const figureText = (value) => `${value < 0 ? "−" : ""}$${value ? compact.format(Math.abs(value)) : "0"}`;

/** The time of day for today's moments, else the day. */
export function momentText(milliseconds) {
  const moment = new Date(milliseconds);
  return moment.toDateString() === new Date().toDateString() ? clock.format(moment) : day.format(moment);
}

/** Milliseconds of a date that REST writes as ISO text and the feed as a number. */
export const milliseconds = (value) => (typeof value === "number" ? value : Date.parse(value));
