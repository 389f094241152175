// Paints forty cars as an overlay does, and notes when the stamp that each record carries was on the screen.
import { Feed, Painter, settings } from "/assets/rig.js";

const canvas = document.querySelector("canvas");
const pen = canvas.getContext("2d");
const after = new MessageChannel(); // its task comes when the frame has been handed on
globalThis.late = [];
let shown, stamp, told;

after.port1.onmessage = () => {
  if (told === stamp) return; // a frame without anything new
  told = stamp;
  globalThis.late.push([stamp, (performance.timeOrigin + performance.now()) / 1000]);
};
const painter = new Painter(() => {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (let row = 0; row < shown.rows; row++) {
    pen.fillStyle = `hsl(${row * 9} 80% 60%)`;
    pen.fillRect((shown.value("position", row, 0) * 4) % 800, (shown.value("position", row, 2) * 4) % 600, 12, 12);
    pen.fillText(shown.value("speed", row).toFixed(0), 20 * row, 590);
  }
  stamp = shown.value("last_impact_time", 0);
  after.port2.postMessage(0);
});
const channels = ["last_impact_time", "position", "speed", "throttle", "brake", "gear", "engine_rpm", "fuel", "steering", "lap_number", "tyre_temp", "brake_temp"];
new Feed(settings().rig).follow({ stream: "physics", channels, rate: 30 }, (tables) => {
  shown = tables.at(-1);
  painter.ask();
});
