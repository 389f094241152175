// The garage: events with their sessions, vehicles with their configurations and setups.

import { html, nothing, render, type TemplateResult } from "lit";

import { addEvent, days, eventPanel, inOrder, sessionsOf } from "../garage/events.ts";
import type { Session, Shown } from "../garage/shown.ts";
import { byTitle } from "../garage/shown.ts";
import { addVehicle, type Garage, vehiclePanel } from "../garage/vehicles.ts";
import { ask, rigs, words } from "../parts/api.ts";
import { differences, list, type Resource } from "../parts/catalog.ts";
import { header } from "../parts/header.ts";
import { look, wear } from "../parts/look.ts";

const MOST_SESSIONS = "1000";

class Page implements Shown {
  rig = "";
  sessions: Session[] = [];
  vehicles: Resource<"vehicle">[] = [];
  private names: string[] = [];
  private events: Resource<"event">[] = [];
  private shown = "";
  private failed = ""; // why nothing of the rig can be shown
  private ofEvent: Resource<"event_session">[] = [];
  private readonly garage: Garage = {
    configurations: [], setups: [], assignments: [], picked: [], differences: undefined, said: "",
    pick: (name) => void this.pick(name),
    say: (text) => {
      this.garage.said = text;
      this.draw();
    },
  };

  async start(): Promise<void> {
    const query = new URLSearchParams(location.search);
    this.names = (await rigs()).map(({ name }) => name);
    this.rig = query.get("rig") ?? this.names[0] ?? "";
    this.shown = query.get("show") ?? "";
    this.garage.picked = query.getAll("setup").slice(0, 2);
    if (!this.rig) throw new Error("No rig is known here: `rig connect` adds one, `rigd run` starts one.");
    addEventListener("popstate", () => this.open(new URLSearchParams(location.search).get("show") ?? "", false));
    await this.reload();
    if (this.garage.picked.length === 2) await this.compare();
  }

  async reload(): Promise<void> {
    const path = `${encodeURIComponent(this.rig)}/sessions`;
    const [events, vehicles, told] = await Promise.all([
      list<"event">(this.rig, "events"), list<"vehicle">(this.rig, "vehicles"),
      ask<{ sessions?: Session[] }>(path, { page_size: MOST_SESSIONS }),
    ]);
    this.failed = "";
    [this.events, this.vehicles, this.sessions] = [inOrder(events), vehicles.sort((a, b) => byTitle(a.vehicle.title, b.vehicle.title)), told.sessions ?? []];
    await this.load();
    this.draw();
  }

  open(name: string, push = true): void {
    this.shown = name;
    Object.assign(this.garage, { picked: [], differences: undefined, said: "", setups: [], configurations: [] });
    this.ofEvent = [];
    if (push) history.pushState(null, "", this.address());
    this.draw();
    this.load().then(() => this.show(), this.fail);
  }

  link(query: Record<string, string>): string {
    const address = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(query)) address.set(name, value);
    return `?${address}`;
  }

  private async load(): Promise<void> {
    const { shown, rig, garage } = this;
    if (![...this.events, ...this.vehicles].some(({ name }) => name === shown)) return; // deleted meanwhile
    if (shown.startsWith("events/")) this.ofEvent = await sessionsOf(rig, shown);
    if (!shown.startsWith("vehicles/")) return;
    const [configurations, setups, assigned] = await Promise.all([
      list<"configuration">(rig, `${shown}/configurations`), list<"setup">(rig, `${shown}/setups`), list<"assignment">(rig, "assignments"),
    ]);
    const picked = garage.picked.filter((name) => setups.some((one) => one.name === name));
    Object.assign(garage, { configurations, setups, picked, assignments: assigned.map(({ assignment }) => assignment) });
    if (picked.length < 2) garage.differences = undefined;
  }

  private async pick(name: string): Promise<void> {
    const { garage } = this;
    garage.picked = garage.picked.includes(name) ? garage.picked.filter((one) => one !== name) : [...garage.picked, name].slice(-2);
    garage.differences = undefined;
    history.replaceState(null, "", this.address());
    this.draw();
    if (garage.picked.length === 2) await this.compare().catch(this.fail);
  }

  private async compare(): Promise<void> {
    const [first, second] = this.garage.picked;
    const found = await differences(this.rig, first!, second!);
    if (first === this.garage.picked[0] && second === this.garage.picked[1]) this.garage.differences = found;
    this.draw();
  }

  // Below the list, where there is no room beside it.
  private show(): void {
    this.draw();
    const panel = document.querySelector(".shown > .panel");
    if (this.shown && panel && panel.getBoundingClientRect().top > innerHeight / 2) panel.scrollIntoView();
  }

  readonly fail = (error: unknown): void => {
    this.failed = words(error);
    this.draw();
  };

  private address(): string {
    const query = new URLSearchParams(location.search);
    query.set("rig", this.rig);
    for (const name of ["show", "setup"]) query.delete(name);
    if (this.shown) query.set("show", this.shown);
    for (const name of this.garage.picked) query.append("setup", name);
    return `?${query}`.replaceAll("%2F", "/");
  }

  private draw(): void {
    wear(look());
    const tools = html`<label>Rig <select @change=${(event: Event) => this.turn((event.target as HTMLSelectElement).value)}>
      ${[...new Set([this.rig, ...this.names])].map((name) => html`<option ?selected=${name === this.rig}>${name}</option>`)}</select></label>`;
    const one = (name: string, title: string, small: string): TemplateResult => html`<li><button aria-pressed=${name === this.shown} @click=${() => this.open(name)}><b>${title}</b><small>${small}</small></button></li>`;
    render(
      html`${header({ page: "garage", rig: this.rig, look: look(), change: () => this.draw(), tools })}
        <main>${this.failed ? html`<p class="panel alone" role="alert">${this.failed}</p>` : html`<nav class="panel" aria-label="What is in the garage">
          <header><h2>Events</h2><button @click=${() => addEvent(this)}>New event</button></header>
          <ul>${this.events.map(({ name, event }) => one(name, event.title ?? name, days(event)))}</ul>
          ${this.events.length ? nothing : html`<p class="dim">A race weekend, a test day: none is entered yet.</p>`}
          <header><h2>Vehicles</h2><button @click=${() => addVehicle(this)}>New vehicle</button></header>
          <ul>${this.vehicles.map(({ name, vehicle }) => one(name, vehicle.title ?? name, [vehicle.number ? `#${vehicle.number}` : "", vehicle.vehicle_class].filter(Boolean).join(" ")))}</ul>
          ${this.vehicles.length ? nothing : html`<p class="dim">A car with its setups: none is entered yet.</p>`}</nav>
        <div class="shown">${this.content()}</div>`}</main>`,
      document.body,
    );
  }

  private content(): TemplateResult {
    const event = this.events.find(({ name }) => name === this.shown);
    if (event) return eventPanel(this, event, this.ofEvent);
    const vehicle = this.vehicles.find(({ name }) => name === this.shown);
    if (vehicle) return vehiclePanel(this, vehicle, this.garage);
    if (this.shown) return html`<p class="panel" role="alert">${this.shown} is not in this rig's catalog.</p>`;
    return html`<section class="panel"><h2>The garage of ${this.rig}</h2>
      <p class="text">Events hold the sessions of a weekend. Vehicles have configurations, the parts they are built with, and setups, which the game's .svm files bring. Notes, tags and the setup of a lap are beside it on the page of laps.</p></section>`;
  }

  private turn(rig: string): void {
    this.rig = rig;
    this.open("");
    this.reload().catch(this.fail);
  }
}

const page = new Page();
void page.start().catch(page.fail).then(() => (document.body.dataset.ready = ""));
