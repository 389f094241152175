// The dash of a car: gear, speed, rpm lights, pedals and steering.

import { css, html } from "lit";
import type { Feed } from "../wire/feed.ts";
import type { Table } from "../wire/table.ts";
import { Canvas, themed } from "../parts/canvas.ts";
import { RigElement } from "../parts/element.ts";
import { fixed, inUnits } from "../parts/format.ts";

const CHANNELS = ["gear", "speed", "engine_rpm", "engine_max_rpm", "throttle", "brake", "clutch", "steering"];
const LIGHTS = 12;
// Share of the rev limit at which the first and the last light come on.
const FIRST_LIGHT = 0.72;
const LAST_LIGHT = 0.965;
const TRACE_S = 6;

type Sample = { at: number; throttle: number; brake: number };

export class RigDash extends RigElement {
  static override styles = css`
    :host { display: grid; grid-template: auto auto 4.5rem / 1fr auto 1fr; gap: 0.5rem 1rem; width: 22rem; padding: 0.75rem 1rem;
      background: color-mix(in srgb, var(--panel) 88%, transparent); border-radius: 0.5rem; color: var(--text); align-items: center; }
    :host([stale]) .value { opacity: 0.45; }
    .lights { grid-column: 1 / -1; display: grid; grid-template-columns: repeat(12, 1fr); gap: 0.25rem; height: 0.75rem; }
    .lights i { border-radius: 0.125rem; background: var(--raised); border: 1px solid var(--line); }
    .lights i.on { background: var(--own); border-color: var(--own); }
    .lights i.on.late { background: var(--slower); border-color: var(--slower); }
    .lights i.on.last { background: var(--danger); border-color: var(--danger); }
    .gear { font-size: 4rem; line-height: 1; font-weight: 700; width: 2.75rem; text-align: center; }
    .side { display: grid; line-height: 1.1; }
    .side b { font-size: 2rem; font-weight: 600; }
    .side small { color: var(--quiet); font-size: 0.8125rem; }
    .right { text-align: right; }
    canvas { grid-column: 1 / -1; width: 100%; height: 4.5rem; display: block; }
    .words { grid-column: 1 / -1; margin: 0; color: var(--quiet); font-size: 0.875rem; }
  `;

  private readonly canvas = new Canvas(() => this.painter.ask());
  private table: Table | undefined;
  private row = -1;
  private readonly trace: Sample[] = [];
  private words = "";

  protected begin(feed: Feed): void {
    const { car } = this.settings;
    const cars = car === "player" ? { player: true } : { ids: [car] };
    const take = (tables: Table[]) => this.take(tables[tables.length - 1]!);
    this.keep(feed.follow({ stream: "physics", channels: CHANNELS, cars, rate: 60 }, take, (trouble) => (this.words = trouble.message)));
  }

  private take(table: Table): void {
    this.table = table;
    this.row = table.row(this.settings.car);
    const at = table.sessionTime;
    if (this.trace.length && at < this.trace[this.trace.length - 1]!.at) this.trace.length = 0;
    this.trace.push({ at, throttle: table.value("throttle", this.row), brake: table.value("brake", this.row) });
    while (this.trace[0]!.at < at - TRACE_S) this.trace.shift();
    this.painter.ask();
  }

  protected paint(): void {
    this.requestUpdate();
    this.draw();
  }

  override render() {
    const of = (channel: string) => this.table?.value(channel, this.row) ?? NaN;
    const [speed, unit] = inUnits(of("speed") * 3.6, "km/h", this.settings.units);
    const gear = of("gear");
    const share = of("engine_rpm") / of("engine_max_rpm");
    const lit = Math.ceil(((share - FIRST_LIGHT) / (LAST_LIGHT - FIRST_LIGHT)) * LIGHTS);
    return html`
      <div class="lights" role="img" aria-label="engine at ${fixed(share * 100)} per cent of its limit">
        ${Array.from({ length: LIGHTS }, (_, at) => html`<i class="${at < lit ? "on" : ""} ${at >= 9 ? "last" : at >= 5 ? "late" : ""}"></i>`)}
      </div>
      <div class="side"><b class="value" data-channel="speed">${fixed(speed)}</b><small>${unit}</small></div>
      <div class="gear value" data-channel="gear">${gear < 0 ? "R" : gear === 0 ? "N" : fixed(gear)}</div>
      <div class="side right"><b class="value" data-channel="engine_rpm">${fixed(of("engine_rpm"))}</b><small>rpm</small></div>
      ${this.missing() ? html`<p class="words" role="status">${this.missing()}</p>` : this.canvas.element}
    `;
  }

  private missing(): string {
    if (this.words) return this.words;
    if (this.state && this.state.state !== "live" && this.state.state !== "replay") return this.state.message || this.state.state;
    if (this.table && this.row < 0) return this.settings.car === "player" ? "the player is in no car" : `there is no car ${this.settings.car}`;
    return "";
  }

  private draw(): void {
    const { canvas } = this;
    canvas.clear();
    const height = canvas.height - 10;
    this.line("throttle", themed(this, "--throttle"), height);
    this.line("brake", themed(this, "--brake"), height);
    this.wheel(canvas.height - 4);
  }

  private line(name: "throttle" | "brake", colour: string, height: number): void {
    const { pen, width } = this.canvas;
    const end = this.trace[this.trace.length - 1]?.at ?? 0;
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.beginPath();
    for (const sample of this.trace) pen.lineTo(width * (1 - (end - sample.at) / TRACE_S), 1 + (1 - sample[name]) * (height - 2));
    pen.stroke();
  }

  // A bar from the middle to where the wheel is turned.
  private wheel(y: number): void {
    const { pen, width } = this.canvas;
    const turn = (this.table?.value("steering", this.row) ?? 0) * (width / 2);
    pen.fillStyle = themed(this, "--line");
    pen.fillRect(0, y, width, 3);
    pen.fillStyle = themed(this, "--steering");
    pen.fillRect(width / 2 + Math.min(turn, 0), y - 1, Math.abs(turn) || 1, 5);
  }
}

customElements.define("rig-dash", RigDash);
