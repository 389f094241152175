// Sessions and laps of a rig: filtered, the best of them marked, two picked to compare.

import { html, nothing, render, type TemplateResult } from "lit";

import { ask, words } from "../parts/api.ts";
import { list, type Resource } from "../parts/catalog.ts";
import { sentence } from "../parts/channels.ts";
import { dateTime, lapTime } from "../parts/format.ts";
import { header, linked } from "../parts/header.ts";
import { look, wear } from "../parts/look.ts";
import { Chat } from "./chat.ts";
import { LapNotes } from "./notes.ts";

interface Session {
  name: string;
  track_name?: string;
  kind?: string;
  start_time_ns?: string;
  laps?: number;
  best_lap_time?: number;
}

interface Lap {
  name: string;
  number?: number;
  driver?: string;
  vehicle?: string;
  vehicle_class?: string;
  lap_time?: number;
  sector1?: number;
  sector2?: number;
  sector3?: number;
  valid?: boolean;
  complete?: boolean;
  in_lap?: boolean;
  out_lap?: boolean;
  place?: number;
  stint?: number;
  track_name?: string;
}

type Filters = Record<"session" | "track" | "car" | "class" | "driver" | "tag" | "valid" | "sort", string>;

const PAGE_SIZE = 1000;
const MOST_PAGES = 5;
const MOST_PICKED = 20;
const NO_FILTERS: Filters = { session: "", track: "", car: "", class: "", driver: "", tag: "", valid: "", sort: "time" };

/** Return all of a list that comes in pages, 5,000 at most. */
async function all<T>(rig: string, name: "sessions" | "laps", query: Record<string, string> = {}): Promise<T[]> {
  const found: T[] = [];
  let token = "";
  for (let page = 0; page < MOST_PAGES; page++) {
    const told = await ask<Record<string, unknown>>(`${encodeURIComponent(rig)}/${name}`, {
      ...query,
      page_size: String(PAGE_SIZE),
      ...(token ? { page_token: token } : {}),
    });
    found.push(...((told[name] as T[] | undefined) ?? []));
    token = String(told.next_page_token ?? "");
    if (!token) break;
  }
  return found;
}

/** The name's end, car012-0003. */
function short(lap: Lap): string {
  return lap.name.slice(lap.name.lastIndexOf("/") + 1);
}

/** Whether a time may be the best: a whole lap that counts. */
function counts(lap: Lap): boolean {
  return Boolean(lap.valid && lap.complete && (lap.lap_time ?? 0) > 0);
}

class Page {
  private rig = "";
  private rigs: string[] = [];
  private sessions: Session[] = [];
  private laps: Lap[] = [];
  private filters: Filters = { ...NO_FILTERS };
  private picked: string[] = [];
  private shown = 200;
  private notes = new Map<string, number>(); // how many, by lap
  private tags = new Map<string, string[]>(); // by lap
  private wrong = "";

  async start(): Promise<void> {
    const query = new URLSearchParams(location.search);
    for (const name of Object.keys(NO_FILTERS) as (keyof Filters)[]) this.filters[name] = query.get(name) ?? NO_FILTERS[name];
    this.picked = query.getAll("lap").slice(0, MOST_PICKED);
    wear(look());
    const told = await ask<{ rigs: { name: string }[] }>("rigs");
    this.rigs = told.rigs.map((rig) => rig.name);
    this.rig = query.get("rig") ?? this.rigs[0] ?? "";
    if (!this.rig) throw new Error("No rig is known here: `rig connect` adds one, `rigd run` starts one.");
    await this.load();
  }

  private async load(): Promise<void> {
    this.sessions = await all<Session>(this.rig, "sessions");
    if (this.filters.session && !this.sessions.some((one) => one.name === this.filters.session)) this.filters.session = "";
    await this.loadLaps();
  }

  private async loadLaps(): Promise<void> {
    const { session } = this.filters;
    this.laps = await all<Lap>(this.rig, "laps", session ? { parent: session } : {});
    await this.loadNotes();
    this.wrong = "";
    document.body.dataset.ready = "";
    this.draw();
  }

  /** Say what went wrong; another rig can be chosen still. */
  readonly fail = (error: unknown): void => {
    this.wrong = words(error);
    this.draw();
  };

  /** Take what was said of laps; a rig without a catalog has nothing. */
  private async loadNotes(): Promise<void> {
    const none = (): never[] => [];
    const [notes, tags] = await Promise.all([list<"note">(this.rig, "notes").catch(none), list<"tag">(this.rig, "tags").catch(none)]);
    this.notes = new Map();
    for (const { note } of notes as Resource<"note">[]) this.notes.set(note.target, (this.notes.get(note.target) ?? 0) + 1);
    this.tags = new Map();
    for (const { tag } of tags as Resource<"tag">[]) this.tags.set(tag.target, [...(this.tags.get(tag.target) ?? []), tag.text]);
  }

  /** Show what was said of a lap, in a dialog, with the assistant below it. */
  private open(lap: Lap): void {
    const dialog = document.querySelector<HTMLDialogElement>("#said")!;
    const title = `${lap.driver ?? ""}, ${short(lap)}, ${lapTime(lap.lap_time ?? NaN)}`;
    render(html`<header><h2>${title}</h2><button @click=${() => dialog.close()}>Close</button></header>`, dialog.querySelector<HTMLElement>("#said-head")!);
    const changed = (): void => void this.loadNotes().then(() => this.draw(), this.fail);
    const notes = new LapNotes(this.rig, dialog.querySelector<HTMLElement>("#said-notes")!, changed);
    const chat = new Chat(this.rig, dialog.querySelector<HTMLElement>("#said-chat")!, () => void notes.show(lap.name));
    void notes.show(lap.name);
    void chat.about(lap.complete ? lap.name : "");
    if (!dialog.open) dialog.showModal();
  }

  private set(some: Partial<Filters>): void {
    const before = this.filters.session;
    this.filters = { ...this.filters, ...some };
    this.shown = 200;
    if (this.filters.session === before) return this.draw();
    this.loadLaps().catch(this.fail);
  }

  private track(lap: Lap): string {
    const session = this.sessions.find((one) => lap.name.startsWith(`${one.name}/`));
    return lap.track_name || session?.track_name || "";
  }

  private get filtered(): Lap[] {
    const { track, car, class: kind, driver, tag, valid, sort } = this.filters;
    const wanted = driver.toLowerCase();
    const found = this.laps.filter(
      (lap) =>
        (!track || this.track(lap) === track) &&
        (!car || lap.vehicle === car) &&
        (!kind || lap.vehicle_class === kind) &&
        (!wanted || (lap.driver ?? "").toLowerCase().includes(wanted)) &&
        (!tag || this.tags.get(lap.name)?.includes(tag)) &&
        (!valid || counts(lap)),
    );
    const time = (lap: Lap): number => lap.lap_time || Infinity;
    if (sort === "time") found.sort((a, b) => Number(counts(b)) - Number(counts(a)) || time(a) - time(b));
    return found;
  }

  private write(): void {
    const here = new URLSearchParams(location.search);
    const query = new URLSearchParams(this.rig ? { rig: this.rig } : {});
    for (const [name, value] of Object.entries(this.filters)) if (value && value !== NO_FILTERS[name as keyof Filters]) query.set(name, value);
    for (const name of this.picked) query.append("lap", name);
    for (const name of ["key", "theme", "units", "delay"]) if (here.has(name)) query.set(name, here.get(name)!);
    history.replaceState(null, "", `?${query}`);
  }

  private draw(): void {
    this.write();
    render(this.bar(), document.querySelector<HTMLElement>("#bar")!);
    const trouble = document.querySelector<HTMLElement>("#trouble")!;
    [trouble.textContent, trouble.hidden] = [this.wrong, !this.wrong];
    render(this.sessionList(), document.querySelector<HTMLElement>("#sessions")!);
    render(this.filterRow(), document.querySelector<HTMLElement>("#filters")!);
    render(this.table(), document.querySelector<HTMLElement>("#list")!);
  }

  private bar(): TemplateResult {
    const many = this.filters.session || this.sessions.length === 1 ? "one session" : `${this.sessions.length} sessions`;
    const tools = html`<label>Rig <select @change=${(event: Event) => this.turn((event.target as HTMLSelectElement).value)}>
      ${[...new Set([this.rig, ...this.rigs])].map((name) => html`<option ?selected=${name === this.rig}>${name}</option>`)}</select></label>`;
    return header({ page: "laps", rig: this.rig, look: look(), change: () => this.draw(), about: html`${this.laps.length} laps of ${many}`, tools });
  }

  private turn(rig: string): void {
    this.rig = rig;
    [this.sessions, this.laps, this.picked] = [[], [], []];
    this.filters = { ...NO_FILTERS };
    this.load().catch(this.fail);
  }

  private sessionList(): TemplateResult {
    const one = (name: string, title: string, kind: string, told: string): TemplateResult =>
      html`<button aria-pressed=${this.filters.session === name} @click=${() => this.set({ session: name })}>
        <b>${title}</b><small>${kind}</small><small>${told}</small></button>`;
    return html`${one("", "All sessions", "", `${this.sessions.length} of this rig`)}
      ${this.sessions.map((session) => one(session.name, session.track_name ?? "", kindOf(session), facts(session)))}`;
  }

  private filterRow(): TemplateResult {
    const options = (name: keyof Filters, of: (lap: Lap) => string | string[] | undefined): TemplateResult => {
      const values = [...new Set([this.filters[name], ...this.laps.flatMap(of)])].filter((value): value is string => Boolean(value)).sort();
      return html`<label>${sentence(name)} <select aria-label=${sentence(name)} @change=${(event: Event) => this.set({ [name]: (event.target as HTMLSelectElement).value })}>
        <option value="">all</option>${values.map((value) => html`<option ?selected=${value === this.filters[name]}>${value}</option>`)}</select></label>`;
    };
    const enough = this.picked.length >= 2;
    return html`${options("track", (lap) => this.track(lap))} ${options("class", (lap) => lap.vehicle_class)} ${options("car", (lap) => lap.vehicle)}
      ${this.tags.size ? options("tag", (lap) => this.tags.get(lap.name)) : nothing}
      <label>Driver <input type="search" .value=${this.filters.driver} @input=${(event: Event) => this.set({ driver: (event.target as HTMLInputElement).value })}></label>
      <label><input type="checkbox" ?checked=${Boolean(this.filters.valid)} @change=${(event: Event) => this.set({ valid: (event.target as HTMLInputElement).checked ? "1" : "" })}> Valid only</label>
      ${this.picked.length ? html`<button @click=${() => this.pick([])}>Clear ${this.picked.length}</button>` : nothing}
      <a class="go" aria-disabled=${!enough} href=${enough ? this.link() : "#list"}>${enough ? `Compare ${this.picked.length} laps` : "Pick two laps to compare"}</a>`;
  }

  /** The first one picked is the reference. */
  private link(): string {
    const query = new URLSearchParams(this.picked.map((name, at) => [at === 0 ? "a" : "b", name]));
    return `${linked("compare", this.rig)}&${query}`;
  }

  private pick(names: string[]): void {
    this.picked = names.slice(-MOST_PICKED);
    this.draw();
  }

  private table(): TemplateResult {
    const laps = this.filtered;
    if (!laps.length && this.wrong) return html``;
    if (!laps.length) return html`<p class="empty">${this.laps.length ? "No lap is left of these filters." : "No lap is here yet: a lap appears a minute after it ended."}</p>`;
    const best = this.bests();
    const sorted = (name: string): string => (this.filters.sort === name ? "descending" : "none");
    return html`<table>
        <thead><tr><th></th><th class="word">Lap</th><th class="word">Driver</th><th class="word wide">Car</th><th class="word">Class</th>
          <th aria-sort=${sorted("time")}><button @click=${() => this.set({ sort: this.filters.sort === "time" ? "order" : "time" })}>Time</button></th>
          <th class="wide">S1</th><th class="wide">S2</th><th class="wide">S3</th><th class="word">Notes</th></tr></thead>
        <tbody>${laps.slice(0, this.shown).map((lap) => this.row(lap, best))}</tbody>
      </table>
      ${laps.length > this.shown ? html`<p class="empty"><button @click=${() => {
        this.shown += 400;
        this.draw();
      }}>${laps.length - this.shown} more</button></p>` : nothing}`;
  }

  /** The best time of a track and class, and of a driver there; of sectors as well. */
  private bests(): Map<string, number> {
    const best = new Map<string, number>();
    for (const lap of this.laps.filter(counts)) {
      for (const [field, value] of times(lap)) {
        for (const key of [this.key(lap, field), this.key(lap, field, true)]) best.set(key, Math.min(best.get(key) ?? Infinity, value));
      }
    }
    return best;
  }

  private key(lap: Lap, field: string, own = false): string {
    return JSON.stringify([field, this.track(lap), lap.vehicle_class, own ? lap.driver : null]);
  }

  private row(lap: Lap, best: Map<string, number>): TemplateResult {
    const picked = this.picked.includes(lap.name);
    const kind = (field: string, value: number | undefined): string => {
      if (!counts(lap) || value === undefined) return "";
      if (best.get(this.key(lap, field)) === value) return "overall";
      return best.get(this.key(lap, field, true)) === value ? "own" : "";
    };
    const titles: Record<string, string> = { overall: "Best of its class here", own: "This driver's best", "": "" };
    const cell = (field: "lap_time" | "sector1" | "sector2" | "sector3"): TemplateResult => {
      const value = lap[field];
      const mark = kind(field, value);
      return html`<td class="${mark} ${field === "lap_time" ? "" : "wide"}" title=${titles[mark]!}>${field === "lap_time" ? lapTime(value ?? NaN) : lapTime(value || NaN)}${mark === "overall" && field === "lap_time" ? " ★" : ""}</td>`;
    };
    const notes = [lap.complete ? "" : "part", lap.valid ? "" : "not valid", lap.out_lap ? "out" : "", lap.in_lap ? "in" : ""].filter(Boolean);
    return html`<tr class=${picked ? "chosen" : ""} data-lap=${lap.name}>
      <td><input type="checkbox" aria-label="pick ${short(lap)}" .checked=${picked} ?disabled=${!lap.complete}
        @change=${() => this.pick(picked ? this.picked.filter((name) => name !== lap.name) : [...this.picked, lap.name])}></td>
      <td class="word num dim">${short(lap)}</td><td class="word"><b>${lap.driver ?? ""}</b></td><td class="word wide">${lap.vehicle ?? ""}</td>
      <td class="word">${lap.vehicle_class ?? ""}</td>${cell("lap_time")}${cell("sector1")}${cell("sector2")}${cell("sector3")}
      <td class="word dim">${notes.join(", ")}${this.said(lap)}</td></tr>`;
  }

  private said(lap: Lap): TemplateResult {
    const count = this.notes.get(lap.name) ?? 0;
    return html` ${(this.tags.get(lap.name) ?? []).map((tag) => html`<span class="tag">${tag}</span>`)}<button class="open" aria-label="Notes of ${short(lap)}" @click=${() => this.open(lap)}>${count ? `${count} ${count === 1 ? "note" : "notes"}` : "+"}</button>`;
  }
}

function times(lap: Lap): [string, number][] {
  const pairs: [string, number | undefined][] = [["lap_time", lap.lap_time], ["sector1", lap.sector1], ["sector2", lap.sector2], ["sector3", lap.sector3]];
  return pairs.filter((pair): pair is [string, number] => typeof pair[1] === "number" && pair[1] > 0);
}

function kindOf(session: Session): string {
  return sentence((session.kind ?? "").replace("SESSION_KIND_", "").replace("UNSPECIFIED", "").replaceAll("_", " ").toLowerCase());
}

function facts(session: Session): string {
  const ns = session.start_time_ns ?? "0";
  const when = ns === "0" ? session.name.replace("sessions/", "") : dateTime(Number(ns) / 1e9);
  const best = session.best_lap_time ? `best ${lapTime(session.best_lap_time)}` : "";
  return [when, `${session.laps ?? 0} laps`, best].filter(Boolean).join(" · ");
}

const page = new Page();
page.start().catch(page.fail);
