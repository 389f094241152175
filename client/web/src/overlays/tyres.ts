// Tyres and brakes of a car: temperatures across the tread, pressure, tread, discs.

import { css, html } from "lit";
import type { Feed } from "../wire/feed.ts";
import { fixed, inUnits } from "../parts/format.ts";
import { Overlay, panel } from "./overlay.ts";

const CHANNELS = ["tyre_temp", "tyre_carcass_temp", "tyre_pressure", "tyre_tread", "brake_temp", "wheel_flat", "wheel_detached"];
const WHEELS = ["front left", "front right", "rear left", "rear right"];
// Where a colour is wholly cold, where neither, and where wholly hot, °C. The numbers stand beside the colours.
const TREAD_C = [55, 80, 95, 120] as const;
const DISC_C = [100, 250, 600, 850] as const;

// The colour of a temperature: blue is cold, grey is right, orange is hot.
export function tint(value: number, [cold, from, to, hot]: readonly [number, number, number, number]): string {
  if (!Number.isFinite(value)) return "var(--raised)";
  const low = Math.round(Math.min(Math.max((from - value) / (from - cold), 0), 1) * 100);
  const high = Math.round(Math.min(Math.max((value - to) / (hot - to), 0), 1) * 100);
  return `color-mix(in srgb, ${low ? "var(--cold)" : "var(--hot)"} ${low || high}%, var(--right))`;
}

export class RigTyres extends Overlay {
  static override styles = [panel, css`
    :host { width: 23rem; }
    header { display: flex; justify-content: space-between; gap: 1rem; margin-bottom: 0.375rem; font-size: 0.875rem; }
    .wheels { display: grid; grid-template-columns: 1fr 1fr; gap: 0.5rem 0.75rem; }
    .wheel { display: grid; grid-template: 4.75rem / 3.25rem 1fr; gap: 0.5rem; align-items: stretch; }
    .wheel:nth-child(odd) { grid-template-columns: 1fr 3.25rem; text-align: right; }
    .wheel:nth-child(odd) .tyre { order: 2; }
    .tyre { display: grid; grid-template: 1fr auto / 1fr 1fr 1fr; border-radius: 0.5rem; overflow: hidden; border: 1px solid var(--line); }
    .tyre.off { outline: 0.1875rem solid var(--danger); outline-offset: -0.1875rem; }
    .worn { grid-column: 1 / -1; height: 0.375rem; background: var(--raised); }
    .worn i { display: block; height: 100%; background: var(--text); }
    .numbers { display: grid; align-content: space-between; white-space: nowrap; font-size: 0.875rem; }
    .numbers b { font-size: 1.375rem; line-height: 1; font-weight: 600; }
    .disc::before { content: ""; display: inline-block; width: 0.625rem; height: 0.625rem; border-radius: 50%; margin-right: 0.25rem; background: var(--disc);
      border: 1px solid var(--line); }
    .bad { color: var(--danger); font-weight: 700; }
  `];

  protected start(feed: Feed): void {
    this.physics(feed, CHANNELS, 10);
    this.scoring();
  }

  protected get has(): boolean {
    return this.table !== undefined;
  }

  protected lack(): string {
    return this.row < 0 ? this.noCar() : "";
  }

  protected content() {
    const id = this.table?.value("id", this.row) ?? NaN;
    const { front = "", rear = "" } = this.field.names.get(id) ?? {};
    const units = this.settings.units;
    return html`<div class="live">
      <header><b>${front === rear || !rear ? front || "Tyres" : `${front} / ${rear}`}</b>
        <small>surface ${inUnits(0, "°C", units)[1]}, ${inUnits(0, "kPa", units)[1]}, tread, brake</small></header>
      <div class="wheels">${WHEELS.map((name, wheel) => this.wheel(name, wheel))}</div>
    </div>`;
  }

  private wheel(name: string, wheel: number) {
    const { units } = this.settings;
    const across = [0, 1, 2].map((part) => this.of("tyre_temp", wheel * 3 + part));
    const mean = (across[0]! + across[1]! + across[2]!) / 3;
    const tread = this.of("tyre_tread", wheel);
    const disc = this.of("brake_temp", wheel);
    const wrong = this.of("wheel_detached", wheel) ? "gone" : this.of("wheel_flat", wheel) ? "flat" : "";
    const [degrees, unit] = inUnits(mean, "°C", units);
    const shown = across.map((one) => fixed(inUnits(one, "°C", units)[0])).join(", ");
    return html`<div class="wheel" role="group" aria-label=${name}>
      <div class="tyre ${wrong ? "off" : ""}" role="img" aria-label="${name} across the tread: ${shown} ${unit}">
        ${across.map((one) => html`<i style="background:${tint(one, TREAD_C)}"></i>`)}
        <span class="worn"><i style="width:${Math.min(Math.max(tread * 100, 0), 100) || 0}%"></i></span>
      </div>
      <div class="numbers">
        <b data-channel="tyre_temp" data-part=${wheel}>${fixed(degrees)}°</b>
        <span data-channel="tyre_pressure" data-part=${wheel}>${wrong ? html`<span class="bad">${wrong}</span>` : this.pressure(wheel)}</span>
        <span data-channel="tyre_tread" data-part=${wheel}>${fixed(tread * 100)} %</span>
        <span class="disc" style="--disc:${tint(disc, DISC_C)}" data-channel="brake_temp" data-part=${wheel}>${fixed(inUnits(disc, "°C", units)[0])}°</span>
      </div>
    </div>`;
  }

  private pressure(wheel: number): string {
    const { units } = this.settings;
    const [value, unit] = inUnits(this.of("tyre_pressure", wheel), "kPa", units);
    return `${fixed(value, units === "imperial" ? 1 : 0)} ${unit}`;
  }
}

customElements.define("rig-tyres", RigTyres);
