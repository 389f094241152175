// One overlay, by the last part of the address.

import { OVERLAYS } from "../overlays/all.ts";
import { rigs, words } from "../parts/api.ts";
import { dress, settings } from "../parts/settings.ts";

const own = settings();
dress(own);
const name = decodeURIComponent(location.pathname.split("/").pop() ?? "");
const overlay = Object.hasOwn(OVERLAYS, name) ? OVERLAYS[name] : undefined;

function say(text: string): void {
  const line = document.createElement("p");
  line.className = "words";
  line.setAttribute("role", "alert");
  line.textContent = text;
  document.body.replaceChildren(line);
}

// Without a rig in the address: the first one that is live, else the first one; where there is none, the first that comes.
async function find(): Promise<string> {
  for (;;) {
    try {
      const all = await rigs();
      const first = all.find((one) => one.state === "live") ?? all[0];
      if (first) return first.name;
      say("This gateway knows no rig yet.");
    } catch (error) {
      say(words(error));
    }
    await new Promise((after) => setTimeout(after, 2000));
  }
}

if (overlay) {
  document.title = `${name} – rigd`;
  const element = document.createElement(overlay.tag);
  if (!own.rig) element.setAttribute("rig", await find());
  document.body.replaceChildren(element);
} else {
  document.title = "rigd";
  say(`There is no overlay “${name.slice(0, 40)}”. There are: ${Object.keys(OVERLAYS).join(", ")}.`);
}
