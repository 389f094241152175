// Fuel and energy: what is left, what a lap takes, and whether it lasts to the flag.

import { css, html, nothing } from "lit";
import type { Feed } from "../wire/feed.ts";
import type { Table } from "../wire/table.ts";
import { toFlag, Use } from "../parts/fuel.ts";
import { fixed, inUnits } from "../parts/format.ts";
import { Overlay, panel } from "./overlay.ts";

export class RigFuel extends Overlay {
  static override styles = [panel, css`
    :host { width: 23rem; }
    .bar { position: relative; height: 1.375rem; background: var(--raised); border: 1px solid var(--line); border-radius: 0.25rem; overflow: hidden; margin-bottom: 0.5rem; }
    .bar i { display: block; height: 100%; background: color-mix(in srgb, var(--accent) 60%, var(--raised)); }
    .bar u { position: absolute; top: 0; bottom: 0; width: 0.1875rem; background: var(--text); }
    .grid { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.375rem 0.75rem; }
    .grid div { white-space: nowrap; }
    .grid b { display: block; font-size: 1.5rem; line-height: 1.1; font-weight: 600; }
    .verdict { grid-column: 1 / -1; font-weight: 700; font-size: 1.0625rem; border-top: 1px solid var(--line); padding-top: 0.375rem; }
    .short { color: var(--loss); }
    .enough { color: var(--gain); }
  `];

  private readonly fuel = new Use();
  private readonly energy = new Use();
  private session = -1;

  protected start(feed: Feed): void {
    this.physics(feed, ["fuel", "fuel_capacity", "battery_charge", "lap_number", "update_distance"], 5, {}, (table) => this.take(table));
    this.scoring();
  }

  private get place(): number {
    const share = this.of("update_distance") / (this.field.session?.length ?? NaN);
    return Number.isFinite(share) ? Math.min(Math.max(share, 0), 1) : NaN;
  }

  private take(table: Table): void {
    if (table.session !== this.session) Object.assign(this, { fuel: new Use(), energy: new Use(), session: table.session });
    this.fuel.add(this.of("fuel"), this.of("lap_number"), this.place);
    this.energy.add(this.of("battery_charge"), this.of("lap_number"), this.place, 0.05);
  }

  protected get has(): boolean {
    return this.table !== undefined;
  }

  protected lack(): string {
    return this.row < 0 ? this.noCar() : "";
  }

  private left(): number {
    const { session, table } = this.field;
    const car = this.field.car(this.settings.car);
    if (!session || !table || !car) return NaN;
    const row = table.row(car.id);
    const behind = table.value("laps_behind_leader", row);
    const lap = car.last.seconds || table.value("estimated_lap_time", row);
    return toFlag(session, car, behind, lap > 0 ? lap : NaN, this.place || 0);
  }

  protected content() {
    const { units } = this.settings;
    const fuel = this.of("fuel");
    const tank = this.of("fuel_capacity");
    const { mean, newest, guessed } = this.fuel;
    const left = this.left();
    const need = left * mean;
    const litres = (value: number, digits: number) => fixed(inUnits(value, "l", units)[0], digits);
    const unit = inUnits(0, "l", units)[1];
    const share = (value: number) => Math.min(Math.max((value / tank) * 100, 0), 100) || 0;
    const battery = this.of("battery_charge");
    return html`<div class="live">
      <div class="bar" role="img" aria-label="${litres(fuel, 1)} of ${litres(tank, 0)} ${unit}"><i style="width:${share(fuel)}%"></i>
        ${Number.isFinite(need) ? html`<u style="left:${share(need)}%"></u>` : nothing}</div>
      <div class="grid">
        <div><small>fuel, ${unit}</small><b data-channel="fuel">${litres(fuel, 1)}</b></div>
        <div><small>a lap${guessed ? ", at a guess" : ""}</small><b>${litres(mean, 2)}</b></div>
        <div><small>last lap</small><b>${litres(newest, 2)}</b></div>
        <div><small>lasts, laps</small><b>${fixed(fuel / mean, 1)}</b></div>
        <div><small>to the flag, laps</small><b>${fixed(left, 1)}</b></div>
        <div><small>needed, ${unit}</small><b>${litres(need, 1)}</b></div>
        ${battery > 0 ? html`<div><small>battery</small><b data-channel="battery_charge">${fixed(battery * 100)} %</b></div>
          <div><small>a lap</small><b>${fixed(this.energy.mean * 100, 1)}${Number.isFinite(this.energy.mean) ? " %" : ""}</b></div>
          <div><small>lasts, laps</small><b>${this.energy.mean > 0 ? fixed(battery / this.energy.mean, 1) : "–"}</b></div>` : nothing}
        <div class="verdict">${this.verdict(fuel, need, litres, unit)}</div>
      </div></div>`;
  }

  private verdict(fuel: number, need: number, litres: (value: number, digits: number) => string, unit: string) {
    if (!this.field.session?.race) return html`<span class="quiet">no race: no flag to reach</span>`;
    if (!Number.isFinite(need)) return html`<span class="quiet">known after a fifth of a lap</span>`;
    const over = fuel - need;
    return over < 0
      ? html`<span class="short">▼ short by ${litres(-over, 1)} ${unit}: a stop</span>`
      : html`<span class="enough">▲ enough, ${litres(over, 1)} ${unit} over</span>`;
  }
}

customElements.define("rig-fuel", RigFuel);
