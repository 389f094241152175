// The tables of the compare page: laps, corners with findings, sectors, tips.

import { html, nothing, type TemplateResult } from "lit";

import type { Advice, Comparison, Finding, Lap, Part, Pass } from "./comparison.ts";
import { sentence, shownAs } from "../parts/channels.ts";
import { delta as signed, fixed, lapTime, NONE } from "../parts/format.ts";

/** What the tables show, and what a click in them does. */
export interface Shown {
  comparison: Comparison;
  reference: Lap;
  lap: Lap;
  hidden: Set<string>;
  imperial: boolean;
  minis: boolean;
  /** The part that the page is zoomed to. */
  part: string;
  colour(lap: Lap): string;
  choose(lap: Lap): void;
  refer(lap: Lap): void;
  hide(lap: Lap): void;
  zoom(begin: number, end: number): void;
  toParts(minis: boolean): void;
}

/** Lost, won or even: what a difference of time is, to the thousandth. */
export function kind(value: number): "lost" | "won" | "even" {
  if (!Number.isFinite(value) || Math.abs(value) < 0.0005) return "even";
  return value > 0 ? "lost" : "won";
}

/** A difference of time: blue and minus is won, orange and plus is lost. */
export function lost(value: number): TemplateResult {
  return html`<span class="gap ${kind(value)}">${signed(value)}</span>`;
}

export function lapTable(shown: Shown): TemplateResult {
  const { comparison, reference } = shown;
  const best = Math.min(...comparison.laps.filter((lap) => !lap.plain.ideal).map((lap) => lap.lapTime).filter(Number.isFinite));
  return html`<table class="laps">
    <thead>
      <tr><th>Ref</th><th></th><th class="word">Lap</th><th>Time</th><th>To ref</th></tr>
    </thead>
    <tbody>
      ${comparison.laps.map((lap) => lapRow(shown, lap, lap.lapTime === best, comparison.lost(lap, reference)))}
    </tbody>
  </table>`;
}

function lapRow(shown: Shown, lap: Lap, best: boolean, gap: number): TemplateResult {
  const { plain: told } = lap;
  const chosen = lap === shown.lap;
  const isReference = lap === shown.reference;
  const visible = chosen || isReference || !shown.hidden.has(told.name);
  const words = [told.driver, told.vehicle, told.valid || told.ideal ? "" : "not valid"].filter(Boolean).join(" · ");
  return html`<tr class=${chosen ? "chosen" : ""} data-lap=${told.name}>
    <td><input type="radio" name="reference" .checked=${isReference} aria-label="compare with ${told.title}"
      @change=${() => shown.refer(lap)}></td>
    <td><button class="swatch" style="--of:${shown.colour(lap)}" aria-pressed=${visible}
      aria-label="${visible ? "hide" : "show"} ${told.title}" title=${visible ? "hide" : "show"}
      @click=${() => shown.hide(lap)}></button></td>
    <td class="word"><button class="name" title=${words} aria-pressed=${chosen} @click=${() => shown.choose(lap)}>
      <b>${told.driver || told.title}</b> ${told.driver ? html`<small>${told.title}</small>` : nothing}
      ${told.valid || told.ideal ? nothing : html`<small class="warn">not valid</small>`}</button></td>
    <td class=${best ? "best" : ""} title=${best ? "the fastest here" : ""}>${lapTime(lap.lapTime)}</td>
    <td>${isReference ? html`<span class="dim">ref</span>` : lost(gap)}</td>
  </tr>`;
}

export function sectorTable(shown: Shown): TemplateResult | typeof nothing {
  const parts = shown.comparison.sectors(shown.lap, shown.reference);
  if (!parts.length) return nothing;
  return html`<dl class="sectors">
    ${parts.map((part) => {
      const piece = part.segment.pieces[0];
      const zoom = piece ? () => shown.zoom(...piece) : () => {};
      return html`<div><dt><button @click=${zoom} ?disabled=${!piece}>${part.segment.title}</button></dt>
        <dd>${lapTime(part.reference)}</dd><dd>${shown.lap === shown.reference ? nothing : lost(part.lost)}</dd></div>`;
    })}
  </dl>`;
}

export function partTable(shown: Shown): TemplateResult {
  const { comparison, lap, reference, minis } = shown;
  const parts = comparison.parts(lap, reference, minis ? comparison.document.minis : comparison.document.segments);
  const advice = comparison.advice(lap, reference);
  const most = Math.max(...parts.map((part) => Math.abs(part.lost)).filter(Number.isFinite), 0.05);
  const speed = shownAs("speed", "m/s", shown.imperial).unit;
  let total = 0;
  const rows = parts.map((part) => {
    if (Number.isFinite(part.lost)) total += part.lost;
    return partRow(shown, part, total, most, advice);
  });
  const rest = comparison.uncompared(lap, reference);
  return html`<table class="parts">
    <thead>
      <tr>
        <th class="word"><button aria-pressed=${minis} @click=${() => shown.toParts(!minis)}
          title="Mini-sectors of some 100 m instead of corners and straights">${minis ? "100 m" : "Corner"}</button></th>
        <th title="Seconds of the reference">Ref <small>s</small></th>
        <th title="Seconds lost to the reference">Lost <small>s</small></th>
        <th title="Lost since the line">Total <small>s</small></th>
        ${minis ? nothing : html`
          <th title="Least speed, and the difference to the reference">Min <small>${speed}</small></th>
          <th title="How much later the braking begins">Brake <small>m</small></th>
          <th title="How much later the throttle is full">Full <small>m</small></th>`}
      </tr>
    </thead>
    <tbody>${rows}</tbody>
    <tfoot>
      ${Math.abs(rest) >= 0.0005
        ? html`<tr><th class="word" colspan="2">Not compared</th><td>${lost(rest)}</td><td></td>${minis ? nothing : html`<td colspan="3"></td>`}</tr>`
        : nothing}
      <tr><th class="word">Lap</th><td>${lapTime(reference.lapTime)}</td><td>${lost(comparison.lost(lap, reference))}</td><td></td>
        ${minis ? nothing : html`<td colspan="3"></td>`}</tr>
    </tfoot>
  </table>`;
}

function partRow(shown: Shown, part: Part, total: number, most: number, advice: Advice | undefined): TemplateResult {
  const { segment } = part;
  const corner = segment.kind === "corner";
  const alone = shown.lap === shown.reference;
  const pass = (lap: Lap): Pass | undefined => (corner ? lap.plain.corners.find((one) => one.corner === segment.corner) : undefined);
  const [ours, theirs] = [pass(shown.lap), pass(shown.reference)];
  const findings = corner ? (advice?.findings.filter((one) => one.corner === segment.corner) ?? []) : [];
  const share = Number.isFinite(part.lost) ? Math.min(Math.abs(part.lost) / most, 1) : 0;
  return html`<tr class="${segment.kind} ${shown.part === segment.title ? "chosen" : ""}" data-part=${segment.title}>
      <th class="word"><button ?disabled=${!segment.pieces.length} @click=${() => zoomTo(shown, segment.pieces)}
        title="Zoom to it">${segment.title}</button></th>
      <td>${lapTime(part.reference)}</td>
      <td class="bar ${kind(part.lost)}" style="--share:${share.toFixed(3)}">${alone ? nothing : lost(part.lost)}</td>
      <td class="dim">${alone ? nothing : Number.isFinite(part.lost) ? signed(total) : NONE}</td>
      ${shown.minis ? nothing : driven(ours, theirs, shown.imperial)}
    </tr>
    ${findings.map((finding) => findingRow(shown, finding))}`;
}

function driven(ours: Pass | undefined, theirs: Pass | undefined, imperial: boolean): TemplateResult {
  if (!ours?.clear) return html`<td></td><td></td><td></td>`;
  const { factor } = shownAs("speed", "m/s", imperial);
  const read = (pass: Pass | undefined, name: string): number => (typeof pass?.[name] === "number" ? pass[name] : NaN);
  const least = read(ours, "least_mps") * factor;
  const faster = least - read(theirs, "least_mps") * factor;
  const later = (name: string): string => (ours === theirs ? "" : signed(read(ours, name) - read(theirs, name), 0));
  return html`<td>${fixed(least, 0)} <small>${Number.isFinite(faster) && ours !== theirs ? signed(faster, 0) : ""}</small></td>
    <td>${later("brake_m")}</td><td>${later("full_throttle_m")}</td>`;
}

function findingRow(shown: Shown, finding: Finding): TemplateResult {
  const evidence = Object.entries(finding.evidence).map(([name, value]) => `${name} ${value}`).join("\n");
  return html`<tr class="finding" data-finding=${finding.id}>
    <td colspan="7"><button @click=${() => shown.zoom(finding.begin, finding.end)} title=${evidence}>
      <span>${sentence(finding.rule.replaceAll("_", " "))}</span> ${lost(finding.lost)}
      <small>${Math.round(100 * finding.confidence)} % sure</small></button></td>
  </tr>`;
}

export function tipList(shown: Shown): TemplateResult {
  const advice = shown.comparison.advice(shown.lap, shown.reference);
  const tips = advice?.tips ?? [];
  const notes = [...shown.comparison.document.notes, ...(advice?.why ? [advice.why] : [])];
  const where = (id: string): Finding | undefined => advice?.findings.find((one) => one.id === id);
  return html`
    ${tips.length ? html`<ol class="tips">${tips.map((tip) => {
      const finding = where(tip.id);
      const [place, ...rest] = tip.text.split(": ");
      return html`<li><button @click=${() => finding && shown.zoom(finding.begin, finding.end)}>
        <b>${rest.length ? place : ""}</b> ${rest.length ? rest.join(": ") : tip.text}</button></li>`;
    })}</ol>` : html`<p class="dim">${saidWhy(shown, advice)}</p>`}
    ${notes.length ? html`<ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul>` : nothing}`;
}

function saidWhy(shown: Shown, advice: Advice | undefined): string {
  if (shown.lap === shown.reference) return shown.comparison.laps.length > 1 ? "This lap is the reference: choose another, or another reference." : "One lap alone: there is nothing to compare it with.";
  if (shown.reference.plain.ideal || shown.lap.plain.ideal) return "The ideal lap was never driven: there are no findings against it.";
  if (!advice) return "Findings are against the first and the fastest lap: choose one of them as reference.";
  return "Nothing that is sure enough to tell.";
}

function zoomTo(shown: Shown, pieces: [number, number][]): void {
  // Of a part that the line divides, the longer piece.
  const [begin, end] = [...pieces].sort((a, b) => b[1] - b[0] - (a[1] - a[0]))[0]!;
  const room = Math.max((end - begin) * 0.35, 40);
  shown.zoom(begin - room, end + room);
}
