// Making elements and finding them.

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; texts become text, never markup. */
export function element(name, attributes = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== "" && value != null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export const cell = (text, className = "") => element("td", { class: className, title: text.length > 14 ? text : "" }, [text]);

/** Let a row light up once. */
export function flash(row) {
  row.classList.remove("flash");
  void row.offsetWidth; // the animation starts anew only after a layout
  row.classList.add("flash");
}

/** Write what came of an action, where screen readers hear it. */
export function tell(place, text, kind = "") {
  place.textContent = text;
  place.dataset.kind = kind;
}
