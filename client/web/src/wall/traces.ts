// Live traces of chosen channels of one car. One scrolls back without losing the live: what came is kept, what
// was before is fetched over a connection of its own, at many times its speed.

import { html, LitElement, nothing } from "lit";

import { shownAs, titled, type Shown } from "../parts/channels.ts";
import { fixed, timeOfDay } from "../parts/format.ts";
import type { WallChart } from "./chart.ts";
import { Past } from "./past.ts";
import { RATE_HZ, type RigFeed } from "./rig_feed.ts";
import { Table } from "../wire/table.ts";
import { joined, means, plainly, Span, Trace } from "./trace.ts";

const PAST = 72000; // an hour of samples
export const WIDTHS = [15, 30, 60, 180, 600];

export class WallTraces extends LitElement {
  static override properties = { rig: { attribute: false }, channels: { attribute: false }, car: { attribute: false }, units: { attribute: false }, imperial: { type: Boolean } };
  declare rig: RigFeed | null;
  declare channels: string[];
  declare car: number | null;
  declare units: ReadonlyMap<string, string>; // of channels
  declare imperial: boolean;
  private readonly span = new Span(60);
  private past = new Trace([], PAST); // what is shown of it
  private known = new Trace([], PAST); // what was fetched to the end
  private fetching: Past | null = null;
  private fetched = Infinity; // from here on the past is known
  private followed = "";
  private readonly paint = () => this.show();

  constructor() {
    super();
    this.rig = null;
    this.channels = [];
    this.car = null;
    this.units = new Map();
    this.imperial = false;
  }

  override createRenderRoot(): HTMLElement {
    return this;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.rig?.removeEventListener("trace", this.paint);
    this.fetching?.close();
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("rig")) return;
    (changed.get("rig") as RigFeed | null)?.removeEventListener("trace", this.paint);
    this.rig?.addEventListener("trace", this.paint);
  }

  protected override updated(): void {
    const followed = JSON.stringify([this.rig?.name, this.car, this.channels]);
    if (followed === this.followed) return;
    this.followed = followed;
    this.forget();
    this.show();
  }

  override render(): unknown {
    const until = this.span.until(this.rig?.newest ?? NaN);
    return html`
      <div class="tools" role="group" aria-label="Window of the traces">
        <button @click=${() => this.travel(-0.5)} title="Half a window back">◀ Back</button>
        <button @click=${() => this.travel(0.5)} ?disabled=${this.span.live} title="Half a window on">On ▶</button>
        <button class="follow" aria-pressed=${this.span.live} @click=${() => this.follow()}>Live</button>
        <label>Window <select @change=${(event: Event) => this.widen(event)}>
          ${WIDTHS.map((width) => html`<option value=${width} ?selected=${width === this.span.width}>${width < 60 ? `${width} s` : `${width / 60} min`}</option>`)}
        </select></label>
        <output class="until">${this.span.live ? nothing : html`until ${timeOfDay(until || 0)}${this.fetching ? ", fetching" : ""}`}</output>
      </div>
      ${this.channels.map((name, i) => html`<div class="strip">
        <h3 title=${name}>${titled(plainly(name))} <small>${this.shown(name).unit}</small></h3><output data-channel=${name}></output>
        <wall-chart .curves=${curve(name, i)} .time=${true} data-at=${i} @wheel=${(event: WheelEvent) => this.wheel(event)}></wall-chart>
      </div>`)}`;
  }

  // Unit and digits that people read; what a formula yields stands as it is.
  private shown(name: string): Shown {
    const bare = name.replace(/\[\w+\]$/, "");
    return shownAs(bare, this.units.get(bare) ?? "", this.imperial);
  }

  private show(): void {
    const rig = this.rig;
    if (!rig || rig.trace.channels.length !== this.channels.length) return;
    const until = this.span.until(rig.newest);
    if (!Number.isFinite(until)) return;
    if (this.fetched === Infinity && !this.fetching) this.reach(); // a page that was just opened shows a window too
    const range: [number, number] = [until - this.span.width, until];
    const data = joined(this.past, rig.trace, ...range);
    for (const chart of this.querySelectorAll<WallChart>("wall-chart")) {
      const at = Number(chart.dataset.at) + 1;
      chart.show([data[0], scaled(data[at] ?? new Float64Array(), this.shown(this.channels[at - 1] ?? ""))], range);
    }
    for (const output of this.querySelectorAll<HTMLOutputElement>("output[data-channel]")) {
      const name = output.dataset.channel ?? "", { factor, shift, digits } = this.shown(name);
      const column = data[this.channels.indexOf(name) + 1];
      output.textContent = fixed((column?.at(-1) ?? NaN) * factor + shift, digits);
    }
  }

  private travel(windows: number): void {
    const newest = this.rig?.newest ?? NaN;
    if (!Number.isFinite(newest)) return;
    this.span.scroll(windows * this.span.width, newest);
    this.moved();
  }

  private follow(): void {
    this.span.follow();
    this.moved();
  }

  private widen(event: Event): void {
    this.span.width = Number((event.target as HTMLSelectElement).value);
    this.moved();
  }

  private wheel(event: WheelEvent): void {
    if (!event.shiftKey && Math.abs(event.deltaX) < Math.abs(event.deltaY)) return; // the page scrolls
    event.preventDefault();
    this.travel(Math.sign(event.deltaX || event.deltaY) / 10);
  }

  private moved(): void {
    this.reach();
    this.requestUpdate();
    this.show();
  }

  // Have what the window shows.
  private reach(): void {
    const from = this.span.until(this.rig?.newest ?? NaN) - this.span.width;
    const known = Math.min(this.fetched, this.rig?.trace.first ?? Infinity);
    if (from < known - 0.5) this.fetch(from, known);
  }

  // Fetch from one time to where the known begins. One that runs is let go: this one covers it.
  private fetch(from: number, until: number): void {
    this.fetching?.close();
    const taken = (this.past = new Trace(this.channels, PAST));
    const cars = this.car === null ? { player: true } : { ids: [this.car] };
    const follow = { stream: "physics" as const, channels: this.channels, cars, rate: RATE_HZ };
    const past = new Past((this.rig as RigFeed).name, follow, from,
      (response) => {
        const tables = response.list("ticks").map((tick) => new Table(tick, this.channels));
        for (const table of tables) {
          const time = table.timeNs / 1e9;
          if (table.rows && time < until) taken.add(time, means(table, this.channels));
        }
        this.show();
        return tables.some((table) => table.timeNs / 1e9 >= until);
      },
      (whole) => {
        if (this.fetching !== past) return;
        this.fetching = null;
        taken.append(this.known);
        if (whole) [this.known, this.fetched] = [taken, from];
        this.requestUpdate();
        this.show();
      });
    this.fetching = past;
  }

  private forget(): void {
    this.fetching?.close();
    this.fetching = null;
    this.past = this.known = new Trace(this.channels, PAST);
    this.fetched = Infinity;
  }
}
customElements.define("wall-traces", WallTraces);

const curves = new Map<string, { label: string; colour: string; unit: string }[]>();

// The same list for the same curve, so that nothing is built anew.
function curve(name: string, at: number) {
  const key = `${name}/${at}`;
  if (!curves.has(key)) curves.set(key, [{ label: name, colour: `--curve-${(at % 6) + 1}`, unit: "" }]);
  return curves.get(key);
}

function scaled(values: Float64Array, { factor, shift }: Shown): Float64Array {
  return factor === 1 && shift === 0 ? values : values.map((value) => value * factor + shift);
}
