// The standings: classes with their own places and gaps, sectors coloured as on television, pits and flags.

import { css, html, nothing } from "lit";
import type { Feed } from "../wire/feed.ts";
import { flagOf } from "../parts/field.ts";
import { clock, fixed, lapTime } from "../parts/format.ts";
import { FIRST, gapText, shown } from "../parts/places.ts";
import type { Car, Group, Time } from "../wall/timing.ts";
import { Overlay, panel } from "./overlay.ts";

const ROWS = 20;
const WORDS: Record<string, string> = {
  pit: "PIT", stopped: "STOP", garage: "BOX", finished: "FIN", retired: "OUT", disqualified: "DSQ",
};

export class RigStandings extends Overlay {
  static override styles = [panel, css`
    :host { width: 46rem; padding: 0.5rem; }
    header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.75rem; padding: 0 0.375rem 0.375rem; font-size: 0.9375rem; }
    header .quiet { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
    header .left { white-space: nowrap; }
    header .left { margin-left: auto; font-weight: 700; }
    table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; table-layout: fixed; }
    td, th { padding: 0.125rem 0.25rem; text-align: right; white-space: nowrap; overflow: hidden; font-weight: 400; }
    thead th { color: var(--quiet); font-size: 0.75rem; padding-top: 0; }
    .place { width: 2.25rem; font-weight: 700; }
    .number { width: 2.75rem; }
    .name, .class { text-align: left; text-overflow: ellipsis; }
    .gap, .interval { width: 4.125rem; }
    .sector { width: 3.5rem; }
    .last, .best { width: 4.875rem; }
    .pit { width: 3.75rem; text-align: center; }
    .class th { text-align: left; font-size: 0.8125rem; font-weight: 700; color: var(--text); padding: 0.3125rem 0.25rem 0.125rem; overflow: visible; }
    tr.class { border-bottom: 0.125rem solid var(--class); }
    .number b { display: inline-block; min-width: 2rem; text-align: center; border-radius: 0.1875rem; background: var(--class); color: var(--page); font-size: 0.8125rem; }
    tbody tr:nth-child(even) td { background: color-mix(in srgb, var(--raised) 45%, transparent); }
    tr.own td { background: var(--page) !important; font-weight: 700; }
    tr.own { outline: 0.125rem solid var(--accent); outline-offset: -0.125rem; }
    tr.own .w-old, tr.own .place { color: var(--text); }
    tr.aside td { opacity: 0.8; }
    .w-best { color: var(--best); font-weight: 700; }
    .w-own { color: var(--own); }
    .w-slower { color: var(--slower); }
    .w-old { color: var(--quiet); font-weight: 400; }
    .mark { font-size: 0.75rem; font-weight: 700; }
    .mark.yellow { color: var(--slower); }
    .mark.flag { padding: 0 0.25rem; }
    .mark.flag.yellow { color: #12171d; }
    .skip { border-top: 1px dashed var(--quiet); }
    .skip td { padding: 0; height: 0.25rem; background: none !important; }
    @container (max-width: 42rem) { .sector { display: none; } }
    @container (max-width: 34rem) { .interval { display: none; } }
    @container (max-width: 29rem) { .best { display: none; } }
    @container (max-width: 22rem) { .last { display: none; } .pit { width: 3.5rem; } }
  `];

  protected start(_feed: Feed): void {
    this.scoring();
  }

  protected get has(): boolean {
    return this.field.table !== undefined;
  }

  protected lack(): string {
    return this.noScoring() || (this.field.cars.length ? "" : "no car is on the track yet");
  }

  private get rows(): number {
    const asked = Number(new URLSearchParams(location.search).get("rows"));
    return Number.isInteger(asked) && asked > 0 ? Math.min(asked, 128) : ROWS;
  }

  protected content() {
    const { groups, session } = this.field;
    const own = this.field.car(this.settings.car);
    const flag = flagOf(session);
    const fair = Math.max(Math.floor(this.rows / groups.length), FIRST);
    const others = groups.reduce((sum, group) => sum + (group.name === own?.className ? 0 : Math.min(fair, group.cars.length)), 0);
    const most = (group: Group) => (group.name === own?.className ? Math.max(this.rows - others, fair) : fair);
    return html`<div class="live">
      <header><b>${session?.kind ?? ""}</b><span class="quiet">${session?.track ?? ""}</span>
        ${flag ? html`<span class="flag ${flag.colour}">${flag.word}</span>` : nothing}
        <span class="left">${this.left()}</span></header>
      <table>
        <thead><tr><th class="place">P</th><th class="number">No</th><th class="name">Driver</th><th class="gap">Gap</th><th class="interval">Interval</th>
          <th class="sector">S1</th><th class="sector">S2</th><th class="sector">S3</th><th class="last">Last</th><th class="best">Best</th><th class="pit">Pit</th></tr></thead>
        ${groups.map((group) => this.group(group, own?.id ?? -1, most(group)))}
      </table></div>`;
  }

  private left(): string {
    const { session, cars } = this.field;
    if (!session) return "";
    if (Number.isFinite(session.laps)) return `Lap ${Math.min((cars[0]?.laps ?? 0) + 1, session.laps)} / ${session.laps}`;
    return Number.isFinite(session.end) ? clock(session.end - session.clock) : clock(session.clock);
  }

  private group(group: Group, own: number, most: number) {
    const rows = shown(group.cars, own, most);
    const colour = `--class:var(${this.field.colour(group.name)})`;
    return html`<tbody style=${colour}>
      ${this.field.groups.length > 1 ? html`<tr class="class"><th colspan="3" scope="rowgroup">${group.name || "no class"} <small>${group.cars.length}</small></th></tr>` : nothing}
      ${rows.map((car, at) => html`${at && car.classPlace > rows[at - 1]!.classPlace + 1 ? html`<tr class="skip"><td colspan="3"></td></tr>` : nothing}
        ${this.line(car, own)}`)}
    </tbody>`;
  }

  // What counts most of a car on the road: a penalty, a flag for it alone, how often it has stopped.
  private sign(car: Car) {
    if (car.penalties) return html`<b class="mark yellow">PEN ${car.penalties}</b>`;
    if (car.blue) return html`<b class="mark flag blue">BLUE</b>`;
    if (car.yellow && this.field.session?.phase === 5) return html`<b class="mark flag yellow">YEL</b>`;
    return car.stops || "";
  }

  private line(car: Car, own: number) {
    const aside = !["track", "pit", "stopped"].includes(car.where);
    return html`<tr class="${car.id === own ? "own" : ""} ${aside ? "aside" : ""}" data-car=${car.id}>
      <td class="place">${car.classPlace}</td>
      <td class="number"><b>${car.number || car.id}</b></td>
      <td class="name">${car.driver}</td>
      <td class="gap">${car.classPlace === 1 ? `lap ${car.laps + 1}` : gapText(car.gap)}</td>
      <td class="interval">${car.classPlace === 1 ? "" : gapText(car.interval)}</td>
      ${car.sectors.map((sector) => html`<td class="sector ${tone(sector)}">${fixed(sector.seconds, 2)}</td>`)}
      <td class="last ${tone(car.last)}" data-channel="last_lap_time">${lapTime(car.last.seconds)}</td>
      <td class="best ${car.best.worth === "best" ? "w-best" : ""}" data-channel="best_lap_time">${lapTime(car.best.seconds)}</td>
      <td class="pit">${WORDS[car.where] ?? this.sign(car)}</td>
    </tr>`;
  }
}

const tone = ({ worth, old }: Time) => (old ? "w-old" : worth && `w-${worth}`);

customElements.define("rig-standings", RigStandings);
