// The accounts page: make and rename accounts, put people on them.

import { CallFailed, getJson, sendJson } from "./api.js";
import { Combo } from "./combo.js";
import { byId, cell, element, tell } from "./dom.js";

export class AccountPage {
  /** onAccounts gets the accounts after every change. */
  constructor(onAccounts) {
    this.onAccounts = onAccounts;
    this.people = [];
    this.accounts = [];
    this.edited = null;
    this.combo = new Combo(byId("person"), byId("person-list"), {
      find: (text) => this.matching(text),
      render: (person) => [element("span", {}, [person.fullName]), element("span", { class: "soft" }, [`${person.logonId} · ${person.department}`])],
      textOf: (person) => person.fullName,
      onPick: () => {},
      optionClass: "people",
    });
    byId("account-form").addEventListener("submit", (event) => this.save(event));
    byId("account-reset").addEventListener("click", () => this.edit(null));
    byId("accounts").addEventListener("click", (event) => this.onAccountClick(event));
    byId("user-form").addEventListener("submit", (event) => this.assign(event));
  }

  async show() {
    try {
      const [accounts, users, people] = await Promise.all([getJson("/api/accounts"), getJson("/api/account-users"), getJson("/api/people")]);
      this.people = people;
      this.showAccounts(accounts, users);
      this.showUsers(users);
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      tell(byId("account-outcome"), error.message, "bad");
    }
  }

  showAccounts(accounts, users) {
    this.accounts = accounts;
    byId("accounts-count").textContent = accounts.length;
    byId("accounts").replaceChildren(...accounts.map(({ id, displayName }) =>
      element("tr", { "aria-selected": String(id === this.edited) }, [
        cell(String(id), "id soft"),
        cell(displayName),
        cell(String(users.filter((user) => user.accountId === id).length), "n id wide"),
        element("td", { class: "act" }, [element("button", { type: "button", "data-id": id, "aria-label": `Rename ${displayName}` }, ["Rename"])]),
      ])));
    const chosen = byId("user-account").value;
    byId("user-account").replaceChildren(...accounts.map(({ id, displayName }) => element("option", { value: id }, [`${displayName} (${id})`])));
    if (chosen) byId("user-account").value = chosen;
    this.onAccounts(accounts);
  }

  showUsers(users) {
    const nameOf = new Map(this.accounts.map(({ id, displayName }) => [id, displayName]));
    const personOf = new Map(this.people.map((person) => [person.logonId, person]));
    byId("users-count").textContent = users.length;
    byId("users").replaceChildren(...users.map(({ accountId, username }) =>
      element("tr", {}, [
        cell(nameOf.get(accountId) ?? String(accountId)),
        cell(personOf.get(username)?.fullName ?? username),
        cell(username, "id soft"),
      ])));
  }

  matching(text) {
    const wanted = text.toLowerCase();
    return this.people.filter(({ fullName, logonId }) => fullName.toLowerCase().includes(wanted) || logonId.includes(wanted));
  }

  onAccountClick(event) {
    const id = event.target.closest("[data-id]")?.dataset.id;
    if (id) this.edit(this.accounts.find((account) => account.id === Number(id)));
  }

  edit(account) {
    this.edited = account?.id ?? null;
    byId("account-name-label").textContent = account ? `New name for ${account.id}` : "New account";
    byId("account-name").value = account?.displayName ?? "";
    byId("account-save").textContent = account ? "Save name" : "Add account";
    tell(byId("account-outcome"), "");
    if (account) byId("account-name").select();
  }

  async save(event) {
    event.preventDefault();
    const displayName = byId("account-name").value.trim();
    if (!displayName) return tell(byId("account-outcome"), "Enter a display name.", "bad");
    await this.attempt(byId("account-outcome"), async () => {
      const saved = await sendJson(this.edited ? "PUT" : "POST", "/api/accounts", { id: this.edited, displayName });
      this.edit(null);
      return `Saved: ${saved.displayName} (${saved.id})`;
    });
  }

  async assign(event) {
    event.preventDefault();
    const person = this.combo.picked;
    const username = person?.logonId ?? byId("person").value.trim();
    if (!username) return tell(byId("user-outcome"), "Choose a person from the list.", "bad");
    await this.attempt(byId("user-outcome"), async () => {
      const user = await sendJson("POST", "/api/account-users", { accountId: Number(byId("user-account").value), username });
      this.combo.clear();
      return `${person?.fullName ?? username} works on ${user.accountId}`;
    });
  }

  async attempt(place, action) {
    try {
      tell(place, await action(), "good");
      await this.show();
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      tell(place, error.message, "bad");
    }
  }
}
