// A text field with suggestions (the ARIA 1.2 combobox): arrows move, Enter takes, Escape closes.

import { element } from "./dom.js";

const MOST_OPTIONS = 40;

export class Combo {
  /**
   * find(text) returns the matching items, render(item) the content of an option, textOf(item) what
   * the field shows once taken. onPick gets the item, or null when the text is edited again.
   */
  constructor(input, list, { find, render, textOf, onPick, optionClass = "" }) {
    Object.assign(this, { input, list, find, render, textOf, onPick, optionClass });
    this.items = [];
    this.at = -1;
    this.picked = null;
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", list.id);
    input.setAttribute("aria-expanded", "false");
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Suggestions");
    input.addEventListener("input", () => this.onInput());
    input.addEventListener("focus", () => this.open());
    input.addEventListener("blur", () => this.onBlur());
    input.addEventListener("keydown", (event) => this.onKey(event));
    list.addEventListener("mousedown", (event) => this.onPress(event));
  }

  clear() {
    this.input.value = "";
    this.picked = null;
    this.close();
    this.onPick(null);
  }

  onInput() {
    this.picked = null;
    this.onPick(null);
    this.open();
  }

  open() {
    this.items = this.find(this.input.value.trim()).slice(0, MOST_OPTIONS);
    const options = this.items.map((item, index) =>
      element("li", { id: `${this.list.id}-${index}`, role: "option", "aria-selected": "false", "data-index": index, class: this.optionClass }, this.render(item)));
    if (!options.length) options.push(element("li", { class: "none", role: "presentation" }, ["Nothing matches"]));
    this.list.replaceChildren(...options);
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.move(this.items.length && this.input.value ? 0 : -1);
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  move(index) {
    this.list.children[this.at]?.setAttribute("aria-selected", "false");
    this.at = index;
    const option = this.items.length ? this.list.children[index] : null;
    if (!option) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  pick(item) {
    this.picked = item;
    this.input.value = this.textOf(item);
    this.close();
    this.onPick(item);
  }

  onKey(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.list.hidden) this.open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (this.items.length) this.move((this.at + step + this.items.length) % this.items.length);
    } else if (event.key === "Enter" && !this.list.hidden && this.items[this.at]) {
      event.preventDefault();
      this.pick(this.items[this.at]);
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.preventDefault();
      this.close();
    }
  }

  // mousedown, not click: the field must not lose the focus first.
  onPress(event) {
    event.preventDefault();
    const option = event.target.closest("[data-index]");
    if (option) this.pick(this.items[Number(option.dataset.index)]);
  }

  // Leaving the field with its text spelt out is picking it.
  onBlur() {
    const text = this.input.value.trim().toLowerCase();
    const exact = this.picked ? null : this.items.find((item) => this.textOf(item).toLowerCase() === text);
    if (exact) this.pick(exact);
    this.close();
  }
}
