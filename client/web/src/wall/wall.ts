// The pit wall: several rigs in one page. On top each rig and how its data come, below what one of them tells.

import { html, LitElement, nothing, type TemplateResult } from "lit";

import { rigs as listRigs, words } from "../parts/api.ts";
import { clock, fixed, inUnits, lapTime, NONE, timeOfDay } from "../parts/format.ts";
import { header } from "../parts/header.ts";
import { keep, kept } from "../parts/kept.ts";
import { Layouts } from "../parts/layouts.ts";
import { look } from "../parts/look.ts";
import { parse as parseRule } from "./alerts.ts";
import { format, moved, PANELS, parse, STANDARD, TITLES, toggled, widened, type Panel, type Placed } from "./arrangement.ts";
import type { Columns, Curve, WallChart } from "./chart.ts";
import "./chart.ts";
import { gap, lag } from "./format.ts";
import { PHASES } from "./log.ts";
import { RigFeed, type Listed } from "./rig_feed.ts";
import { store, stored } from "./stored.ts";
import { timingScreen } from "./timing_screen.ts";
import type { Car } from "./timing.ts";
import "./traces.ts";

const LIST_MS = 2000;
const CURVES = 10; // of the gap chart: more are not told apart
const STATES: Record<string, string> = {
  live: "Live", stale: "Stale", connecting: "Connecting", off: "Off", refused: "Refused", replay: "Replay",
};

export class RigWall extends LitElement {
  private feeds = new Map<string, RigFeed>();
  private rig = stored("rig", "");
  private car = stored("car", "player");
  private placed: Placed[] = parse(stored("panels", STANDARD));
  private channels = stored("channels", "speed,throttle,brake").split(",").filter(Boolean);
  private rules: string[] = JSON.parse(kept("wall.rules") ?? "[]");
  private arranging = false;
  private layouts: Layouts | undefined;
  private layout = ""; // name of the one that was chosen
  private unkept = ""; // why a layout was not kept
  private tab: Panel = "timing";
  private said = ""; // how a mark went
  private wrong = ""; // what is wrong with a rule
  private fired: { rig: string; text: string; at: number }[] = [];
  private away = ""; // why the gateway does not answer
  private sound: AudioContext | null = null;
  private timers: number[] = [];
  private due = 0;
  // A panel is as high as what it shows; the next one fits below it, in rows of eight pixels.
  private readonly sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const panel = target as HTMLElement;
      panel.style.setProperty("--rows", String(Math.ceil((panel.offsetHeight + 8) / 8)));
    }
  });

  override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.list();
    this.timers = [window.setInterval(() => void this.list(), LIST_MS)];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.timers.forEach((timer) => window.clearInterval(timer));
    for (const feed of this.feeds.values()) feed.close();
  }

  private get feed(): RigFeed | null {
    return this.feeds.get(this.rig) ?? [...this.feeds.values()][0] ?? null;
  }

  private get shown(): Car | undefined {
    const { feed } = this;
    return feed?.cars.find((car) => String(car.id) === this.car) ?? feed?.player;
  }

  private async list(): Promise<void> {
    try {
      const found: Listed[] = await listRigs();
      this.away = "";
      for (const listed of found) this.feedOf(listed.name).listed = listed;
    } catch (error) {
      this.away = error instanceof Error ? error.message : "the gateway does not answer";
    }
    this.ask();
  }

  private feedOf(name: string): RigFeed {
    let feed = this.feeds.get(name);
    if (!feed) {
      feed = new RigFeed(name);
      this.feeds.set(name, feed);
      if (!this.layouts) void this.learn(this.rig || name);
      for (const what of ["state", "scoring", "events", "laps"]) feed.addEventListener(what, () => this.ask());
      feed.addEventListener("alert", (event) => this.alert(name, (event as CustomEvent<{ text: string }>).detail.text));
      this.follow();
    }
    return feed;
  }

  // Paint with the next frame; however often it is asked for, once.
  private ask(): void {
    this.due ||= requestAnimationFrame(() => {
      this.due = 0;
      this.requestUpdate();
    });
  }

  private follow(): void {
    const car = /^\d+$/.test(this.car) ? Number(this.car) : null;
    for (const feed of this.feeds.values()) {
      const chosen = feed === this.feed;
      feed.watch(chosen ? car : null, chosen ? this.channels : [], this.rules);
    }
  }

  protected override updated(): void {
    const chart = this.querySelector<WallChart>("wall-chart.gaps");
    if (chart) chart.show(this.gapColumns());
    for (const panel of this.querySelectorAll<HTMLElement>(".panel")) this.sizes.observe(panel);
  }

  override render(): TemplateResult {
    return html`
      ${header({ page: "wall", rig: this.feed?.name ?? "", look: look(), change: () => this.ask(), tools: html`
        <button aria-pressed=${this.arranging} @click=${() => this.set(() => (this.arranging = !this.arranging))}>Arrange</button>` })}
      ${this.away ? html`<p class="trouble" role="alert">${this.away}. The page goes on by itself as soon as it does.</p>` : nothing}
      <section class="rigs" aria-label="Rigs">${[...this.feeds.values()].map((feed) => this.strip(feed))}
        ${this.feeds.size || this.away ? nothing : html`<p class="note">Looking for rigs…</p>`}</section>
      ${this.session()}
      ${this.arranging ? this.chooser() : nothing}
      <nav class="tabs" aria-label="Panels">${this.placed.map(({ panel }) => html`
        <button aria-pressed=${panel === this.tab} @click=${() => this.set(() => (this.tab = panel))}>${TITLES[panel]}</button>`)}</nav>
      <main>${this.placed.map((one) => this.panel(one))}</main>`;
  }

  // One rig: how its data come, where its driver is.
  private strip(feed: RigFeed): TemplateResult {
    const state = feed.condition;
    const told = feed.state, listed = feed.listed, car = feed.player;
    const words = told?.message || listed?.message || "";
    const live = state === "live" || state === "replay" || state === "stale";
    return html`<article class="rig ${state}" data-rig=${feed.name} aria-current=${feed === this.feed}>
      <button class="name" aria-pressed=${feed === this.feed} @click=${() => this.choose(feed.name)}>${feed.name}</button>
      <b class="state" role="status"><i aria-hidden="true"></i>${STATES[state] ?? state}</b>
      <dl>
        <div><dt>Lag</dt><dd>${live ? lag(told?.lag_s ?? listed?.lag_s ?? NaN) : NONE}</dd></div>
        <div class=${listed?.gaps ? "some" : ""}><dt>Gaps</dt><dd>${listed ? listed.gaps : NONE}</dd></div>
        <div class=${listed?.missed ? "some" : ""}><dt>Missed</dt><dd>${listed ? listed.missed : NONE}</dd></div>
      </dl>
      <p class="who">${words && state !== "live" ? words : car ? html`P${car.place} ${car.driver} <span>${lapTime(car.last.seconds)}</span>` : "no car yet"}</p>
      <button class="mark" @click=${() => void this.mark(feed)} title="Keep the last 30 s and the next 10 s">Mark</button>
    </article>`;
  }

  private session(): TemplateResult | typeof nothing {
    const session = this.feed?.session;
    if (!session) return nothing;
    const left = Number.isFinite(session.end) ? session.end - session.clock : NaN;
    const lead = Math.max(0, ...(this.feed?.cars ?? []).map((car) => car.laps));
    const rain = session.rain > 0 ? `rain ${Math.round(session.rain * 100)} %` : session.wet > 0.01 ? `wet ${Math.round(session.wet * 100)} %` : "dry";
    return html`<section class="session phase${session.phase}" aria-label="Session">
      <b>${session.kind}</b> <span class="track">${session.track}</span>
      <span class="flag">${PHASES[session.phase] ?? `phase ${session.phase}`}</span>
      <span>${clock(session.clock)}${left > 0 ? html`, <b>${clock(left)}</b> to go` : nothing}</span>
      ${Number.isFinite(session.laps) ? html`<span>lap <b>${Math.min(lead + 1, session.laps)}</b> of ${session.laps}</span>` : html`<span>lap <b>${lead + 1}</b></span>`}
      <span>air ${degrees(session.air)}, track ${degrees(session.ground)}, ${rain}</span>
      ${this.said ? html`<output class="said" role="status">${this.said}</output>` : nothing}
    </section>`;
  }

  private chooser(): TemplateResult {
    return html`<fieldset class="chooser"><legend>Panels</legend>${PANELS.map((panel) => html`
      <label><input type="checkbox" .checked=${this.placed.some((one) => one.panel === panel)}
        @change=${() => this.place(toggled(this.placed, panel))}> ${TITLES[panel]}</label>`)}
      <button @click=${() => this.place(parse(STANDARD))}>As it was</button>
      ${this.layoutForm()}</fieldset>`;
  }

  // Layouts are in the catalog of the rig that the page began with.
  private async learn(rig: string): Promise<void> {
    this.layouts = new Layouts(rig, "pitwall", "wall.layouts");
    await this.layouts.load();
    const untouched = stored("panels", "") === "" && stored("channels", "") === "";
    if (untouched && this.layouts.standard) this.lay(this.layouts.standard);
    this.ask();
  }

  private lay(document: string): void {
    try {
      const { panels, channels, rules } = JSON.parse(document) as { panels?: string; channels?: string[]; rules?: string[] };
      if (panels) this.placed = parse(panels);
      if (Array.isArray(channels)) this.channels = channels.map(String).slice(0, 20);
      if (Array.isArray(rules)) this.rules = rules.map(String).slice(0, 50);
    } catch {
      return; // not one of this page's
    }
    store("panels", format(this.placed));
    store("channels", this.channels.join(","));
    this.ruled(this.rules);
    this.ask();
  }

  private async keepLayout(event: Event, standard = false): Promise<void> {
    event.preventDefault();
    const form = (event.target as HTMLElement).closest("form")!;
    const name = String(new FormData(form).get("name") ?? "").trim();
    if (!name || !this.layouts) return;
    await this.arrange(async (layouts) => {
      await layouts.save(name, JSON.stringify({ panels: format(this.placed), channels: this.channels, rules: this.rules }), standard);
      this.layout = name;
    });
  }

  private async arrange(act: (layouts: Layouts) => Promise<void>): Promise<void> {
    this.unkept = "";
    if (this.layouts) await act(this.layouts).catch((error: unknown) => (this.unkept = words(error)));
    this.ask();
  }

  private pickLayout(name: string): void {
    this.layout = name;
    const document = this.layouts?.document(name);
    if (document) this.lay(document);
    this.ask();
  }

  private layoutForm(): TemplateResult {
    const names = this.layouts?.names ?? [];
    return html`<form class="layouts" @submit=${(event: Event) => void this.keepLayout(event)}>
      <label>Layout <select @change=${(event: Event) => this.pickLayout((event.target as HTMLSelectElement).value)}>
        <option value="">choose…</option>${names.map((name) => html`<option ?selected=${name === this.layout}>${name}</option>`)}</select></label>
      <label>Name <input name="name" maxlength="40" autocomplete="off" .value=${this.layout}></label>
      <button>Keep</button><button type="button" @click=${(event: Event) => void this.keepLayout(event, true)}>Keep, and begin with it</button>
      ${names.includes(this.layout) ? html`<button type="button" @click=${() => void this.arrange((layouts) => layouts.forget(this.layout))}>Forget</button>` : nothing}
      ${this.unkept ? html`<span class="trouble" role="alert">${this.unkept}</span>` : nothing}</form>`;
  }

  private panel({ panel, width }: Placed): TemplateResult {
    const tools = html`<span class="tools">
      <button title="Before" aria-label="${TITLES[panel]} before" @click=${() => this.place(moved(this.placed, panel, -1))}>◀</button>
      <button title="After" aria-label="${TITLES[panel]} after" @click=${() => this.place(moved(this.placed, panel, 1))}>▶</button>
      <button title="Narrower" aria-label="${TITLES[panel]} narrower" @click=${() => this.place(widened(this.placed, panel, -1))}>−</button>
      <button title="Wider" aria-label="${TITLES[panel]} wider" @click=${() => this.place(widened(this.placed, panel, 1))}>+</button></span>`;
    return html`<section class="panel ${panel}" data-width=${width} ?data-tab=${panel === this.tab} aria-label=${TITLES[panel]}>
      <h2>${TITLES[panel]}${this.titled(panel)}${this.arranging ? tools : nothing}</h2>
      <div class="body">${this.inside(panel)}</div></section>`;
  }

  private titled(panel: Panel): TemplateResult | typeof nothing {
    const about = panel === "traces" || panel === "alerts" || panel === "stints";
    return about && this.shown ? html`<small>${this.shown.driver}</small>` : nothing;
  }

  private inside(panel: Panel): TemplateResult | typeof nothing {
    const { feed } = this;
    if (panel === "alerts") return this.alerts();
    if (!feed) return html`<p class="note">No rig yet.</p>`;
    if (panel === "timing") return timingScreen(feed.groups, this.shown?.id ?? null, (car) => this.look(car));
    if (panel === "traces") return this.traces(feed);
    if (panel === "gaps") return this.gapChart();
    if (panel === "stints") return this.stintTable(feed);
    return this.log(feed);
  }

  private traces(feed: RigFeed): TemplateResult {
    const car = /^\d+$/.test(this.car) ? Number(this.car) : null;
    return html`${feed.refused ? html`<p class="trouble">${feed.refused}</p>` : nothing}
      <wall-traces .rig=${feed} .channels=${this.channels} .car=${car} .units=${feed.units}
        .imperial=${look().units === "imperial"}></wall-traces>
      <form class="ask" @submit=${(event: Event) => this.rechannel(event)}>
        <label>Channels <input name="channels" autocomplete="off" spellcheck="false" .value=${this.channels.join(",")}></label>
        <button>Show</button></form>`;
  }

  private get rivals(): Car[] {
    const shown = this.shown;
    const group = this.feed?.groups.find((one) => one.name === shown?.className)?.cars ?? [];
    const at = Math.max(0, group.findIndex((car) => car === shown));
    const from = Math.max(0, Math.min(at - CURVES / 2, group.length - CURVES));
    return group.slice(from, from + CURVES);
  }

  private curves: Curve[] = [];

  private gapChart(): TemplateResult {
    const rivals = this.rivals;
    const names = rivals.map((car, i) => ({
      label: car.driver, unit: "s", colour: `--curve-${(i % 6) + 1}`, dash: i >= 6 ? [6, 4] : [],
    }));
    // The same list as long as it says the same: nothing is built anew.
    if (JSON.stringify(names) !== JSON.stringify(this.curves)) this.curves = names;
    const laps = this.feed?.crossings.laps(rivals.map((car) => car.id)) ?? 0;
    if (laps < 1) return html`<p class="note">Gaps lap by lap, from the first crossing of the line.</p>`;
    return html`<wall-chart class="gaps" .curves=${this.curves} .down=${true}></wall-chart>
      <ul class="legend">${rivals.map((car, i) => html`<li><i class="curve-${(i % 6) + 1} ${i >= 6 ? "dashed" : ""}" aria-hidden="true"></i>
        <span>${car.driver}</span> <b>${car.classPlace === 1 ? "" : gap(car.gap)}</b></li>`)}</ul>`;
  }

  private gapColumns(): Columns {
    const ids = this.rivals.map((car) => car.id);
    const crossings = this.feed?.crossings;
    const laps = crossings?.laps(ids) ?? 0;
    return [Array.from({ length: laps }, (_, i) => i + 1), ...(crossings?.gaps(ids) ?? [])];
  }

  private stintTable(feed: RigFeed): TemplateResult {
    const car = this.shown;
    const stints = (car && feed.stints.get(car.id)) ?? [];
    if (!car || !stints.length) return html`<p class="note">Stints are listed when the first lap is over.</p>`;
    return html`<table><thead><tr><th class="num">Stint</th><th>Driver</th><th class="num">From lap</th><th class="num">Laps</th>
      <th>Tyres</th><th class="num">Best</th><th class="num">Mean</th></tr></thead>
      <tbody>${stints.map((stint) => html`<tr><td class="num">${stint.number}</td><th scope="row">${stint.driver}</th>
        <td class="num">${stint.first}</td><td class="num">${stint.laps}</td><td>${stint.compound || NONE}</td>
        <td class="num">${lapTime(stint.best)}</td><td class="num">${lapTime(stint.mean)}</td></tr>`)}</tbody></table>`;
  }

  private log(feed: RigFeed): TemplateResult {
    if (!feed.lines.length) return html`<p class="note">What happens from now on is written here.</p>`;
    return html`<ol class="log" tabindex="0" aria-label="Events, newest first">${feed.lines.slice(-100).reverse().map((line) => html`
      <li class=${line.kind}><time>${timeOfDay(line.timeNs / 1e9)}</time><span>${line.words}${line.times ? html` <b>(${line.times} times)</b>` : nothing}</span></li>`)}</ol>`;
  }

  private alerts(): TemplateResult {
    const alarms = this.feed?.alarms ?? [];
    return html`<form class="ask" @submit=${(event: Event) => this.add(event)}>
        <label>Tell me when <input name="rule" placeholder="fuel < 5" autocomplete="off" spellcheck="false"></label>
        <button>Add</button></form>
      ${this.wrong || this.feed?.unruled ? html`<p class="trouble" role="alert">${this.wrong || this.feed?.unruled}</p>` : nothing}
      <ul class="rules">${this.rules.map((text) => {
        const active = alarms.some((alarm) => alarm.rule.text === text && alarm.active);
        return html`<li class=${active ? "active" : ""}><code>${text}</code> <b>${active ? "now" : ""}</b>
          <button aria-label="Remove ${text}" @click=${() => this.unrule(text)}>×</button></li>`;
      })}</ul>
      ${this.fired.length ? html`<ol class="fired" aria-label="Alerts, newest first">${this.fired.map((one) => html`
        <li><time>${timeOfDay(one.at)}</time><span>${one.rig}: ${one.text}</span></li>`)}</ol>`
        : html`<p class="note">Any channel or formula of the rig's own car: a sound, and a notification where the browser may.</p>`}`;
  }

  // What people do.

  private set(change: () => void): void {
    change();
    this.ask();
  }

  private choose(rig: string): void {
    this.rig = rig;
    this.car = "player";
    store("rig", rig);
    store("car", "");
    this.follow();
    this.ask();
  }

  private look(car: number): void {
    this.car = String(car);
    store("car", this.car);
    this.follow();
    this.ask();
  }

  private place(placed: Placed[]): void {
    this.placed = placed;
    store("panels", format(placed));
    this.ask();
  }

  private rechannel(event: Event): void {
    event.preventDefault();
    const text = String(new FormData(event.target as HTMLFormElement).get("channels") ?? "");
    this.channels = [...new Set(text.split(",").map((name) => name.trim()).filter(Boolean))];
    store("channels", this.channels.join(","));
    this.follow();
    this.ask();
  }

  private async mark(feed: RigFeed): Promise<void> {
    try {
      const name = await feed.mark("marked on the pit wall");
      this.said = `${feed.name}: ${name} keeps the last 30 s and the next 10 s`;
    } catch (error) {
      this.said = `${feed.name}: no mark, ${error instanceof Error ? error.message : "the gateway does not answer"}`;
    }
    this.ask();
  }

  private add(event: Event): void {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const text = String(new FormData(form).get("rule") ?? "").trim();
    const rule = parseRule(text);
    this.wrong = typeof rule === "string" ? rule : "";
    if (!this.wrong && !this.rules.includes(text)) {
      this.ruled([...this.rules, text]);
      form.reset();
      // Both need somebody who has clicked something.
      this.sound ??= new AudioContext();
      if ("Notification" in window && Notification.permission === "default") void Notification.requestPermission();
    }
    this.ask();
  }

  private unrule(text: string): void {
    this.ruled(this.rules.filter((one) => one !== text));
    this.ask();
  }

  private ruled(rules: string[]): void {
    this.rules = rules;
    keep("wall.rules", JSON.stringify(rules));
    this.follow();
  }

  private alert(rig: string, text: string): void {
    this.fired = [{ rig, text, at: Date.now() / 1000 }, ...this.fired].slice(0, 50);
    if (this.sound) beep(this.sound);
    if ("Notification" in window && Notification.permission === "granted") new Notification(`${rig}: ${text}`);
    this.ask();
  }
}
customElements.define("rig-wall", RigWall);

function degrees(celsius: number): string {
  const [value, unit] = inUnits(celsius, "°C", look().units);
  return `${fixed(value)} ${unit}`;
}

// Two short tones: heard over engines, and over soon.
function beep(sound: AudioContext): void {
  for (const [at, pitch] of [[0, 880], [0.18, 1320]] as const) {
    const tone = sound.createOscillator(), volume = sound.createGain();
    tone.frequency.value = pitch;
    volume.gain.value = 0.2;
    tone.connect(volume).connect(sound.destination);
    tone.start(sound.currentTime + at);
    tone.stop(sound.currentTime + at + 0.14);
  }
}
