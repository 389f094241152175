// The compare page. Written to a file it carries its document; served, it fetches it from the gateway.

import { html, nothing, render, type TemplateResult } from "lit";

import { ask, words } from "../parts/api.ts";
import { delta as signed, lapTime } from "../parts/format.ts";
import { header, linked } from "../parts/header.ts";
import { Layouts } from "../parts/layouts.ts";
import { type Look, look, wear } from "../parts/look.ts";

import { Chat } from "./chat.ts";
import { Comparison, type Document, type Lap } from "./comparison.ts";
import { DELTA, readStrips, strip, usual, written, type Strip } from "./layout.ts";
import { TrackMap } from "./map.ts";
import { Strips, type Shelf } from "./strips.ts";
import { LapNotes } from "./notes.ts";
import { lapTable, lost, partTable, sectorTable, tipList, type Shown } from "./tables.ts";
import { View, type Change } from "./view.ts";

const OTHERS = 6;
const KEYS: [string, string][] = [
  ["← →", "Move the cursor a metre, with Shift ten"],
  ["n p", "Next corner, previous corner"],
  ["+ −", "Closer, farther"],
  ["0 Esc", "The whole lap"],
  ["r", "Swap lap and reference"],
  ["?", "This help"],
];

const held = document.querySelector("#document")?.textContent?.trim();
const FORMULA = /^\s*([a-z]\w*)\s*=\s*(.+)$/i;

/** Return the document in the page, or of the gateway: /api/{rig}/comparison with the words of the address. */
async function load(query = new URLSearchParams(location.search)): Promise<Document> {
  if (held) {
    const bytes = Uint8Array.from(atob(held), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return (await new Response(stream).json()) as Document;
  }
  const rig = query.get("rig");
  const laps = [...["a", "b"].flatMap((name) => query.getAll(name)), ...query.getAll("lap")];
  if (!rig || !laps.length) throw new Error("No laps are chosen: pick two of the list of laps.");
  const asked = { lap: laps, channel: query.getAll("channel"), formula: query.getAll("formula") };
  return ask<Document>(`${encodeURIComponent(rig)}/comparison`, asked);
}

const rigOf = (): string => new URLSearchParams(location.search).get("rig") ?? "";

class Page {
  private comparison: Comparison;
  private readonly view: View;
  private readonly strips: Strips;
  private readonly map: TrackMap;
  private minis = false;
  private wrong = ""; // what is wrong with a formula
  private part = "";
  private readonly layouts = new Layouts(held ? "" : rigOf(), "compare", "layouts");
  private readonly beside: { notes: LapNotes; chat: Chat; of: string } | undefined;

  constructor(comparison: Comparison) {
    this.comparison = comparison;
    const laps = comparison.laps;
    const reference = laps[comparison.document.reference] ?? laps[0]!;
    const other = laps.find((lap) => lap !== reference && !lap.plain.ideal) ?? reference;
    this.view = new View(comparison.length, { reference: reference.plain.name, lap: other.plain.name });
    this.strips = new Strips(document.querySelector("#strips")!);
    this.map = new TrackMap(document.querySelector("#map")!, (metres) => this.zoomAround(metres));
    document.querySelector<HTMLElement>("#mapbox")!.hidden = !comparison.track;
    this.view.watch((changed) => this.change(changed));
    addEventListener("keydown", (event) => this.key(event));
    document.body.dataset.ready = "";
    if (!held) {
      const notes = new LapNotes(rigOf(), document.querySelector<HTMLElement>("#notes")!);
      const chat = new Chat(rigOf(), document.querySelector<HTMLElement>("#chatbox")!, () => void notes.show(this.lap.plain.name));
      this.beside = { notes, chat, of: "" };
    }
    this.dress();
    this.drawAll();
    void this.begin();
  }

  /** Begin with the layout that somebody made the usual one, where the address says none. */
  private async begin(): Promise<void> {
    await this.layouts.load();
    const { standard } = this.layouts;
    if (standard && !this.view.chosen.strips) this.view.set({ strips: readStrips(standard) });
    this.bar();
  }

  /** Show notes and the assistant beside the lap in focus; a file has neither, and nor has the ideal lap. */
  private talk(): void {
    const { beside } = this;
    const [lap, reference] = [this.lap.plain, this.reference.plain];
    const of = JSON.stringify([lap.name, reference.name]);
    if (!beside || beside.of === of) return;
    beside.of = of;
    document.querySelector<HTMLElement>("#notebox")!.hidden = Boolean(lap.ideal);
    if (lap.ideal) return;
    void beside.notes.show(lap.name);
    void beside.chat.about(lap.name, reference.ideal || reference === lap ? "" : reference.name);
  }

  private lapOf(name: string, instead: Lap): Lap {
    const laps = this.comparison.laps;
    return laps.find((lap) => lap.plain.name === name) ?? laps.find((lap) => lap.plain.title === name) ?? instead;
  }

  private get reference(): Lap {
    return this.lapOf(this.view.chosen.reference, this.comparison.laps[this.comparison.document.reference] ?? this.comparison.laps[0]!);
  }

  private get lap(): Lap {
    return this.lapOf(this.view.chosen.lap, this.comparison.laps.find((lap) => lap !== this.reference) ?? this.reference);
  }

  private get shown(): Strip[] {
    const { channels, laps } = this.comparison.document;
    const delta = laps.length > 1 && laps.some((lap) => lap.time);
    const known = new Set([DELTA, ...channels.map((channel) => channel.name)]);
    const chosen = this.view.chosen.strips?.filter((one) => known.has(one.channel) && (one.channel !== DELTA || delta));
    return chosen?.length ? chosen : usual(channels.map((channel) => channel.name), delta);
  }

  private shelf(): Shelf {
    const { reference, lap, view, comparison } = this;
    const hidden = new Set(view.chosen.hidden);
    const drawn = comparison.laps.filter((one) => one === lap || one === reference || !(hidden.has(one.plain.name) || one.plain.ideal));
    return { comparison, view, reference, lap, drawn, strips: this.shown, colour: (one) => this.colour(one) };
  }

  /** The reference is neutral, the lap in focus yellow; the others have a colour by their position. */
  private colour(lap: Lap): string {
    const name = lap === this.reference ? "--reference" : lap === this.lap ? "--focus" : `--lap${(lap.index % OTHERS) + 1}`;
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  private change(changed: Set<Change>): void {
    if (changed.has("theme")) this.dress();
    if (["reference", "lap", "hidden", "strips", "theme", "units"].some((name) => changed.has(name as Change))) return this.drawAll();
    if (changed.has("zoom")) {
      this.strips.zoom();
      this.map.paint();
      this.tables();
    }
    if (changed.has("at")) {
      this.strips.point();
      this.map.point();
    }
    this.cursor();
  }

  private dress(): void {
    wear(this.view.chosen);
  }

  private drawAll(): void {
    const shelf = this.shelf();
    this.strips.draw(shelf, (strips) => this.view.set({ strips }));
    this.map.draw(shelf);
    this.tables();
    this.bar();
    this.cursor();
    this.talk();
  }

  private tables(): void {
    const { comparison, reference, lap, view } = this;
    const [begin, end] = view.span;
    const inside = comparison.document.segments.find((one) => one.title === this.part);
    if (!view.chosen.zoom || !inside?.pieces.some((piece) => piece[0] >= begin - 1 && piece[1] <= end + 1)) this.part = "";
    const shown: Shown = {
      comparison,
      reference,
      lap,
      hidden: new Set(view.chosen.hidden),
      imperial: view.chosen.units === "imperial",
      minis: this.minis,
      part: this.part,
      colour: (one) => this.colour(one),
      choose: (one) => view.set(one === reference ? { lap: reference.plain.name, reference: lap.plain.name } : { lap: one.plain.name }),
      refer: (one) => view.set(one === lap ? { reference: one.plain.name, lap: reference.plain.name } : { reference: one.plain.name }),
      hide: (one) => this.hide(one),
      zoom: (from, to) => this.zoomTo(from, to),
      toParts: (minis) => {
        this.minis = minis;
        this.tables();
      },
    };
    render(lapTable(shown), document.querySelector<HTMLElement>("#laps")!);
    render(sectorTable(shown), document.querySelector<HTMLElement>("#sectors")!);
    const compared = comparison.laps.some((one) => one.time);
    document.querySelector<HTMLElement>("#partbox")!.hidden = !compared;
    if (compared) render(partTable(shown), document.querySelector<HTMLElement>("#parts")!);
    render(tipList(shown), document.querySelector<HTMLElement>("#tips")!);
  }

  private hide(lap: Lap): void {
    const { hidden } = this.view.chosen;
    const name = lap.plain.name;
    this.view.set({ hidden: hidden.includes(name) ? hidden.filter((one) => one !== name) : [...hidden, name] });
  }

  private bar(): void {
    const { chosen } = this.view;
    const { track, circuit, channels, laps } = this.comparison.document;
    const shown = new Set(this.shown.map((one) => one.channel));
    const delta = laps.length > 1 && laps.some((lap) => lap.time) ? [DELTA] : [];
    const missing = [...delta, ...channels.map((channel) => channel.name)].filter((name) => !shown.has(name));
    const { names } = this.layouts;
    document.title = `${track || "laps"}: ${this.lap.plain.title} to ${this.reference.plain.title}`;
    const about = html`<b class="track">${track || "Laps"}</b> <small>${circuit?.name ?? ""}</small>
      <span class="versus" role="status"><i style="--of:${this.colour(this.lap)}"></i><b>${this.lap.plain.driver || this.lap.plain.title}</b>
        <span class="num">${lapTime(this.lap.lapTime)}</span>
        ${this.lap === this.reference ? "" : html`${lost(this.comparison.lost(this.lap, this.reference))}
          <span class="dim">to</span> <i style="--of:${this.colour(this.reference)}"></i><b>${this.reference.plain.driver || this.reference.plain.title}</b>
          <span class="num">${lapTime(this.reference.lapTime)}</span>`}</span>`;
    const tools = html`
      <label>Strip <select aria-label="Add a strip" ?disabled=${!missing.length} @change=${(event: Event) => this.add(event)}>
        <option value="">add…</option>${missing.map((name) => html`<option>${name}</option>`)}</select></label>
      <label>Layout <select aria-label="Layout" @change=${(event: Event) => this.layout(event)}>
        <option value="">${chosen.strips ? "own" : "usual"}</option>
        ${chosen.strips ? html`<option value="usual">usual</option>` : ""}
        ${names.map((name) => html`<option value="=${name}">${name}</option>`)}
        <option value="keep">keep as…</option>
        ${names.map((name) => html`<option value="!${name}">begin with ${name}</option>`)}
        ${names.map((name) => html`<option value="-${name}">forget ${name}</option>`)}</select></label>
      <button title="Keys" aria-label="Keys" @click=${() => this.help()}>?</button>`;
    draw(chosen, (look) => this.view.set(look), about, tools);
    if (!held) render(this.formulas(), document.querySelector<HTMLElement>("#formulas")!);
  }

  private formulas(): TemplateResult {
    return html`<form @submit=${(event: Event) => void this.compute(event)}>
        <label>Formula <input name="formula" size="28" placeholder="push = derivative(speed)" autocomplete="off" spellcheck="false"></label>
        <button>Add</button></form>
      ${this.wrong ? html`<p class="warn" role="alert">${this.wrong}</p>` : nothing}`;
  }

  /** Have the gateway compute a channel, and show it as a strip; the address keeps it. */
  private async compute(event: Event): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const text = String(new FormData(form).get("formula") ?? "");
    try {
      const [, name] = FORMULA.exec(text) ?? [];
      if (!name) throw new Error("Write it as name = expression, such as: push = derivative(speed)");
      const address = new URL(location.href);
      const others = address.searchParams.getAll("formula").filter((one) => FORMULA.exec(one)?.[1] !== name);
      address.searchParams.delete("formula");
      for (const one of [...others, text.trim()]) address.searchParams.append("formula", one);
      this.comparison = new Comparison(await load(address.searchParams));
      history.replaceState(null, "", `${address.pathname}?${address.searchParams}${location.hash}`);
      this.wrong = "";
      form.reset();
      this.view.set({ strips: [...this.shown.filter((one) => one.channel !== name), strip(name)] });
      this.drawAll();
    } catch (error) {
      this.wrong = words(error);
      this.bar();
    }
  }

  private add(event: Event): void {
    const select = event.target as HTMLSelectElement;
    if (select.value) this.view.set({ strips: [...this.shown, strip(select.value)] });
    select.value = "";
  }

  private layout(event: Event): void {
    const select = event.target as HTMLSelectElement;
    const wish = select.value;
    select.value = "";
    if (wish === "usual") return this.view.set({ strips: null });
    const name = wish.slice(1);
    if (wish.startsWith("=")) return this.view.set({ strips: readStrips(this.layouts.document(name) ?? "") });
    this.arrange(wish, name).then(
      () => this.bar(),
      (error: unknown) => alert(words(error)),
    );
  }

  private async arrange(wish: string, name: string): Promise<void> {
    if (wish.startsWith("-")) return this.layouts.forget(name);
    if (wish.startsWith("!")) return this.layouts.save(name, this.layouts.document(name) ?? "", true);
    const named = prompt("Keep this layout as")?.trim().slice(0, 40);
    if (named) await this.layouts.save(named, written(this.shown));
  }

  private cursor(): void {
    const { comparison, view } = this;
    const { at } = view.chosen;
    const where = document.querySelector<HTMLElement>("#where")!;
    const [begin, end] = view.span;
    const cell = at === null ? 0 : comparison.cell(at);
    const corner = at === null ? undefined : comparison.document.segments.find((one) => one.pieces.some(([from, to]) => at >= from && at < to));
    const time = this.lap.time?.[cell] ?? NaN;
    render(
      html`<span>${at === null ? "Move over a strip" : html`<b class="num">${cell === 0 ? 0 : Math.round(cell * comparison.step)} m</b> ${corner?.title ?? ""}`}</span>
        <span class="num">${at === null || Number.isNaN(time) ? "" : `${time.toFixed(3)} s`}</span>
        <span class="num dim">${at === null || this.lap === this.reference ? "" : signed(comparison.delta(this.lap, this.reference)[cell]!)}</span>
        <span class="dim num">${Math.round(begin)} to ${Math.round(end)} m</span>
        <button ?hidden=${!view.chosen.zoom} @click=${() => view.set({ zoom: null })}>Whole lap</button>`,
      where,
    );
  }

  /** Zoom to the corner or straight at a place. */
  private zoomAround(metres: number): void {
    const segment = this.comparison.document.segments.find((one) => one.pieces.some(([begin, end]) => metres >= begin && metres <= end));
    const piece = segment?.pieces.find(([begin, end]) => metres >= begin && metres <= end);
    if (segment && piece) this.zoomTo(piece[0] - 40, piece[1] + 40, segment.title);
  }

  private zoomTo(begin: number, end: number, part = ""): void {
    const middle = (begin + end) / 2;
    const here = this.comparison.document.segments.find((one) => one.pieces.some((piece) => middle >= piece[0] && middle <= piece[1]));
    this.part = part || (here?.title ?? "");
    this.view.zoom(begin, end);
    const { at } = this.view.chosen;
    if (at === null || at < begin || at > end) this.view.move(middle);
  }

  private corner(step: 1 | -1): void {
    const { length, track } = this.comparison;
    const corners = [...(track?.corners ?? [])].sort((a, b) => (a.apex % length) - (b.apex % length));
    if (!corners.length) return;
    const at = this.view.chosen.at ?? (step > 0 ? -1 : length + 1);
    const ahead = corners.filter((one) => ((one.apex % length) - at) * step > 1);
    const next = (step > 0 ? ahead[0] : ahead.at(-1)) ?? corners.at(step > 0 ? 0 : -1)!;
    const apex = next.apex % length;
    const half = Math.max(next.end - next.begin, 120);
    this.zoomTo(apex - half, apex + half, next.title);
    this.view.move(apex);
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.altKey || event.metaKey || /^(SELECT|INPUT|TEXTAREA)$/.test(target.tagName)) return;
    const { step, length } = this.comparison;
    const at = this.view.chosen.at ?? 0;
    const by = step * (event.shiftKey ? 10 : 1);
    const keys: Record<string, () => void> = {
      ArrowLeft: () => this.follow(at - by),
      ArrowRight: () => this.follow(at + by),
      Home: () => this.follow(0),
      End: () => this.follow(length),
      n: () => this.corner(1),
      p: () => this.corner(-1),
      "+": () => this.view.closer(0.6),
      "=": () => this.view.closer(0.6),
      "-": () => this.view.closer(1 / 0.6),
      "0": () => this.view.set({ zoom: null }),
      Escape: () => this.view.set({ zoom: null }),
      r: () => this.view.set({ lap: this.reference.plain.name, reference: this.lap.plain.name }),
      "?": () => this.help(),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Move the cursor, and the zoom with it where it leaves. */
  private follow(metres: number): void {
    const { length } = this.comparison;
    const to = Math.min(Math.max(metres, 0), length);
    const [begin, end] = this.view.span;
    if (to < begin || to > end) {
      const wide = end - begin;
      const from = Math.min(Math.max(to - wide / 2, 0), length - wide);
      this.view.zoom(from, from + wide);
    }
    this.view.move(to);
  }

  private help(): void {
    const dialog = document.querySelector<HTMLDialogElement>("#help")!;
    render(
      html`<h2>Keys</h2><dl>${KEYS.map(([key, words]) => html`<div><dt>${key}</dt><dd>${words}</dd></div>`)}</dl>
        <p>Drag over a strip to zoom, double-click for the whole lap. A click on the map or in the table zooms to a corner.
        The address holds all that is chosen.</p><button @click=${() => dialog.close()}>Close</button>`,
      dialog,
    );
    if (!dialog.open) dialog.showModal();
  }
}

function draw(now: Look, change: (look: Look) => void, about?: TemplateResult, tools?: TemplateResult): void {
  render(header({ page: "compare", rig: rigOf(), look: now, change, alone: Boolean(held), about, tools }), document.querySelector<HTMLElement>("#bar")!);
}

/** Say what went wrong, below the head of the page. */
function say(error: unknown): void {
  wear(look());
  draw(look(), () => say(error));
  const said = document.querySelector<HTMLElement>("#trouble")!;
  render(html`${words(error)}${held ? nothing : html`<br><a href=${linked("laps", rigOf())}>Laps</a>`}`, said);
  said.hidden = false;
}

try {
  new Page(new Comparison(await load()));
} catch (error) {
  say(error);
}
