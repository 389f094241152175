// The first page: which rigs there are, where to go from here, and every overlay with its address for OBS.

import { html, nothing, render } from "lit";
import { type Kind, OVERLAYS } from "../overlays/all.ts";
import { Refused, type RigLine, rigs } from "../parts/api.ts";
import { dress, settings, THEMES } from "../parts/settings.ts";

const own = settings();
dress(own);
document.title = "rigd";

const SCALES = ["0.75", "1", "1.25", "1.5", "2", "3"];
const STAGE = [300, 248] as const; // room for a preview
const SIGNS: Record<string, string> = { live: "●", replay: "●", stale: "◐", connecting: "◌", off: "○", refused: "✕" };

let lines: RigLine[] = [];
let trouble = "";
let loaded = false;
let chosen = own.rig;
let copied = "";
const choice: Record<"theme" | "scale" | "units", string> = { theme: own.theme, scale: "1", units: own.units };
const previews = new Map<string, HTMLElement>();

function address(name: string): string {
  const url = new URL(`/overlay/${name}`, location.origin);
  url.searchParams.set("rig", chosen);
  if (choice.theme !== "dark") url.searchParams.set("theme", choice.theme);
  if (choice.scale !== "1") url.searchParams.set("scale", choice.scale);
  if (choice.units !== "metric") url.searchParams.set("units", choice.units);
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

function change(name: keyof typeof choice, event: Event): void {
  choice[name] = (event.currentTarget as HTMLSelectElement).value;
  if (name === "theme") document.documentElement.dataset.theme = choice.theme;
  draw();
}

const select = (name: keyof typeof choice, options: readonly string[], title: string) => html`<label>${title}
  <select @change=${(event: Event) => change(name, event)}>${options.map((one) => html`<option ?selected=${one === choice[name]}>${one}</option>`)}</select></label>`;

const rigCard = (rig: RigLine) => html`<li class="rig ${rig.state}">
  <div><h2>${rig.name}</h2><p class="state"><b>${SIGNS[rig.state] ?? "◌"} ${rig.state}</b> ${rig.message}</p></div>
  <dl>
    <div><dt>lag</dt><dd>${rig.state === "live" ? `${(rig.lag_s * 1000).toFixed(0)} ms` : "–"}</dd></div>
    <div><dt>gaps</dt><dd>${rig.gaps}</dd></div>
    <div><dt>missed</dt><dd>${rig.missed}</dd></div>
  </dl>
  <nav aria-label="pages of ${rig.name}">
    <a class="go" href="/wall?rig=${encodeURIComponent(rig.name)}">Pit wall</a>
    <a class="go" href="/laps?rig=${encodeURIComponent(rig.name)}">Laps</a>
    <a class="go" href="/compare?rig=${encodeURIComponent(rig.name)}">Compare</a>
    ${lines.length > 1 ? html`<button aria-pressed=${rig.name === chosen} @click=${() => choose(rig.name)}>Overlays</button>` : nothing}
  </nav></li>`;

const overlayCard = ([name, kind]: [string, Kind]) => {
  const scale = Number(choice.scale);
  const [width, height] = kind.size.map((pixels) => Math.ceil(pixels * scale));
  return html`<li class="overlay-card">
    <h3><a href=${address(name)}>${name}</a> <small>${kind.title}</small></h3>
    <div class="stage" inert>${preview(name, kind)}</div>
    <div class="address"><input readonly aria-label="address of ${name}" .value=${address(name)}><button @click=${(event: Event) => void copy(name, event)}>
      ${copied === name ? "Copied" : "Copy"}</button></div>
    <p class="hint">OBS: browser source, width ${width}, height ${height}</p></li>`;
};

function draw(): void {
  const live = lines.find((one) => one.name === chosen);
  render(html`<main class="home">
    <header><h1>rigd</h1><p>Flight recorder of the sim rig</p></header>
    ${trouble ? html`<p class="trouble" role="alert">${trouble}</p>` : nothing}
    ${loaded && !trouble && !lines.length ? html`<p class="trouble" role="status">This gateway knows no rig yet. <code>rigd run --demo</code> starts a simulated one; <code>rig connect</code> adds another machine's.</p>` : nothing}
    <ul class="rigs">${lines.map(rigCard)}</ul>
    ${live ? html`<section aria-labelledby="overlays">
      <div class="bar"><h2 id="overlays">Overlays${lines.length > 1 ? ` of ${chosen}` : ""}</h2>
        ${select("theme", THEMES, "Theme")}${select("scale", SCALES, "Scale")}${select("units", ["metric", "imperial"], "Units")}</div>
      <ul class="overlays">${Object.entries(OVERLAYS).map(overlayCard)}</ul>
      <p class="hint">Each address also takes <code>car=</code> (a slot number), <code>delay=</code> (seconds), <code>bg=</code> (a colour) and, for the delta,
        <code>reference=</code> (<code>best</code>, <code>session</code> or a lap).</p>
    </section>` : nothing}
  </main>`, document.body);
}

async function look(): Promise<void> {
  try {
    [lines, trouble, loaded] = [await rigs(), "", true];
    chosen ||= (lines.find((one) => one.state === "live") ?? lines[0])?.name ?? "";
  } catch (error) {
    [lines, trouble] = [lines, error instanceof Refused ? `${error.message}${error.hint ? `: ${error.hint}` : ""}` : String(error)];
  }
  draw();
}

void look();
setInterval(() => void look(), 2000);
