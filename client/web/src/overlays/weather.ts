// Weather and session: how long it goes on, flags, temperatures, rain, wetness, wind.

import { css, html } from "lit";
import type { Feed } from "../wire/feed.ts";
import { flagOf } from "../parts/field.ts";
import { clock, fixed, inUnits } from "../parts/format.ts";
import { Overlay, panel } from "./overlay.ts";

const TREND_S = 300; // over which a temperature is said to rise or fall
const PHASES = ["before the session", "reconnaissance", "grid walk", "formation lap", "start lights", "green", "full course yellow", "stopped", "over", "paused"];
const POINTS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];

// What the sky and the road are in a word.
export const sky = (cloud: number, rain: number) =>
  rain > 0.5 ? "heavy rain" : rain > 0.15 ? "rain" : rain > 0.02 ? "light rain" : cloud > 0.75 ? "overcast" : cloud > 0.35 ? "cloudy" : "clear";
export const road = (wet: number) => (wet > 0.5 ? "wet" : wet > 0.15 ? "damp" : wet > 0.02 ? "greasy" : "dry");

export class RigWeather extends Overlay {
  static override styles = [panel, css`
    :host { width: 24rem; }
    header { display: flex; justify-content: space-between; align-items: baseline; gap: 0.75rem; border-bottom: 1px solid var(--line); padding-bottom: 0.375rem; margin-bottom: 0.375rem; }
    header b { font-size: 1.125rem; }
    header .left { font-size: 1.75rem; line-height: 1; font-weight: 700; white-space: nowrap; }
    .flag { margin: 0 0 0.375rem; text-align: center; }
    .flag.none { background: none; color: var(--quiet); font-weight: 400; border: 1px solid var(--line); padding: 0 0.5rem; }
    .grid { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.375rem 0.75rem; }
    .grid div { white-space: nowrap; }
    .grid b { display: block; font-size: 1.375rem; line-height: 1.15; font-weight: 600; }
    .line { grid-column: 1 / -1; }
    .trend { display: inline-block; width: 1rem; font-size: 0.875rem; }
    .meter { display: block; height: 0.375rem; background: var(--raised); border-radius: 0.1875rem; overflow: hidden; margin-top: 0.125rem; border: 1px solid var(--line); }
    .meter i { display: block; height: 100%; background: var(--gain); }
    svg { width: 1.25rem; height: 1.25rem; vertical-align: -0.1875rem; }
  `];

  private readonly past: { at: number; air: number; ground: number }[] = [];

  protected start(_feed: Feed): void {
    this.scoring(() => {
      const { session } = this.field;
      if (!session) return;
      const { clock: at, air, ground } = session;
      const last = this.past[this.past.length - 1];
      if (last && at < last.at) this.past.length = 0;
      if (!last || at - last.at >= 5 || at < last.at) this.past.push({ at, air, ground });
      while (this.past[0]!.at < at - TREND_S) this.past.shift();
    });
  }

  protected get has(): boolean {
    return this.field.session !== undefined;
  }

  protected lack(): string {
    return this.noScoring();
  }

  private trend(of: "air" | "ground") {
    const change = (this.field.session?.[of] ?? NaN) - (this.past[0]?.[of] ?? NaN);
    const word = change > 0.3 ? "rising" : change < -0.3 ? "falling" : "";
    return html`<span class="trend" role="img" aria-label=${word || "steady"}>${word === "rising" ? "▲" : word === "falling" ? "▼" : ""}</span>`;
  }

  private left(): string {
    const { session, cars } = this.field;
    if (Number.isFinite(session!.laps)) return `${Math.min((cars[0]?.laps ?? 0) + 1, session!.laps)} / ${session!.laps}`;
    return Number.isFinite(session!.end) ? clock(session!.end - session!.clock) : clock(session!.clock);
  }

  protected content() {
    const session = this.field.session!;
    const { units } = this.settings;
    const degrees = (value: number) => `${fixed(inUnits(value, "°C", units)[0], 1)}°`;
    const flag = flagOf(session, this.field.car(this.settings.car));
    const [x, z] = session.wind;
    const [wind, unit] = inUnits(Math.hypot(x, z) * 3.6, "km/h", units);
    // Where it blows to, clockwise from +z, which a map shows up; it is named after where it comes from.
    const to = (Math.atan2(x, z) * 180) / Math.PI;
    const from = POINTS[Math.round((to + 540) / 45) % 8];
    const limit = Number.isFinite(session.laps) ? "lap" : Number.isFinite(session.end) ? "left" : "running";
    const day = session.day + session.clock;
    return html`<div class="live">
      <header><div><b>${session.kind}</b><br><small>${session.track}</small></div>
        <div><small>${limit}</small> <span class="left">${this.left()}</span></div></header>
      ${flag ? html`<p class="flag ${flag.colour}">${flag.word}</p>`
        : html`<p class="flag none">${PHASES[session.phase] ?? `phase ${session.phase}`}</p>`}
      <div class="grid">
        <div><small>air</small><b data-value="air">${degrees(session.air)}${this.trend("air")}</b></div>
        <div><small>track</small><b data-value="ground">${degrees(session.ground)}${this.trend("ground")}</b></div>
        <div><small>wind from ${from}</small><b>${fixed(wind)} <small>${unit}</small> <svg viewBox="-10 -10 20 20" role="img" aria-label="the wind blows to ${fixed((to + 360) % 360)} degrees">
          <path d="M0 -8 L5 2 L1.5 1 L1.5 8 L-1.5 8 L-1.5 1 L-5 2 Z" fill="currentColor" transform="rotate(${to || 0})"></path></svg></b></div>
        <div><small>sky</small><b>${sky(session.cloud, session.rain)}</b>${this.meter("rain", session.rain)}</div>
        <div><small>road</small><b>${road(session.wet[1])}</b>${this.meter("wetness", session.wet[1])}</div>
        <div><small>${Number.isFinite(day) ? "time of day" : "clock"}</small><b>${Number.isFinite(day) ? hours(day) : clock(session.clock)}</b></div>
        <div class="line"><small>${session.wet[2] > 0.02 ? `racing line ${fixed(session.wet[0] * 100)} to ${fixed(session.wet[2] * 100)} % wet` : "racing line dry"}</small></div>
      </div></div>`;
  }

  private meter(name: string, share: number) {
    const per = fixed(share * 100);
    return html`<span class="meter" role="img" aria-label="${name} ${per} per cent"><i style="width:${per}%"></i></span>`;
  }
}

const hours = (seconds: number) => {
  const minutes = Math.floor(seconds / 60) % 1440;
  return `${`${Math.floor(minutes / 60)}`.padStart(2, "0")}:${`${minutes % 60}`.padStart(2, "0")}`;
};

customElements.define("rig-weather", RigWeather);
