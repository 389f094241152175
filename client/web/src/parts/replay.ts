// The bar that takes a page back through a session, and to what is live again.

import { css, html, type TemplateResult } from "lit";
import { ask, words } from "./api.ts";
import { RigElement } from "./element.ts";
import { clock, dateTime } from "./format.ts";
import type { Feed } from "../wire/feed.ts";
import type { State } from "../wire/protocol.ts";

type Session = { name: string; track_name?: string; kind?: string; start_time_ns?: string; end_time_ns?: string };

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
const STEP_S = 10;
// Between two questions while the handle is drawn: a seek opens streams of the rig anew.
const DRAWN_MS = 200;
const SESSIONS_MS = 30000;

export class RigReplay extends RigElement {
  static override styles = css`
    :host { display: flex; flex-wrap: wrap; gap: 0.5rem 0.75rem; align-items: center; padding: 0.625rem 0.75rem;
      background: var(--panel); border: 1px solid var(--line); border-radius: 0.375rem; }
    button, select { font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--line);
      border-radius: 0.25rem; padding: 0.25rem 0.625rem; min-height: 2rem; cursor: pointer; }
    button[aria-pressed="true"] { background: var(--text); color: var(--page); font-weight: 700; }
    :focus-visible { outline: 0.1875rem solid var(--accent); outline-offset: 0.125rem; }
    .play { min-width: 4.5rem; }
    label { display: flex; gap: 0.375rem; align-items: center; color: var(--quiet); min-width: 0; max-width: 100%; }
    select { min-width: 0; max-width: 100%; text-overflow: ellipsis; }
    .track { flex: 1 1 10rem; min-width: 8rem; accent-color: var(--accent); }
    output { min-width: 7.5rem; text-align: right; font-variant-numeric: tabular-nums; }
    .words { flex-basis: 100%; margin: 0; color: var(--quiet); }
  `;

  private feed!: Feed;
  private sessions: Session[] = [];
  private session = "";
  private at = 0; // seconds into the session, while it is replayed
  private speed = 1;
  private paused = false;
  private past = false;
  private drawing = false;
  private words = "";
  private due = 0;

  protected begin(feed: Feed): void {
    this.feed = feed;
    void this.look();
    const asking = setInterval(() => void this.look(), SESSIONS_MS);
    this.keep(() => clearInterval(asking));
  }

  protected paint(): void {
    this.requestUpdate();
  }

  protected override heard(state: State): void {
    super.heard(state);
    // Until the past comes, what is told is still live.
    const replayed = state.state === "replay" && !this.drawing && !this.due;
    if (this.past && replayed && Number(state.time_ns)) this.at = (Number(state.time_ns) - this.start) / 1e9;
  }

  override render(): TemplateResult {
    const length = Math.max(this.length, 1);
    const at = this.past ? Math.min(Math.max(this.at, 0), length) : length;
    return html`
      <label>Session
        <select aria-label="session" @change=${(event: Event) => this.choose((event.target as HTMLSelectElement).value)}>
          ${this.sessions.map((one) => html`<option value=${one.name} ?selected=${one.name === this.session}>${title(one)}</option>`)}
        </select>
      </label>
      <button @click=${() => this.go(at - STEP_S)} title="back ${STEP_S} s">−${STEP_S} s</button>
      <button class="play" @click=${() => this.play()} ?disabled=${!this.past}>${this.past && !this.paused ? "Pause" : "Play"}</button>
      <button @click=${() => this.go(at + STEP_S)} ?disabled=${!this.past} title="on ${STEP_S} s">+${STEP_S} s</button>
      <input class="track" type="range" min="0" max=${Math.ceil(length)} step="0.1" .value=${`${at}`} aria-label="moment of the session"
        aria-valuetext=${clock(at)} @input=${(event: Event) => this.draw(Number((event.target as HTMLInputElement).value))}
        @change=${() => (this.drawing = false)}>
      <output>${this.past ? `${clock(at)} of ${clock(length)}` : `live ${clock(length)}`}</output>
      <label>Speed
        <select aria-label="speed" @change=${(event: Event) => this.pace(Number((event.target as HTMLSelectElement).value))}>
          ${SPEEDS.map((one) => html`<option value=${one} ?selected=${one === this.speed}>${one} ×</option>`)}
        </select>
      </label>
      <button aria-pressed=${!this.past} @click=${() => this.live()}>Live</button>
      ${this.words ? html`<p class="words" role="status">${this.words}</p>` : ""}
    `;
  }

  private get chosen(): Session | undefined {
    return this.sessions.find((one) => one.name === this.session);
  }

  private get start(): number {
    return Number(this.chosen?.start_time_ns ?? 0);
  }

  // Seconds from its start to its end, or to now by the rig's clock.
  private get length(): number {
    const end = Number(this.chosen?.end_time_ns ?? 0) || (this.past ? this.now : Number(this.state?.time_ns ?? 0));
    return this.start && end > this.start ? (end - this.start) / 1e9 : 0;
  }

  private now = 0; // newest moment that was live, ns

  private async look(): Promise<void> {
    try {
      const answer = await ask<{ sessions?: Session[] }>(`${encodeURIComponent(this.settings.rig)}/sessions`, { page_size: "50" });
      this.sessions = (answer.sessions ?? []).filter((one) => Number(one.start_time_ns));
      this.session ||= this.sessions[0]?.name ?? "";
      this.words = this.sessions.length ? "" : "There is no session yet to go back to.";
    } catch (error) {
      this.words = words(error);
    }
    this.requestUpdate();
  }

  private choose(name: string): void {
    this.session = name;
    this.go(0);
  }

  private pace(speed: number): void {
    this.speed = speed;
    if (this.past) this.go(this.at);
  }

  private play(): void {
    this.paused = !this.paused;
    this.go(this.at);
  }

  // While the handle is drawn it asks now and then, and once at the end.
  private draw(at: number): void {
    this.drawing = true;
    this.at = at;
    this.enter();
    clearTimeout(this.due);
    this.due = window.setTimeout(() => this.go(at), DRAWN_MS);
    this.requestUpdate();
  }

  private go(at: number): void {
    if (!this.start) return;
    this.enter();
    this.drawing = false;
    clearTimeout(this.due);
    this.due = 0;
    this.at = Math.min(Math.max(at, 0), this.length);
    const timeNs = BigInt(this.chosen!.start_time_ns!) + BigInt(Math.round(this.at * 1e3)) * 1_000_000n;
    this.feed.seek(`${timeNs}`, this.paused ? 0 : this.speed);
    this.requestUpdate();
  }

  private enter(): void {
    if (!this.past) this.now = Number(this.state?.time_ns ?? 0);
    this.past = true;
  }

  private live(): void {
    this.past = this.paused = this.drawing = false;
    this.feed.seek();
    this.requestUpdate();
  }
}

function title(one: Session): string {
  const kind = one.kind?.replace("SESSION_KIND_", "").toLowerCase().replace("_", " ") ?? "session";
  return `${dateTime(Number(one.start_time_ns) / 1e9)} ${one.track_name ?? ""} ${kind}`;
}

customElements.define("rig-replay", RigReplay);
