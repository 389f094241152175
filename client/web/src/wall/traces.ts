// Live traces of chosen channels of one car. One scrolls back without losing the live: what came is kept, what
// was before is fetched over a connection of its own, at many times its speed.

import { html, LitElement, nothing } from "lit";

import type { WallChart } from "./chart.ts";
import { timeOfDay } from "./format.ts";
import { Past } from "./past.ts";
import type { RigFeed } from "./rig_feed.ts";
import { joined, Span, Trace } from "./trace.ts";

const PAST = 72000; // an hour of samples
export const WIDTHS = [15, 30, 60, 180, 600];

export class WallTraces extends LitElement {
  static override properties = { rig: { attribute: false }, channels: { attribute: false }, car: { attribute: false } };
  declare rig: RigFeed | null;
  declare channels: string[];
  declare car: number | null;
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
        <h3>${name}</h3><output data-channel=${name}></output>
        <wall-chart .curves=${curve(name, i)} .time=${true} data-at=${i} @wheel=${(event: WheelEvent) => this.wheel(event)}></wall-chart>
      </div>`)}`;
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
      chart.show([data[0], data[at] ?? []], range);
    }
    for (const output of this.querySelectorAll<HTMLOutputElement>("output[data-channel]")) {
      const column = data[this.channels.indexOf(output.dataset.channel ?? "") + 1];
      output.textContent = short(column?.[column.length - 1] ?? NaN);
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
    const past = new Past((this.rig as RigFeed).name, this.car, this.channels, from, until,
      (table) => {
        if (table.rows) taken.add(table.timeNs / 1e9, this.channels.map((name) => table.value(name, 0)));
        this.show();
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

function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}
