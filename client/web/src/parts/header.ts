// The head of every page: the way to the others, what the page adds, theme and units.

import { html, nothing, type TemplateResult } from "lit";

import { choose, type Look } from "./look.ts";
import { THEMES } from "./settings.ts";

const PAGES = { index: ["/", "Rigs"], wall: ["/wall", "Pit wall"], replay: ["/replay", "Replay"], laps: ["/laps", "Laps"], compare: ["/compare", "Compare"], garage: ["/garage", "Garage"], season: ["/season", "Season"] } as const;
const CARRIED = ["key", "delay", "theme", "units"]; // parts of an address that hold for every page

export type Head = {
  page: keyof typeof PAGES;
  rig: string;
  look: Look;
  change: (look: Look) => void;
  alone?: boolean; // a file: there is nowhere to go
  about?: TemplateResult | typeof nothing;
  tools?: TemplateResult | typeof nothing;
};

// Return the address of another page, for the same rig and with the same key.
export function linked(page: keyof typeof PAGES, rig: string): string {
  const query = new URLSearchParams(rig ? { rig } : {});
  const here = new URLSearchParams(location.search);
  for (const name of CARRIED) if (here.has(name)) query.set(name, here.get(name)!);
  return query.size ? `${PAGES[page][0]}?${query}` : PAGES[page][0];
}

export function header({ page, rig, look, change, alone, about, tools }: Head): TemplateResult {
  const pages = Object.entries(PAGES) as [keyof typeof PAGES, readonly [string, string]][];
  const pick = (name: keyof Look, value: string) => {
    choose(name, value);
    change({ ...look, [name]: value });
  };
  const select = (name: keyof Look, title: string, options: readonly string[]) => html`<label>${title}
    <select @change=${(event: Event) => pick(name, (event.target as HTMLSelectElement).value)}>
      ${options.map((one) => html`<option value=${one} ?selected=${one === look[name]}>${one}</option>`)}</select></label>`;
  return html`<header class="head">
    <h1 class="hidden">${PAGES[page][1]}</h1>
    ${alone ? html`<b class="brand">rigd</b>` : html`<a class="brand" href=${linked("index", rig)}>rigd</a>
      <nav aria-label="Pages">${pages.map(([name, [, title]]) => html`<a href=${linked(name, rig)}
        aria-current=${name === page ? "page" : nothing}>${title}</a>`)}</nav>`}
    <div class="about">${about ?? nothing}</div>
    <div class="tools">${tools ?? nothing} ${select("units", "Units", ["metric", "imperial"])} ${select("theme", "Theme", THEMES)}</div>
  </header>`;
}
