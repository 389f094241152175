// One overlay, by the last part of the address.

import { OVERLAYS } from "../overlays/all.ts";
import { dress, settings } from "../parts/settings.ts";

const own = settings();
dress(own);
document.documentElement.style.setProperty("--overlay", own.bg || "transparent");
const name = decodeURIComponent(location.pathname.split("/").pop() ?? "");
const overlay = Object.hasOwn(OVERLAYS, name) ? OVERLAYS[name] : undefined;
if (overlay) {
  document.title = `${name} – rigd`;
  document.body.append(document.createElement(overlay.tag));
} else {
  const words = document.createElement("p");
  words.setAttribute("role", "alert");
  words.textContent = `There is no overlay “${name.slice(0, 40)}”. There are: ${Object.keys(OVERLAYS).join(", ")}.`;
  document.body.append(words);
}
