// The map: the track seen from above, coloured by where the lap in focus loses and wins. Zoomed in it shows the
// lines that the cars took.

import type { Comparison, Lap } from "./comparison.ts";
import type { Shelf } from "./strips.ts";

const MARGIN_PX = 26;
const LEAST_RATE = 4e-4;
/** Seconds per metre that are drawn as no difference: 0.4 ms in 10 m. */
const DULL = 0.08;

export class TrackMap {
  private readonly canvas: HTMLCanvasElement;
  private shelf: Shelf | null = null;
  private ground: ImageData | null = null;
  private scale = 1;
  private middle: [number, number] = [0, 0];
  private whole = true;
  private rates: Float64Array = new Float64Array();
  private most = LEAST_RATE;

  constructor(canvas: HTMLCanvasElement, pick: (metres: number) => void) {
    this.canvas = canvas;
    new ResizeObserver(() => requestAnimationFrame(() => this.paint())).observe(canvas);
    canvas.addEventListener("pointermove", (event) => {
      const at = this.nearest(event);
      if (at !== null) this.shelf!.view.move(at);
    });
    canvas.addEventListener("click", (event) => {
      const at = this.nearest(event);
      if (at !== null) pick(at);
    });
  }

  draw(shelf: Shelf): void {
    this.shelf = shelf;
    const { comparison, lap, reference } = shelf;
    const delta = comparison.delta(lap, reference);
    this.rates = Float64Array.from(delta, (_, at) => (lap === reference ? 0 : comparison.rate(delta, at)));
    this.paint();
  }

  /** Paint all of it. */
  paint(): void {
    const { shelf, canvas } = this;
    if (!shelf?.comparison.track) return;
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio];
    if (wide < 10 || high < 10) return;
    if (canvas.width !== wide) canvas.width = wide;
    if (canvas.height !== high) canvas.height = high;
    this.fit(shelf, wide, high, ratio);
    const ctx = canvas.getContext("2d", { willReadFrequently: true })!;
    ctx.clearRect(0, 0, wide, high);
    this.asphalt(ctx, shelf, ratio);
    if (this.whole) this.coloured(ctx, shelf.comparison, null, 5 * ratio);
    else {
      this.line(ctx, shelf.comparison, shelf.reference, shelf.colour(shelf.reference), 2 * ratio);
      this.coloured(ctx, shelf.comparison, shelf.lap, 3.5 * ratio);
    }
    this.names(ctx, shelf.comparison, ratio);
    this.ground = ctx.getImageData(0, 0, wide, high);
    this.point();
  }

  /** Paint the cars where the cursor is. */
  point(): void {
    const { shelf, ground, canvas } = this;
    if (!shelf || !ground) return;
    const ctx = canvas.getContext("2d", { willReadFrequently: true })!;
    ctx.putImageData(ground, 0, 0);
    const { at } = shelf.view.chosen;
    if (at === null) return;
    const ratio = devicePixelRatio || 1;
    for (const lap of [shelf.reference, shelf.lap]) {
      const [x, y] = this.pixel(shelf.comparison.position(this.whole ? null : lap, shelf.comparison.cell(at)));
      ctx.beginPath();
      ctx.arc(x, y, (lap === shelf.lap ? 5 : 6.5) * ratio, 0, 2 * Math.PI);
      ctx.fillStyle = shelf.colour(lap);
      ctx.strokeStyle = tone("--page");
      ctx.lineWidth = 1.5 * ratio;
      ctx.fill();
      ctx.stroke();
    }
  }

  private fit(shelf: Shelf, wide: number, high: number, ratio: number): void {
    const { comparison, view } = shelf;
    const [begin, end] = view.span;
    this.whole = view.chosen.zoom === null || end - begin > comparison.length * 0.5;
    const [first, last] = this.whole ? [0, comparison.cells] : [comparison.cell(begin), comparison.cell(end)];
    const { x, z } = comparison.track!;
    let [left, right, low, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let at = first; at <= last; at++) {
      [left, right] = [Math.min(left, x[at]!), Math.max(right, x[at]!)];
      [low, top] = [Math.min(low, z[at]!), Math.max(top, z[at]!)];
    }
    const sizes = Array.from(this.rates.slice(first, last + 1), Math.abs).filter(Number.isFinite).sort((a, b) => a - b);
    this.most = Math.max(sizes[Math.floor(sizes.length * 0.95)] ?? 0, LEAST_RATE);
    const room = this.whole ? 0 : 12;
    const margin = MARGIN_PX * ratio;
    this.scale = Math.min((wide - 2 * margin) / (right - left + room), (high - 2 * margin) / (top - low + room));
    this.middle = [(left + right) / 2, (low + top) / 2];
  }

  /** World x to the right and z up: seen from above in the game's left-handed frame. */
  private pixel([x, z]: [number, number]): [number, number] {
    return [this.canvas.width / 2 + (x - this.middle[0]) * this.scale, this.canvas.height / 2 - (z - this.middle[1]) * this.scale];
  }

  private asphalt(ctx: CanvasRenderingContext2D, shelf: Shelf, ratio: number): void {
    const { comparison } = shelf;
    const { left, right } = comparison.track!;
    ctx.lineJoin = "round";
    if (this.whole || !left || !right) {
      this.line(ctx, comparison, null, tone("--road"), Math.max(11 * ratio, this.whole ? 0 : 10 * this.scale));
      return;
    }
    const edge = (at: number, metres: number): [number, number] => this.pixel(comparison.beside(at, metres));
    const known = (edges: Float64Array, at: number): number => (Number.isFinite(edges[at]!) ? edges[at]! : 6);
    ctx.beginPath();
    for (let at = 0; at <= comparison.cells; at++) ctx.lineTo(...edge(at, known(left, at)));
    ctx.closePath();
    for (let at = comparison.cells; at >= 0; at--) ctx[at === comparison.cells ? "moveTo" : "lineTo"](...edge(at, -known(right, at)));
    ctx.closePath();
    ctx.fillStyle = tone("--road");
    ctx.fill("evenodd");
  }

  private line(ctx: CanvasRenderingContext2D, comparison: Comparison, lap: Lap | null, colour: string, wide: number): void {
    ctx.beginPath();
    for (let at = 0; at <= comparison.cells; at++) ctx.lineTo(...this.pixel(comparison.position(lap, at)));
    ctx.strokeStyle = colour;
    ctx.lineWidth = wide;
    ctx.lineCap = "round";
    ctx.lineJoin = "round";
    ctx.stroke();
  }

  private coloured(ctx: CanvasRenderingContext2D, comparison: Comparison, lap: Lap | null, wide: number): void {
    const shades = { won: rgb(tone("--gain")), even: rgb(tone("--even")), lost: rgb(tone("--loss")) };
    const stride = Math.max(Math.round(3 / (this.scale * comparison.step)), 1);
    ctx.lineCap = "butt";
    for (let at = 0; at < comparison.cells; at += stride) {
      const to = Math.min(at + stride, comparison.cells);
      const rate = this.rates[Math.min(at + (stride >> 1), comparison.cells)]!;
      const share = Math.min(Math.max(Math.abs(rate) / this.most - DULL, 0) / (1 - DULL), 1);
      ctx.beginPath();
      ctx.moveTo(...this.pixel(comparison.position(lap, at)));
      // One cell further, so that no seam is seen between two pieces.
      for (let next = at + 1; next <= to; next += Math.max(stride >> 1, 1)) ctx.lineTo(...this.pixel(comparison.position(lap, next)));
      ctx.lineTo(...this.pixel(comparison.position(lap, Math.min(to + 1, comparison.cells))));
      ctx.strokeStyle = Number.isNaN(rate) ? tone("--hatch") : mixed(shades.even, rate > 0 ? shades.lost : shades.won, Math.sqrt(share));
      // What is lost is also wider: colour alone does not tell everybody.
      ctx.lineWidth = wide * (rate > 0 ? 1 + 0.5 * share : 1);
      ctx.stroke();
    }
  }

  private names(ctx: CanvasRenderingContext2D, comparison: Comparison, ratio: number): void {
    ctx.font = `600 ${11 * ratio}px ${tone("--font")}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    const label = (at: number, text: string, away: number): void => {
      const [x, y] = this.pixel(comparison.beside(at, (away * 15 * ratio) / this.scale));
      ctx.lineWidth = 3 * ratio;
      ctx.strokeStyle = tone("--panel");
      ctx.strokeText(text, x, y);
      ctx.fillStyle = tone("--text");
      ctx.fillText(text, x, y);
    };
    for (const corner of comparison.track!.corners) {
      const far = this.whole ? 1 : 1 + (6 * this.scale) / (15 * ratio);
      label(comparison.cell(corner.apex % comparison.length), String(corner.number), (corner.right ? 1 : -1) * far);
    }
    const [fromX, fromY] = this.pixel(comparison.beside(0, (9 * ratio) / this.scale));
    const [toX, toY] = this.pixel(comparison.beside(0, (-9 * ratio) / this.scale));
    ctx.beginPath();
    ctx.moveTo(fromX, fromY);
    ctx.lineTo(toX, toY);
    ctx.strokeStyle = tone("--text");
    ctx.lineWidth = 3 * ratio;
    ctx.stroke();
  }

  /** The place nearest to the pointer, in metres; null far from the track. */
  private nearest(event: MouseEvent): number | null {
    const comparison = this.shelf?.comparison;
    if (!comparison?.track) return null;
    const box = this.canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    const [px, py] = [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    let found = 0;
    let least = Infinity;
    for (let at = 0; at <= comparison.cells; at++) {
      const [x, y] = this.pixel([comparison.track.x[at]!, comparison.track.z[at]!]);
      const away = (x - px) ** 2 + (y - py) ** 2;
      if (away < least) [least, found] = [away, at];
    }
    return Math.sqrt(least) < 40 * ratio ? found * comparison.step : null;
  }
}

function tone(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function rgb(colour: string): [number, number, number] {
  const whole = Number.parseInt(colour.slice(1), 16);
  return [whole >> 16, (whole >> 8) & 255, whole & 255];
}

function mixed(from: [number, number, number], to: [number, number, number], share: number): string {
  return `rgb(${from.map((value, at) => Math.round(value + (to[at]! - value) * share)).join(" ")})`;
}
