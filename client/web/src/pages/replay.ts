// A session once more: a bar to go through it, and what the overlays show of each moment.

import { html, render, type TemplateResult } from "lit";
import "../overlays/all.ts";
import "../parts/replay.ts";
import { rigs, words } from "../parts/api.ts";
import { header } from "../parts/header.ts";
import { type Look, look, wear } from "../parts/look.ts";
import { settings } from "../parts/settings.ts";

document.title = "Replay – rigd";
wear(look());

const moment = (rig: string) => html`
  <rig-replay rig=${rig}></rig-replay>
  <rig-standings rig=${rig}></rig-standings>
  <div>
    <rig-map rig=${rig}></rig-map><rig-dash rig=${rig}></rig-dash>
    <rig-inputs rig=${rig}></rig-inputs><rig-tyres rig=${rig}></rig-tyres>
  </div>`;

function show(rig: string, content: TemplateResult, now = look()): void {
  const change = (next: Look) => {
    wear(next);
    show(rig, content, next);
  };
  render(html`${header({ page: "replay", rig, look: now, change })}<main>${content}</main>`, document.body);
}

async function begin(): Promise<void> {
  try {
    const name = settings().rig || (await rigs())[0]?.name || "";
    show(name, name ? moment(name) : html`<p role="alert">This gateway knows no rig yet.</p>`);
  } catch (error) {
    show("", html`<p role="alert">${words(error)}</p>`);
  }
}

void begin();
