// The first page: which rigs there are, and where to go from here.

import { html, render } from "lit";
import { OVERLAYS } from "../overlays/all.ts";
import { Refused, type RigLine, rigs } from "../parts/api.ts";
import { dress, settings } from "../parts/settings.ts";

dress(settings());
document.title = "rigd";

function show(lines: RigLine[], trouble: string): void {
  const overlays = (rig: string) => Object.entries(OVERLAYS).map(
    ([name, { title }]) => html`<li><a href="/overlay/${name}?rig=${rig}">${name}</a> ${title}</li>`,
  );
  render(
    html`<main>
      <h1>rigd</h1>
      ${trouble ? html`<p role="alert">${trouble}</p>` : ""}
      ${lines.map((rig) => html`<section>
        <h2>${rig.name} <small>${rig.state} ${rig.message}</small></h2>
        <p><a href="/wall?rig=${rig.name}">Pit wall</a> <a href="/laps?rig=${rig.name}">Laps</a></p>
        <ul>${overlays(rig.name)}</ul>
      </section>`)}
    </main>`,
    document.body,
  );
}

async function look(): Promise<void> {
  try {
    show(await rigs(), "");
  } catch (error) {
    show([], error instanceof Refused ? `${error.message}: ${error.hint}` : String(error));
  }
}

void look();
setInterval(() => void look(), 2000);
