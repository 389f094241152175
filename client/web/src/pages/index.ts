// The first page: which rigs there are, where to go from here, and every overlay with its address for OBS.

import { html, nothing, render } from "lit";
import { type Kind, OVERLAYS } from "../overlays/all.ts";
import { type RigLine, rigs, words } from "../parts/api.ts";
import { sentence } from "../parts/channels.ts";
import { header, linked } from "../parts/header.ts";
import { look as looked, wear } from "../parts/look.ts";
import { settings } from "../parts/settings.ts";

const own = settings();
let look = looked();
wear(look);
document.title = "rigd";

const SCALES = ["0.75", "1", "1.25", "1.5", "2", "3"];
const STAGE = [300, 248] as const; // room for a preview
const SIGNS: Record<string, string> = { live: "●", replay: "●", stale: "◐", connecting: "◌", off: "○", refused: "✕" };

let lines: RigLine[] = [];
let trouble = "";
let loaded = false;
let chosen = own.rig;
let copied = "";
let scale = "1";
const previews = new Map<string, HTMLElement>();

function address(name: string): string {
  const url = new URL(`/overlay/${name}`, location.origin);
  url.searchParams.set("rig", chosen);
  if (look.theme !== "dark") url.searchParams.set("theme", look.theme);
  if (scale !== "1") url.searchParams.set("scale", scale);
  if (look.units !== "metric") url.searchParams.set("units", look.units);
  const key = new URLSearchParams(location.search).get("key");
  if (key) url.searchParams.set("key", key);
  return url.href;
}

// The same element as long as the rig is the same: it goes on while the page is drawn anew.
function preview(name: string, { tag, size }: Kind): HTMLElement {
  const key = `${chosen} ${name}`;
  let element = previews.get(key);
  if (!element) {
    element = document.createElement(tag);
    element.setAttribute("rig", chosen);
    element.style.zoom = `${Math.min(0.9, STAGE[0] / size[0], STAGE[1] / size[1])}`;
    previews.set(key, element);
  }
  return element;
}

async function copy(name: string, event: Event): Promise<void> {
  const field = (event.currentTarget as HTMLElement).parentElement!.querySelector("input")!;
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy"); // over plain HTTP from another machine there is no clipboard
  }
  copied = name;
  draw();
}

function choose(rig: string): void {
  chosen = rig;
  previews.clear();
  draw();
}

function resize(event: Event): void {
  scale = (event.currentTarget as HTMLSelectElement).value;
  draw();
}

const head = () => header({
  page: "index", rig: chosen, look, about: html`Flight recorder of the sim rig`,
  change: (now) => {
    look = now;
    draw();
  },
});

const rigCard = (rig: RigLine) => html`<li class="rig ${rig.state}">
  <div><h2>${rig.name}</h2><p class="state"><b>${SIGNS[rig.state] ?? "◌"} ${sentence(rig.state)}</b> ${rig.message}</p></div>
  <dl>
    <div><dt>Lag</dt><dd>${rig.state === "live" ? `${(rig.lag_s * 1000).toFixed(0)} ms` : "–"}</dd></div>
    <div><dt>Gaps</dt><dd>${rig.gaps}</dd></div>
    <div><dt>Missed</dt><dd>${rig.missed}</dd></div>
  </dl>
  <nav aria-label="pages of ${rig.name}">
    <a class="go" href=${linked("wall", rig.name)}>Pit wall</a>
    <a class="go" href=${linked("laps", rig.name)}>Laps</a>
    <a class="go" href=${linked("compare", rig.name)}>Compare</a>
    ${lines.length > 1 ? html`<button aria-pressed=${rig.name === chosen} @click=${() => choose(rig.name)}>Overlays</button>` : nothing}
  </nav></li>`;

const overlayCard = ([name, kind]: [string, Kind]) => {
  const [width, height] = kind.size.map((pixels) => Math.ceil(pixels * Number(scale)));
  return html`<li class="overlay-card">
    <h3><a href=${address(name)}>${name}</a> <small>${kind.title}</small></h3>
    <div class="stage" inert>${preview(name, kind)}</div>
    <div class="address"><input readonly aria-label="address of ${name}" .value=${address(name)}><button @click=${(event: Event) => void copy(name, event)}>
      ${copied === name ? "Copied" : "Copy"}</button></div>
    <p class="hint">OBS: browser source, width ${width}, height ${height}</p></li>`;
};

function draw(): void {
  const live = lines.find((one) => one.name === chosen);
  render(html`${head()}<main class="home">
    ${trouble ? html`<p class="trouble" role="alert">${trouble}</p>` : nothing}
    ${loaded && !trouble && !lines.length ? html`<p class="trouble" role="status">This gateway knows no rig yet. <code>rigd run --demo</code> starts a simulated one; <code>rig connect</code> adds another machine's.</p>` : nothing}
    <ul class="rigs">${lines.map(rigCard)}</ul>
    ${live ? html`<section aria-labelledby="overlays">
      <div class="bar"><h2 id="overlays">Overlays${lines.length > 1 ? ` of ${chosen}` : ""}</h2>
        <label>Scale
        <select @change=${resize}>${SCALES.map((one) => html`<option ?selected=${one === scale}>${one}</option>`)}</select></label></div>
      <ul class="overlays">${Object.entries(OVERLAYS).map(overlayCard)}</ul>
      <p class="hint">Each address also takes <code>car=</code> (a slot number), <code>delay=</code> (seconds), <code>bg=</code> (a colour) and, for the delta,
        <code>reference=</code> (<code>best</code>, <code>session</code> or a lap).</p>
    </section>` : nothing}
  </main>`, document.body);
}

async function list(): Promise<void> {
  try {
    [lines, trouble, loaded] = [await rigs(), "", true];
    chosen ||= (lines.find((one) => one.state === "live") ?? lines[0])?.name ?? "";
  } catch (error) {
    [lines, trouble] = [lines, words(error)];
  }
  draw();
}

void list();
setInterval(() => void list(), 2000);
