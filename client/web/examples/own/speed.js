// An overlay of one's own: the speed, green while the throttle is open, with what a request computes itself.
import { dress, Feed, Painter, rigs, settings } from "/assets/rig.js";

const own = settings();
dress(own);
const text = document.querySelector("p");
const feed = new Feed(own.rig || (await rigs())[0].name);
let shown;
const painter = new Painter(() => {
  const row = shown.row("player");
  const speed = document.createElement("b");
  speed.textContent = row < 0 ? "–" : shown.value("kmh", row).toFixed(0);
  speed.style.color = shown.value("throttle", row) > 0.1 ? "var(--own)" : "var(--text)";
  text.replaceChildren(speed, " km/h");
});
feed.follow({ stream: "physics", channels: ["kmh = speed * 3.6", "throttle"], cars: { player: true }, rate: 30 }, (tables) => {
  shown = tables.at(-1);
  painter.ask();
});
feed.watch(({ state, message }) => (text.style.opacity = state === "live" ? "1" : "0.5", text.title = message));
