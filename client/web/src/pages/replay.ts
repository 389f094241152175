// A session once more: a bar to go through it, and what the overlays show of each moment.

import { html, render } from "lit";
import "../overlays/all.ts";
import "../parts/replay.ts";
import { Refused, rigs } from "../parts/api.ts";
import { dress, settings } from "../parts/settings.ts";

const own = settings();
dress(own);
document.title = "Replay – rigd";

function show(rig: string): void {
  render(
    html`<header><h1>Replay</h1><nav><a href="/">Rigs</a> <a href="/wall?rig=${rig}">Pit wall</a> <a href="/laps?rig=${rig}">Laps</a></nav></header>
      <main>
        <rig-replay rig=${rig}></rig-replay>
        <rig-standings rig=${rig}></rig-standings>
        <div>
          <rig-map rig=${rig}></rig-map><rig-dash rig=${rig}></rig-dash><rig-inputs rig=${rig}></rig-inputs><rig-tyres rig=${rig}></rig-tyres>
        </div>
      </main>`,
    document.body,
  );
}

async function begin(): Promise<void> {
  try {
    const name = own.rig || (await rigs())[0]?.name;
    if (name) show(name);
    else render(html`<p role="alert">This gateway knows no rig yet.</p>`, document.body);
  } catch (error) {
    render(html`<p role="alert">${error instanceof Refused ? `${error.message}: ${error.hint}` : String(error)}</p>`, document.body);
  }
}

void begin();
