// Who is near on the road: seconds ahead and behind, whatever the place.

import { css, html, nothing } from "lit";
import type { Feed } from "../wire/feed.ts";
import type { Table } from "../wire/table.ts";
import { DrivenLap } from "../parts/driven.ts";
import { flagOf } from "../parts/field.ts";
import { fixed } from "../parts/format.ts";
import type { Car } from "../wall/timing.ts";
import { Overlay, panel } from "./overlay.ts";

const SIDE = 3; // cars shown ahead, and behind

type Near = { car: Car; seconds: number; laps: number };

export class RigRelative extends Overlay {
  static override styles = [panel, css`
    :host { width: 26rem; padding: 0.375rem; }
    table { border-collapse: collapse; width: 100%; table-layout: fixed; }
    td { padding: 0.1875rem 0.25rem; white-space: nowrap; overflow: hidden; text-align: right; height: 1.75rem; }
    .place { width: 2.25rem; color: var(--quiet); }
    .number { width: 3rem; text-align: center; }
    .number b { display: block; text-align: center; border-radius: 0.1875rem; background: var(--class); color: var(--page); font-size: 0.875rem; }
    .name { text-align: left; text-overflow: ellipsis; }
    .what { width: 4.25rem; font-size: 0.75rem; font-weight: 700; }
    .gap { width: 4rem; font-size: 1.0625rem; font-weight: 600; }
    .own td { background: var(--page); font-weight: 700; }
    tr.own { outline: 0.125rem solid var(--accent); outline-offset: -0.125rem; }
    tr.own .place { color: var(--text); }
    .more .name, .more .what { color: var(--loss); }
    .less .name, .less .what { color: var(--gain); }
    .aside .name { color: var(--quiet); }
    .flag { margin: 0.25rem; font-size: 0.8125rem; text-align: center; }
  `];

  private readonly lap = new DrivenLap();

  protected start(feed: Feed): void {
    this.physics(feed, ["update_distance", "update_time", "lap_start_time"], 10, { cars: {} }, (table) => this.learn(table));
    this.scoring();
  }

  private get length(): number {
    return this.field.session?.length || NaN;
  }

  private learn(table: Table): void {
    const { row, length } = this;
    if (row < 0 || !(length > 0)) return;
    this.lap.add(table.value("update_distance", row), table.value("update_time", row) - table.value("lap_start_time", row), length);
  }

  protected get has(): boolean {
    return this.table !== undefined && this.field.table !== undefined;
  }

  protected lack(): string {
    if (!this.table) return "waiting for data";
    return this.noScoring() || (this.row < 0 ? this.noCar() : "");
  }

  // Those on the road, by how far they are ahead: seconds, and laps that they have more in the race.
  private near(): Near[] {
    const { table, length } = this;
    const own = this.field.car(this.settings.car);
    if (!table || !own || !(length > 0)) return [];
    const scored = this.field.table!;
    const lap = scored.value("estimated_lap_time", scored.row(own.id)) || own.best.seconds || 100;
    const wrap = (metres: number) => ((metres % length) + length) % length;
    const here = wrap(table.value("update_distance", this.row));
    const time = this.lap.at(here, length, lap);
    return this.field.cars.flatMap((car): Near[] => {
      const there = table.value("update_distance", table.row(car.id));
      if (car.id === own.id || !Number.isFinite(there) || !["track", "pit", "stopped"].includes(car.where)) return [];
      const metres = wrap(there);
      let seconds = this.lap.at(metres, length, lap) - time;
      const ahead = wrap(metres - here) <= length / 2;
      if (ahead && seconds < 0) seconds += lap;
      if (!ahead && seconds > 0) seconds -= lap;
      const laps = Math.round(car.laps + metres / length - own.laps - here / length - (ahead ? wrap(metres - here) : wrap(metres - here) - length) / length);
      return [{ car, seconds, laps: this.field.session?.race ? laps : 0 }];
    }).sort((a, b) => b.seconds - a.seconds);
  }

  private get side(): number {
    const asked = Number(new URLSearchParams(location.search).get("rows"));
    return Number.isInteger(asked) && asked > 1 ? Math.min(Math.floor(asked / 2), 20) : SIDE;
  }

  protected content() {
    const near = this.near();
    const own = this.field.car(this.settings.car);
    const flag = flagOf(this.field.session, own);
    const [ahead, behind] = [near.filter((one) => one.seconds >= 0).slice(-this.side), near.filter((one) => one.seconds < 0).slice(0, this.side)];
    const empty = (rows: number) => Array.from({ length: rows }, () => html`<tr><td colspan="5"></td></tr>`);
    return html`<div class="live"><table>
        ${empty(this.side - ahead.length)}${ahead.map((one) => this.line(one))}
        ${own ? this.line({ car: own, seconds: 0, laps: 0 }, true) : nothing}
        ${behind.map((one) => this.line(one))}${empty(this.side - behind.length)}
      </table>
      <div class="flag ${flag?.colour ?? ""}">${flag?.word ?? "\u00a0"}</div>
      ${near.length ? nothing : html`<small>no other car is on the road</small>`}</div>`;
  }

  private line({ car, seconds, laps }: Near, own = false) {
    const what = car.where !== "track" ? "PIT" : laps > 0 ? `+${laps} LAP` : laps < 0 ? `−${-laps} LAP` : "";
    const kind = own ? "own" : car.where !== "track" ? "aside" : laps > 0 ? "more" : laps < 0 ? "less" : "";
    return html`<tr class=${kind} data-car=${car.id} style="--class:var(${this.field.colour(car.className)})">
      <td class="place">${car.classPlace}</td><td class="number"><b>${car.number || car.id}</b></td><td class="name">${car.driver}</td>
      <td class="what">${what}</td><td class="gap">${own ? "0.0" : `${seconds > 0 ? "+" : ""}${fixed(seconds, 1)}`}</td></tr>`;
  }
}

customElements.define("rig-relative", RigRelative);
