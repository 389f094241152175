// What is chosen on the page. All of it stands behind the # of the address, so that a link shows the same to
// somebody else; also from a file, where nothing else of an address may change.

import { look, type Look } from "../parts/look.ts";
import { readStrips, written, type Strip } from "./layout.ts";

export interface Chosen {
  /** Names of laps; the ideal lap is "ideal". */
  reference: string;
  lap: string;
  hidden: string[];
  /** Metres from the line. */
  at: number | null;
  zoom: [number, number] | null;
  strips: Strip[] | null;
  theme: Look["theme"];
  units: Look["units"];
}

export type Change = keyof Chosen;
const LEAST_ZOOM_M = 10;

export class View {
  readonly length: number;
  chosen: Chosen;
  private readonly watchers: ((changed: Set<Change>) => void)[] = [];
  private changed = new Set<Change>();
  private writing = 0;

  constructor(length: number, usual: Pick<Chosen, "reference" | "lap">) {
    this.length = length;
    this.chosen = { hidden: [], at: null, zoom: null, strips: null, ...look(), ...usual };
    this.chosen = { ...this.chosen, ...this.addressed() };
    addEventListener("hashchange", () => this.set({ ...this.addressed() }));
  }

  /** Call back once a frame with what has changed since. */
  watch(watcher: (changed: Set<Change>) => void): void {
    this.watchers.push(watcher);
  }

  set(some: Partial<Chosen>): void {
    const before = this.changed.size;
    for (const [name, value] of Object.entries(some) as [Change, never][]) {
      if (JSON.stringify(this.chosen[name]) === JSON.stringify(value)) continue;
      this.chosen[name] = value;
      this.changed.add(name);
    }
    if (!before && this.changed.size) requestAnimationFrame(() => this.tell());
  }

  get span(): [number, number] {
    return this.chosen.zoom ?? [0, this.length];
  }

  move(metres: number): void {
    this.set({ at: Math.min(Math.max(metres, 0), this.length) });
  }

  zoom(begin: number, end: number): void {
    const low = Math.max(Math.min(begin, end), 0);
    const high = Math.min(Math.max(begin, end), this.length);
    if (high - low < LEAST_ZOOM_M) return;
    this.set({ zoom: high - low > this.length - 1 ? null : [low, high] });
  }

  /** Zoom by a factor around the cursor, or the middle. */
  closer(factor: number): void {
    const [begin, end] = this.span;
    const at = this.chosen.at;
    const centre = at !== null && at >= begin && at <= end ? at : (begin + end) / 2;
    const wide = Math.min(Math.max((end - begin) * factor, 2 * LEAST_ZOOM_M), this.length);
    const share = (centre - begin) / (end - begin);
    const from = Math.min(Math.max(centre - share * wide, 0), this.length - wide);
    this.zoom(from, from + wide);
  }

  private tell(): void {
    const changed = this.changed;
    this.changed = new Set();
    for (const watcher of this.watchers) watcher(changed);
    clearTimeout(this.writing);
    // Browsers refuse more than some 100 changes of the address in 30 s.
    this.writing = window.setTimeout(() => this.write(), 400);
  }

  write(): void {
    const { reference, lap, hidden, at, zoom, strips, theme, units } = this.chosen;
    const told = new URLSearchParams({ ref: reference, lap });
    if (hidden.length) told.set("hide", hidden.join(","));
    if (at !== null) told.set("at", at.toFixed(1));
    if (zoom) told.set("zoom", zoom.map((place) => place.toFixed(1)).join("-"));
    if (strips) told.set("layout", written(strips));
    const usual = look();
    if (theme !== usual.theme) told.set("theme", theme);
    if (units !== usual.units) told.set("units", units);
    history.replaceState(null, "", `#${told}`);
  }

  private addressed(): Partial<Chosen> {
    const told = new URLSearchParams(location.hash.slice(1));
    const found: Partial<Chosen> = {};
    const reference = told.get("ref");
    const lap = told.get("lap");
    if (reference) found.reference = reference;
    if (lap) found.lap = lap;
    if (told.has("hide")) found.hidden = told.get("hide")!.split(",").filter(Boolean);
    const at = Number.parseFloat(told.get("at") ?? "");
    if (at >= 0 && at <= this.length) found.at = at;
    const [begin = NaN, end = NaN] = (told.get("zoom") ?? "").split("-").map(Number.parseFloat);
    if (begin >= 0 && end <= this.length && end - begin >= LEAST_ZOOM_M) found.zoom = [begin, end];
    const strips = told.has("layout") ? readStrips(told.get("layout")!) : null;
    if (strips) found.strips = strips;
    const { theme, units } = look(location.hash.slice(1));
    return { ...found, theme: told.has("theme") ? theme : look().theme, units: told.has("units") ? units : look().units };
  }
}
