// The timing screen: a table per class, as on a pit wall. A click on a car chooses it.

import { html, nothing, type TemplateResult } from "lit";

import { lapTime, NONE } from "../parts/format.ts";
import { gap, PLACES } from "./format.ts";
import type { Car, Group, Time } from "./timing.ts";

const SIGN = { best: "best of its class", own: "its own best", slower: "slower than its best", "": "" };

// `shown`: the car that the other panels are about.
export function timingScreen(groups: readonly Group[], shown: number | null, choose: (car: number) => void): TemplateResult {
  if (!groups.length) return html`<p class="note">No scoring yet: the table fills when the game sends it.</p>`;
  const several = groups.length > 1;
  return html`<table class="timing">
    <caption class="hidden">Timing screen</caption>
    <thead><tr>
      <th class="num" title="Place${several ? " in the class" : ""}">P</th>
      <th class="num car" title="Number of the car">Nr</th>
      <th class="driver">Driver</th>
      <th class="num" title="Behind the first of the class">Gap</th>
      <th class="num wide" title="Behind the car ahead of the class">Interval</th>
      <th class="num wide">S1</th><th class="num wide">S2</th><th class="num wide">S3</th>
      <th class="num">Last</th>
      <th class="num medium">Best</th>
      <th class="num medium" title="Laps driven">Laps</th>
      <th class="num medium" title="Pit stops">Stops</th>
      <th class="medium" title="Laps since the tyres were fitted, and their compound">Tyres</th>
      <th class="where" title="In the pits, finished, flags"><span class="hidden">Where</span></th>
    </tr></thead>
    ${groups.map((group) => html`<tbody>
      ${several ? html`<tr class="class"><th colspan="14" scope="rowgroup"><span>${group.name || "No class"}</span>
        <small>${group.cars.length} ${group.cars.length === 1 ? "car" : "cars"}${group.best > 0 ? html`, best ${lapTime(group.best)}` : nothing}</small></th></tr>` : nothing}
      ${group.cars.map((car) => line(car, shown, choose))}
    </tbody>`)}
  </table>`;
}

function line(car: Car, shown: number | null, choose: (car: number) => void): TemplateResult {
  const out = car.where === "garage" || car.where === "retired" || car.where === "disqualified";
  return html`<tr class="${out ? "out" : ""} ${car.player ? "player" : ""}" data-car=${car.id} data-place=${car.place}
      aria-selected=${car.id === shown} @click=${() => choose(car.id)}>
    <td class="num place">${car.classPlace}</td>
    <td class="num car">${car.number}</td>
    <th scope="row" class="driver"><button title="${car.vehicle}: show in the other panels"
      aria-pressed=${car.id === shown}>${car.driver}</button></th>
    <td class="num gap">${car.classPlace === 1 ? "leader" : gap(car.gap) || NONE}</td>
    <td class="num wide interval">${car.classPlace === 1 ? "" : gap(car.interval) || NONE}</td>
    ${car.sectors.map((time, i) => cell(time, `wide s${i + 1}`, car.sector === i + 1))}
    ${cell(car.last, "last", false)}
    ${cell(car.best, "medium besttime", false)}
    <td class="num medium laps">${car.laps}</td>
    <td class="num medium stops">${car.stops}</td>
    <td class="medium tyres">${tyres(car)}</td>
    <td class="where">${where(car)}</td>
  </tr>`;
}

// Colours of television, and a shape for those who do not see them.
function cell(time: Time, kind: string, here: boolean): TemplateResult {
  const sign = time.worth === "best" ? "▲" : time.worth === "own" ? "●" : "";
  return html`<td class="num time ${kind} ${time.old ? "old" : time.worth} ${here ? "here" : ""}"
    title=${SIGN[time.worth]}>${time.old || !sign ? nothing : html`<i aria-hidden="true">${sign}</i>`}${lapTime(time.seconds)}</td>`;
}

function tyres(car: Car): TemplateResult {
  const age = Number.isFinite(car.tyreLaps) ? String(car.tyreLaps) : "?";
  return html`<b class="age">${age}</b> <span class="compound">${car.compound}</span>`;
}

function where(car: Car): TemplateResult | typeof nothing {
  const badge = (kind: string, text: string, title: string) => html`<span class="badge ${kind}" title=${title}>${text}</span>`;
  const place = PLACES[car.where];
  return html`${place ? badge(car.where, place, car.where) : nothing}
    ${car.yellow ? badge("yellow", "YEL", "under yellow") : nothing}
    ${car.blue ? badge("blue", "BLU", "blue flag") : nothing}
    ${car.penalties ? badge("penalty", `PEN ${car.penalties}`, "penalties to serve") : nothing}
    ${!car.counts && !place ? badge("void", "INV", "the running lap does not count") : nothing}`;
}
