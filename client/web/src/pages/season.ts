// A season: which races, by which points, and the report of what they add up to.

import { html, nothing, render } from "lit";

import { ask, rigs, words } from "../parts/api.ts";
import { list, type Resource } from "../parts/catalog.ts";
import { header } from "../parts/header.ts";
import { look, wear } from "../parts/look.ts";

const RULES = ["default", "f1", "motogp", "indycar"] as const;
const FIELDS = ["event", "track", "vehicle_class", "points", "by_car"] as const;
type Wanted = Record<(typeof FIELDS)[number], string>;

class Page {
  private rig = "";
  private names: string[] = [];
  private events: Resource<"event">[] = [];
  private tracks: string[] = [];
  private wanted = Object.fromEntries(FIELDS.map((name) => [name, ""])) as Wanted;
  private wrong = "";

  async start(): Promise<void> {
    const query = new URLSearchParams(location.search);
    for (const name of FIELDS) this.wanted[name] = query.get(name) ?? "";
    this.names = (await rigs()).map(({ name }) => name);
    this.rig = query.get("rig") ?? this.names[0] ?? "";
    if (!this.rig) throw new Error("No rig is known here: `rig connect` adds one, `rigd run` starts one.");
    await this.load();
  }

  private async load(): Promise<void> {
    const path = `${encodeURIComponent(this.rig)}/sessions`;
    const query = { page_size: "1000", kind: "SESSION_KIND_RACE" };
    const [events, told] = await Promise.all([list<"event">(this.rig, "events").catch(() => []), ask<{ sessions?: { track_name?: string }[] }>(path, query)]);
    this.events = events;
    this.tracks = [...new Set((told.sessions ?? []).map(({ track_name }) => track_name ?? "").filter(Boolean))].sort();
    await this.probe();
    this.draw();
  }

  private get report(): string {
    const query = new URLSearchParams(Object.entries({ ...this.wanted, theme: look().theme === "light" ? "light" : "dark" }).filter(([, value]) => value));
    const key = new URLSearchParams(location.search).get("key");
    if (key) query.set("key", key);
    return `/report/${encodeURIComponent(this.rig)}?${query}`;
  }

  // A frame says nothing of an error: it is asked for first.
  private async probe(): Promise<void> {
    const response = await fetch(this.report);
    const told = response.ok ? {} : ((await response.json().catch(() => ({}))) as { error?: { message: string; hint?: string } });
    this.wrong = response.ok ? "" : [told.error?.message ?? `the gateway answers ${response.status}`, told.error?.hint].filter(Boolean).join(": ");
  }

  private set(name: keyof Wanted, value: string): void {
    this.wanted[name] = value;
    const query = new URLSearchParams(location.search);
    query.set("rig", this.rig);
    for (const [field, text] of Object.entries(this.wanted)) text ? query.set(field, text) : query.delete(field);
    history.replaceState(null, "", `?${query}`);
    this.probe().then(() => this.draw(), this.fail);
  }

  readonly fail = (error: unknown): void => {
    this.wrong = words(error);
    this.draw();
  };

  private draw(): void {
    wear(look());
    const choice = (name: keyof Wanted, title: string, options: readonly (readonly [string, string])[]) => html`<label>${title}
      <select @change=${(event: Event) => this.set(name, (event.target as HTMLSelectElement).value)}>
        ${options.map(([value, text]) => html`<option value=${value} ?selected=${value === this.wanted[name]}>${text}</option>`)}</select></label>`;
    const tools = html`<label>Rig <select @change=${(event: Event) => this.turn((event.target as HTMLSelectElement).value)}>
      ${[...new Set([this.rig, ...this.names])].map((name) => html`<option ?selected=${name === this.rig}>${name}</option>`)}</select></label>`;
    render(
      html`${header({ page: "season", rig: this.rig, look: look(), change: () => this.draw(), tools })}
        <main><div class="filters" role="group" aria-label="Which races">
          ${this.events.length ? choice("event", "Event", [["", "all"], ...this.events.map(({ name, event }) => [name, event.title ?? name] as const)]) : nothing}
          ${choice("track", "Track", [["", "all"], ...this.tracks.map((track) => [track, track] as const)])}
          <label>Class <input size="8" .value=${this.wanted.vehicle_class} @change=${(event: Event) => this.set("vehicle_class", (event.target as HTMLInputElement).value.trim())}></label>
          ${choice("points", "Points", RULES.map((rule) => [rule === "default" ? "" : rule, rule] as const))}
          <label><input type="checkbox" .checked=${this.wanted.by_car === "true"} @change=${(event: Event) => this.set("by_car", (event.target as HTMLInputElement).checked ? "true" : "")}> By car number</label></div>
        ${this.wrong ? html`<p class="trouble" role="alert">${this.wrong}</p>` : html`<iframe title="Season report" src=${this.report}></iframe>`}</main>`,
      document.body,
    );
  }

  private turn(rig: string): void {
    this.rig = rig;
    this.wanted = { ...this.wanted, event: "", track: "" };
    this.load().catch(this.fail);
  }
}

const page = new Page();
void page.start().catch(page.fail).then(() => (document.body.dataset.ready = ""));
