// The dash of a car: gear, speed, rpm lights, pedals and steering.

import { css, html } from "lit";
import type { Feed } from "../wire/feed.ts";
import { Canvas, themed } from "../parts/canvas.ts";
import { fixed, inUnits } from "../parts/format.ts";
import { Strip } from "../parts/strip.ts";
import { Overlay, panel } from "./overlay.ts";

const CHANNELS = [
  "gear", "speed", "engine_rpm", "engine_max_rpm", "throttle", "brake", "steering", "speed_limiter", "in_pit_lane", "overheating", "headlights",
];
const LIGHTS = 12;
// Share of the rev limit at which the first and the last light come on.
const FIRST_LIGHT = 0.72;
const LAST_LIGHT = 0.965;

export class RigDash extends Overlay {
  static override styles = [panel, css`
    :host { width: 24rem; }
    .live { display: grid; grid-template: auto auto auto 4.5rem / 1fr auto 1fr; gap: 0.375rem 0.75rem; align-items: center; }
    .lights, .lamps, .trace { grid-column: 1 / -1; }
    .lights { display: grid; grid-template-columns: repeat(12, 1fr); gap: 0.25rem; height: 0.875rem; }
    .lights i { border-radius: 0.1875rem; background: var(--raised); border: 1px solid var(--line); }
    .lights i.on { background: var(--own); border-color: var(--own); }
    .lights i.on.late { background: var(--slower); border-color: var(--slower); }
    .lights i.on.last { background: var(--gain); border-color: var(--gain); }
    .gear { font-size: 4.25rem; line-height: 1; font-weight: 700; width: 3.5rem; text-align: center; }
    .side { line-height: 1.05; white-space: nowrap; }
    .side b { font-size: 2.25rem; font-weight: 600; }
    .side small { display: block; font-size: 0.8125rem; }
    .right { text-align: right; }
    .lamps { display: flex; gap: 0.375rem; font-size: 0.75rem; font-weight: 700; }
    .lamps span { flex: 1; text-align: center; border-radius: 0.25rem; border: 1px solid var(--line); color: var(--quiet); padding: 0.0625rem 0; }
    .lamps span.on { background: var(--warning); border-color: var(--warning); color: var(--page); }
    .trace { height: 100%; min-height: 0; }
  `];

  private readonly canvas = new Canvas(() => this.painter.ask());
  private readonly strip = new Strip(6);

  protected start(feed: Feed): void {
    this.canvas.element.setAttribute("aria-label", "throttle and brake of the last six seconds, and the steering wheel");
    this.physics(feed, CHANNELS, 60, {}, (table) => this.strip.add(table.sessionTime, [this.of("throttle"), this.of("brake")]));
  }

  protected get has(): boolean {
    return this.table !== undefined;
  }

  protected lack(): string {
    return this.row < 0 ? this.noCar() : "";
  }

  protected content() {
    const [speed, unit] = inUnits(this.of("speed") * 3.6, "km/h", this.settings.units);
    const gear = this.of("gear");
    const share = this.of("engine_rpm") / this.of("engine_max_rpm");
    const lit = Math.ceil(((share - FIRST_LIGHT) / (LAST_LIGHT - FIRST_LIGHT)) * LIGHTS);
    const lamp = (channel: string, word: string) => html`<span class=${this.of(channel) ? "on" : ""}>${word}</span>`;
    return html`<div class="live">
      <div class="lights" role="img" aria-label="engine at ${fixed(share * 100)} per cent of its limit">
        ${Array.from({ length: LIGHTS }, (_, at) => html`<i class="${at < lit ? "on" : ""} ${at >= 9 ? "last" : at >= 5 ? "late" : ""}"></i>`)}
      </div>
      <div class="side"><b data-channel="speed">${fixed(speed)}</b><small>${unit}</small></div>
      <div class="gear" data-channel="gear">${gear < 0 ? "R" : gear === 0 ? "N" : fixed(gear)}</div>
      <div class="side right"><b data-channel="engine_rpm">${fixed(this.of("engine_rpm"))}</b><small>rpm</small></div>
      <div class="lamps">${lamp("speed_limiter", "LIMITER")}${lamp("in_pit_lane", "PIT LANE")}${lamp("headlights", "LIGHTS")}${lamp("overheating", "HOT")}</div>
      <div class="trace">${this.canvas.element}</div>
    </div>`;
  }

  protected override paint(): void {
    super.paint();
    const { canvas, strip } = this;
    const { width, height, unit } = canvas;
    canvas.clear();
    strip.draw(canvas, 0, themed(this, "--throttle"), 0, 0, width, height - 10 * unit);
    strip.draw(canvas, 1, themed(this, "--brake"), 0, 0, width, height - 10 * unit);
    this.wheel(height - 4 * unit);
  }

  // A bar from the middle to where the wheel is turned.
  private wheel(y: number): void {
    const { pen, width, unit } = this.canvas;
    const turn = (this.of("steering") || 0) * (width / 2);
    pen.fillStyle = themed(this, "--line");
    pen.fillRect(0, y - unit, width, 2 * unit);
    pen.fillStyle = themed(this, "--steering");
    pen.fillRect(width / 2 + Math.min(turn, 0), y - 3 * unit, Math.abs(turn), 6 * unit);
    pen.fillRect(width / 2 - unit, y - 4 * unit, 2 * unit, 8 * unit);
  }
}

customElements.define("rig-dash", RigDash);
