// Ahead of or behind a lap: a bar, the number, and which way it goes.

import { css, html } from "lit";
import type { Feed } from "../wire/feed.ts";
import { delta, lapTime } from "../parts/format.ts";
import { Overlay, panel } from "./overlay.ts";

const NAMED: Record<string, [channel: string, words: string]> = {
  best: ["delta_personal_best", "own best lap"],
  session: ["delta_session", "best lap of the session"],
  game: ["delta_best", "best lap, as the game has it"],
};
const FULL_S = 2; // where the bar ends
const TREND_S = 1; // over which it is seen which way it goes
const EVEN = 0.015; // seconds a second that are neither gain nor loss

export class RigDelta extends Overlay {
  static override styles = [panel, css`
    :host { width: 26rem; }
    .live { display: grid; grid-template-columns: 1fr auto 1fr; align-items: center; gap: 0.25rem 0.75rem; }
    .bar { grid-column: 1 / -1; position: relative; height: 1.25rem; background: var(--raised); border: 1px solid var(--line); border-radius: 0.25rem; overflow: hidden; }
    .bar i { position: absolute; top: 0; bottom: 0; }
    .bar .loss { right: 50%; background: repeating-linear-gradient(135deg, var(--loss) 0 0.375rem, color-mix(in srgb, var(--loss) 70%, var(--raised)) 0.375rem 0.625rem); }
    .bar .gain { left: 50%; background: var(--gain); }
    .bar .middle { left: calc(50% - 0.0625rem); width: 0.125rem; background: var(--text); }
    .number { font-size: 2.25rem; line-height: 1.1; font-weight: 700; min-width: 9.5rem; text-align: center; white-space: nowrap; }
    .number.loss, .loss > .way { color: var(--loss); }
    .number.gain, .gain > .way { color: var(--gain); }
    .way { display: inline-block; width: 1.5rem; font-size: 1.125rem; vertical-align: middle; }
    .end { text-align: right; }
    .side b { display: block; }
    .side { white-space: nowrap; }
  `];

  private past: { at: number; value: number }[] = [];
  private channel = "";
  private against = "";

  protected start(feed: Feed): void {
    const { reference } = this.settings;
    const [channel, words] = NAMED[reference] ?? ["delta_reference", reference.split("/").slice(-1)[0]!];
    [this.channel, this.against] = [channel, words];
    const more = NAMED[reference] ? {} : { delta_reference: reference };
    this.physics(feed, [channel, "predicted_lap"], 20, more, (table) => this.remember(table.sessionTime, this.of(channel)));
    this.scoring();
  }

  protected get has(): boolean {
    return this.table !== undefined;
  }

  protected lack(): string {
    return this.row < 0 ? this.noCar() : "";
  }

  private remember(at: number, value: number): void {
    const last = this.past[this.past.length - 1];
    if (!Number.isFinite(value) || (last && (at < last.at || Math.abs(value - last.value) > 1))) this.past = [];
    if (!Number.isFinite(value)) return;
    this.past.push({ at, value });
    while (this.past[0]!.at < at - TREND_S) this.past.shift();
  }

  // Seconds a second: above zero more is being lost.
  private trend(): number {
    const [first, last] = [this.past[0], this.past[this.past.length - 1]];
    return first && last && last.at - first.at > TREND_S / 2 ? (last.value - first.value) / (last.at - first.at) : 0;
  }

  protected content() {
    const value = this.of(this.channel);
    const share = Math.min(Math.abs(value) / FULL_S, 1) * 50 || 0;
    const trend = this.trend();
    const kind = value > 0.0005 ? "loss" : value < -0.0005 ? "gain" : "";
    const way = trend > EVEN ? "loss" : trend < -EVEN ? "gain" : "";
    const car = this.field.car(this.settings.car);
    const known = Number.isFinite(value);
    return html`<div class="live">
      <div class="bar" role="img" aria-label="${delta(value, 2)} seconds to ${this.against}">
        <i class=${value > 0 ? "loss" : "gain"} style="width:${share}%"></i><i class="middle"></i>
      </div>
      <div class="side"><small>to ${this.against}</small><b>${known ? "" : "no lap yet"}${known && car ? lapTime(car.best.seconds) : ""}</b></div>
      <div class="number ${kind}" data-channel=${this.channel}>${delta(value, 2)}<span class=${way}><span class="way" role="img"
        aria-label=${way === "loss" ? "losing" : way === "gain" ? "gaining" : "even"}>${way === "loss" ? "▼" : way === "gain" ? "▲" : ""}</span></span></div>
      <div class="side end"><small>lap will be</small><b data-channel="predicted_lap">${lapTime(this.of("predicted_lap"), 2)}</b></div>
    </div>`;
  }
}

customElements.define("rig-delta", RigDelta);
