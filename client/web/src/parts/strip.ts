// The last seconds of some values of a car, drawn as lines from left to right.

import type { Canvas } from "./canvas.ts";

type Sample = { at: number; values: number[] };

export class Strip {
  private readonly samples: Sample[] = [];
  private readonly seconds: number;

  constructor(seconds: number) {
    this.seconds = seconds;
  }

  // Take values, 0 to 1, at a moment of the session's clock.
  add(at: number, values: number[]): void {
    const { samples } = this;
    const last = samples[samples.length - 1];
    if (last && (at < last.at || at > last.at + this.seconds)) samples.length = 0;
    if (last && at === last.at) return;
    samples.push({ at, values });
    let old = 0;
    while (samples[old + 1] && samples[old + 1]!.at < at - this.seconds) old += 1;
    samples.splice(0, old);
  }

  // Draw one of the values into a box.
  draw({ pen, unit }: Canvas, which: number, colour: string, x: number, y: number, width: number, height: number): void {
    const end = this.samples[this.samples.length - 1]?.at ?? 0;
    pen.save();
    pen.beginPath();
    pen.rect(x, y, width, height);
    pen.clip();
    pen.strokeStyle = colour;
    pen.lineWidth = 2 * unit;
    pen.lineJoin = "round";
    pen.beginPath();
    for (const { at, values } of this.samples) {
      const value = values[which]!;
      if (Number.isFinite(value)) pen.lineTo(x + width * (1 - (end - at) / this.seconds), y + unit + (1 - value) * (height - 2 * unit));
    }
    pen.stroke();
    pen.restore();
  }
}
