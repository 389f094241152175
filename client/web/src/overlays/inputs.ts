// The inputs of any car: pedals as bars and over the last seconds, and the wheel as it is turned.

import { css, html } from "lit";
import type { Feed } from "../wire/feed.ts";
import { Canvas, themed } from "../parts/canvas.ts";
import { fixed, inUnits } from "../parts/format.ts";
import { Strip } from "../parts/strip.ts";
import { Overlay, panel } from "./overlay.ts";

const CHANNELS = ["throttle", "brake", "clutch", "steering", "gear", "speed", "physical_steering_range", "visual_steering_range"];
const PEDALS = [["throttle", "T"], ["brake", "B"], ["clutch", "C"]] as const;
const RANGE_RAD = Math.PI * 2; // lock to lock, where the game does not tell it

export class RigInputs extends Overlay {
  static override styles = [panel, css`
    :host { width: 34rem; }
    .live { display: grid; grid-template: 100% / minmax(0, 1fr) 5rem; gap: 0.75rem; align-items: center; height: 7rem; }
    .picture { height: 100%; min-width: 0; min-height: 0; }
    .car { text-align: center; line-height: 1.1; }
    .car b { display: block; font-size: 2.5rem; line-height: 1; }
    .car span { font-size: 1.25rem; font-weight: 600; }
    .name { display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; margin-bottom: 0.25rem; }
  `];

  private readonly canvas = new Canvas(() => this.painter.ask());
  private readonly strip = new Strip(5);

  protected start(feed: Feed): void {
    this.canvas.element.setAttribute("aria-label", "pedals now and over the last five seconds, and the steering wheel");
    const values = () => PEDALS.map(([channel]) => this.of(channel));
    this.physics(feed, CHANNELS, 60, {}, (table) => this.strip.add(table.sessionTime, values()));
    this.scoring();
  }

  protected get has(): boolean {
    return this.table !== undefined;
  }

  protected lack(): string {
    return this.row < 0 ? this.noCar() : "";
  }

  protected content() {
    const [speed, unit] = inUnits(this.of("speed") * 3.6, "km/h", this.settings.units);
    const gear = this.of("gear");
    const name = this.field.car(this.settings.car)?.driver ?? "";
    return html`<div class="live">
      <div class="picture">${this.canvas.element}</div>
      <div class="car"><small class="name">${name}</small><b data-channel="gear">${gear < 0 ? "R" : gear === 0 ? "N" : fixed(gear)}</b>
        <span data-channel="speed">${fixed(speed)}</span> <small>${unit}</small></div>
    </div>`;
  }

  protected override paint(): void {
    super.paint();
    const { canvas } = this;
    const { width, height, unit } = canvas;
    canvas.clear();
    const bars = 3 * 20 * unit;
    const wheel = Math.min(height, width / 4);
    const strip = Math.max(width - bars - wheel - 24 * unit, 0);
    if (!width) return;
    canvas.pen.fillStyle = themed(this, "--raised");
    canvas.pen.fillRect(0, 0, strip, height);
    [2, 0, 1].forEach((which) => this.strip.draw(canvas, which, themed(this, `--${PEDALS[which]![0]}`), 0, 0, strip, height));
    PEDALS.forEach(([channel, letter], at) => this.bar(strip + 12 * unit + at * 20 * unit, channel, letter));
    this.wheel(width - wheel / 2, height / 2, Math.max(wheel / 2 - 5 * unit, 1));
  }

  private bar(x: number, channel: string, letter: string): void {
    const { pen, height, unit } = this.canvas;
    const room = height - 16 * unit;
    const value = Math.min(Math.max(this.of(channel) || 0, 0), 1) * room;
    pen.fillStyle = themed(this, "--raised");
    pen.fillRect(x, 0, 14 * unit, room);
    pen.fillStyle = themed(this, `--${channel}`);
    pen.fillRect(x, room - value, 14 * unit, value);
    pen.fillStyle = themed(this, "--text");
    pen.font = `${11 * unit}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.fillText(letter, x + 7 * unit, height - 2 * unit);
  }

  private wheel(x: number, y: number, radius: number): void {
    const { pen, unit } = this.canvas;
    const range = this.of("physical_steering_range") || this.of("visual_steering_range") || RANGE_RAD;
    pen.save();
    pen.translate(x, y);
    pen.rotate(((this.of("steering") || 0) * range) / 2);
    pen.lineWidth = 6 * unit;
    pen.strokeStyle = themed(this, "--quiet");
    pen.beginPath();
    pen.arc(0, 0, radius, 0, 2 * Math.PI);
    pen.moveTo(-radius, 0);
    pen.lineTo(radius, 0);
    pen.moveTo(0, 0);
    pen.lineTo(0, radius);
    pen.stroke();
    pen.strokeStyle = themed(this, "--steering");
    pen.beginPath();
    pen.arc(0, 0, radius, -Math.PI / 2 - 0.22, -Math.PI / 2 + 0.22);
    pen.stroke();
    pen.restore();
  }
}

customElements.define("rig-inputs", RigInputs);
