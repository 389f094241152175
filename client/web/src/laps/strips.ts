// The traces: one strip per channel over the place along the lap, the time lost on top. They share one cursor and
// one zoom; values at the cursor stand beside each of them.

import uPlot from "uplot";

import type { Channel, Comparison, Lap } from "./comparison.ts";
import { sentence, shownAs, titled, type Shown } from "../parts/channels.ts";
import { delta as signed, fixed } from "../parts/format.ts";
import { bounded, DELTA, type Strip } from "./layout.ts";
import { kind } from "./tables.ts";
import type { View } from "./view.ts";

export interface Shelf {
  comparison: Comparison;
  view: View;
  /** Reference, the lap in focus and all laps that are drawn, the last on top. */
  reference: Lap;
  lap: Lap;
  drawn: Lap[];
  strips: Strip[];
  colour(lap: Lap): string;
}

const AXIS_PX = 58;
const DRAG_PX = 5;

type Numbers = (number | null)[];

class Trace {
  readonly root = document.createElement("section");
  readonly strip: Strip;
  private readonly head = document.createElement("header");
  private readonly values = document.createElement("div");
  private readonly place = document.createElement("div");
  private readonly cursor = document.createElement("i");
  private readonly selection = document.createElement("b");
  private readonly shelf: Shelf;
  private readonly channel: Channel | null;
  private readonly name: string;
  private shown: Shown;
  private readonly last: boolean;
  private plot: uPlot | null = null;
  private drawnLaps: Lap[] = [];

  constructor(shelf: Shelf, strip: Strip, last: boolean, change: (strips: Strip[]) => void) {
    this.shelf = shelf;
    this.strip = strip;
    this.last = last;
    this.channel = shelf.comparison.document.channels.find((one) => one.name === strip.channel) ?? null;
    const unit = strip.channel === DELTA ? "s" : (this.channel?.unit ?? "");
    this.shown = shownAs(strip.channel, unit, shelf.view.chosen.units === "imperial");
    this.name = this.channel?.title ? sentence(this.channel.title) : titled(strip.channel);
    if (this.channel?.shown) this.shown = { ...this.shown, unit: this.channel.shown, factor: 1, shift: 0 };
    this.root.className = "strip";
    this.root.dataset.channel = strip.channel;
    this.cursor.className = "cursor";
    this.selection.className = "selection";
    this.values.className = "values";
    this.place.className = "plot";
    this.fillHead(change);
    const grip = document.createElement("hr");
    grip.title = "Drag to change the height";
    grip.addEventListener("pointerdown", (event) => this.resize(event, grip, change));
    this.root.append(this.head, this.place, grip);
  }

  private fillHead(change: (strips: Strip[]) => void): void {
    const { strips } = this.shelf;
    const at = strips.indexOf(this.strip);
    const name = document.createElement("h3");
    const unit = this.shown.unit;
    name.textContent = this.name;
    const small = document.createElement("small");
    small.textContent = unit;
    name.append(" ", small);
    name.title = this.strip.channel === DELTA ? "Time lost to the reference since the line; up is lost" : (this.channel?.description ?? "");
    const moves = document.createElement("nav");
    const button = (sign: string, words: string, strips: Strip[], off = false): void => {
      const one = document.createElement("button");
      one.textContent = sign;
      one.title = words;
      one.ariaLabel = `${words}: ${this.name}`;
      one.disabled = off;
      one.addEventListener("click", () => change(strips));
      moves.append(one);
    };
    const swapped = (to: number): Strip[] => {
      const next = strips.filter((one) => one !== this.strip);
      next.splice(to, 0, this.strip);
      return next;
    };
    button("↑", "Move up", swapped(Math.max(at - 1, 0)), at === 0);
    button("↓", "Move down", swapped(at + 1), at === strips.length - 1);
    button("×", "Remove", strips.filter((one) => one !== this.strip), strips.length === 1);
    this.head.append(name, moves, this.values);
  }

  /** Draw anew: laps, reference or width have changed. */
  draw(): void {
    this.plot?.destroy();
    const { comparison, reference, lap } = this.shelf;
    const delta = this.strip.channel === DELTA;
    const rest = this.shelf.drawn.filter((one) => one !== lap && one !== reference);
    this.drawnLaps = delta ? [...rest, lap].filter((one) => one !== reference) : [...rest, reference, ...(lap === reference ? [] : [lap])];
    const places = Float64Array.from({ length: comparison.cells + 1 }, (_, at) => at * comparison.step);
    const columns = this.drawnLaps.map((one) => gapped(delta ? comparison.delta(one, reference) : one.channel(this.strip.channel), this.shown));
    const known = columns.some((column) => column.some((value) => value !== null));
    this.place.dataset.empty = known ? "" : delta ? "No lap is compared here" : "Not available in these laps";
    this.plot = new uPlot(this.options(delta), [places, ...columns] as uPlot.AlignedData, this.place);
    this.plot.over.append(this.selection, this.cursor);
    this.listen(this.plot.over);
    this.zoom();
    this.tell();
  }

  private options(delta: boolean): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const tone = (name: string): string => style.getPropertyValue(name).trim();
    const { shelf } = this;
    const grid = { stroke: tone("--grid"), width: 1 };
    const stepped = this.channel?.steps ? { paths: uPlot.paths.stepped!({ align: 1 }) } : {};
    const size = Number.parseFloat(style.fontSize) / 16;
    const font = `${Math.round(12 * size)}px ${tone("--font")}`;
    return {
      width: Math.max(this.place.clientWidth, 60),
      height: this.strip.height + (this.last ? 22 : 0),
      padding: [4, 8, this.last ? 0 : 4, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: (_, low, high) => this.range(low, high, delta) } },
      axes: [
        {
          show: true,
          size: this.last ? 22 : 0,
          stroke: tone("--quiet"),
          grid,
          ticks: { show: false },
          font,
          values: (_, ticks) => ticks.map((tick) => (this.last ? `${tick} m` : "")),
          space: 70 * size,
        },
        {
          size: AXIS_PX * size,
          stroke: tone("--quiet"),
          grid,
          ticks: { show: false },
          font,
          space: 24 * size,
          values: (_, ticks) => ticks.map((tick) => axisLabel(tick, ticks, delta)),
        },
      ],
      series: [
        {},
        ...this.drawnLaps.map((one) => ({
          stroke: shelf.colour(one),
          width: one === shelf.lap || one === shelf.reference ? 1.75 : 1,
          ...(one === shelf.reference ? { dash: [] } : {}),
          points: { show: false },
          spanGaps: false,
          ...stepped,
        })),
      ],
      hooks: {
        drawClear: [(plot) => this.ground(plot, tone)],
        draw: delta ? [(plot) => this.zero(plot, tone)] : [],
      },
    };
  }

  private range(low: number | null, high: number | null, delta: boolean): [number, number] {
    if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
    const { name = "", unit = "" } = this.channel ?? {};
    if (!delta && !unit && /^(throttle|brake|clutch)/.test(name)) return [-4, 104];
    const whole = delta && !this.shelf.view.chosen.zoom;
    const [least, most] = delta && !whole ? this.focused(low, high) : [low, high];
    const from = whole ? Math.min(least, 0) : least;
    const to = whole ? Math.max(most, 0) : most;
    const room = Math.max((to - from) * 0.08, delta ? 0.005 : this.channel?.steps ? 0.5 : 1e-6);
    return [from - room, to + room];
  }

  /** Zoomed in, the lap in focus fills the height: others may lie seconds away. */
  private focused(low: number, high: number): [number, number] {
    const { comparison, lap, reference, view } = this.shelf;
    const [begin, end] = view.span.map((place) => comparison.cell(place)) as [number, number];
    const known = comparison.delta(lap, reference).slice(begin, end + 1).filter(Number.isFinite);
    return known.length && lap !== reference ? [Math.min(...known), Math.max(...known)] : [low, high];
  }

  /** Corners as bands, doubtful stretches hatched, sectors as lines: behind the traces. */
  private ground(plot: uPlot, tone: (name: string) => string): void {
    const { ctx, bbox } = plot;
    const { comparison, lap, reference, strips } = this.shelf;
    const ratio = devicePixelRatio || 1;
    const x = (metres: number): number => plot.valToPos(metres, "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = tone("--band");
    for (const segment of comparison.document.segments) {
      if (segment.kind !== "corner") continue;
      for (const [begin, end] of segment.pieces) ctx.fillRect(x(begin), bbox.top, x(end) - x(begin), bbox.height);
    }
    for (const { begin, end } of [...lap.plain.doubts, ...reference.plain.doubts]) {
      hatch(ctx, x(begin), bbox.top, Math.max(x(end) - x(begin), 2 * ratio), bbox.height, tone("--hatch"), ratio);
    }
    ctx.fillStyle = tone("--quiet");
    for (const sector of comparison.document.sectors.slice(1)) {
      const place = sector.pieces[0]?.[0];
      if (place !== undefined) for (let y = bbox.top; y < bbox.top + bbox.height; y += 6 * ratio) ctx.fillRect(x(place), y, ratio, 3 * ratio);
    }
    if (strips[0] === this.strip) this.names(ctx, plot, tone("--quiet"), tone("--font"), ratio);
    ctx.restore();
  }

  private names(ctx: CanvasRenderingContext2D, plot: uPlot, colour: string, font: string, ratio: number): void {
    const corners = this.shelf.comparison.track?.corners ?? [];
    ctx.fillStyle = colour;
    ctx.font = `${10 * ratio}px ${font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    let until = -Infinity;
    for (const corner of [...corners].sort((a, b) => (a.apex % this.shelf.comparison.length) - (b.apex % this.shelf.comparison.length))) {
      const x = plot.valToPos(corner.apex % this.shelf.comparison.length, "x", true);
      const [begin, end] = this.shelf.view.span;
      const text = end - begin < this.shelf.comparison.length / 4 ? corner.title : `T${corner.number}`;
      const wide = ctx.measureText(text).width;
      if (x - wide / 2 < until) continue;
      ctx.fillText(text, x, plot.bbox.top + 2 * ratio);
      until = x + wide / 2 + 4 * ratio;
    }
  }

  /** The line of no difference, and under the delta in focus what is lost and what is won. */
  private zero(plot: uPlot, tone: (name: string) => string): void {
    const { ctx, bbox } = plot;
    const { comparison, lap, reference } = this.shelf;
    const y = (value: number): number => plot.valToPos(value, "y", true);
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    if (lap !== reference && !this.shelf.view.chosen.zoom) {
      const delta = comparison.delta(lap, reference);
      const wide = Math.ceil(bbox.width / ratio);
      const [begin, end] = this.shelf.view.span;
      ctx.globalAlpha = 0.28;
      for (let at = 0; at < wide; at++) {
        const value = delta[comparison.cell(begin + ((end - begin) * at) / wide)]!;
        if (Number.isNaN(value)) continue;
        ctx.fillStyle = tone(value > 0 ? "--loss" : "--gain");
        const edge = y(value);
        ctx.fillRect(bbox.left + at * ratio, Math.min(edge, y(0)), ratio, Math.abs(edge - y(0)));
      }
      ctx.globalAlpha = 1;
    }
    ctx.fillStyle = tone("--quiet");
    ctx.fillRect(bbox.left, Math.round(y(0)), bbox.width, ratio);
    ctx.restore();
  }

  zoom(): void {
    const [min, max] = this.shelf.view.span;
    this.plot?.setScale("x", { min, max });
    this.point();
  }

  fit(): void {
    const width = this.place.clientWidth;
    if (this.plot && width > 60 && width !== this.plot.width) {
      this.plot.setSize({ width, height: this.plot.height });
      this.point();
    }
  }

  /** Put the cursor where it is. */
  point(): void {
    const { at } = this.shelf.view.chosen;
    const [begin, end] = this.shelf.view.span;
    const inside = at !== null && at >= begin && at <= end && this.plot;
    this.cursor.hidden = !inside;
    // In parts of the width: the plot learns its scale later than this runs.
    if (inside) this.cursor.style.left = `${((100 * (at - begin)) / (end - begin)).toFixed(3)}%`;
    this.tell();
  }

  /** Write the values at the cursor. */
  private tell(): void {
    const { comparison, view, lap, reference } = this.shelf;
    const at = view.chosen.at === null ? null : comparison.cell(view.chosen.at);
    const { digits, factor, shift } = this.shown;
    if (this.strip.channel === DELTA) {
      const value = at === null ? comparison.lost(lap, reference) : comparison.delta(lap, reference)[at]!;
      this.values.replaceChildren(figure(signed(value), `big ${kind(value)}`, "delta"));
      return;
    }
    if (at === null) return this.values.replaceChildren();
    const read = (one: Lap): number => one.channel(this.strip.channel)[at]! * factor + shift;
    const whole = this.channel?.steps ? 0 : digits;
    const [theirs, ours] = [read(reference), read(lap)];
    const told = [figure(fixed(theirs, whole), "", "reference", this.shelf.colour(reference))];
    if (lap !== reference) {
      told.push(figure(fixed(ours, whole), "", "lap", this.shelf.colour(lap)));
      told.push(figure(signed(ours - theirs, whole), "dim", "difference"));
    }
    this.values.replaceChildren(...told);
  }

  private listen(over: HTMLElement): void {
    let from: number | null = null;
    const metres = (event: PointerEvent): number => {
      const box = over.getBoundingClientRect();
      return this.plot!.posToVal(Math.min(Math.max(event.clientX - box.left, 0), box.width), "x");
    };
    const x = (event: PointerEvent): number => event.clientX - over.getBoundingClientRect().left;
    over.addEventListener("pointermove", (event) => {
      this.shelf.view.move(metres(event));
      if (from === null || Math.abs(x(event) - from) < DRAG_PX || event.pointerType === "touch") return;
      this.selection.style.cssText = `left:${Math.min(from, x(event))}px;width:${Math.abs(x(event) - from)}px;display:block`;
    });
    over.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = x(event);
      this.shelf.view.move(metres(event));
      over.setPointerCapture(event.pointerId);
    });
    over.addEventListener("pointerup", (event) => {
      const begin = from;
      from = null;
      this.selection.style.display = "none";
      if (begin === null || Math.abs(x(event) - begin) < DRAG_PX || event.pointerType === "touch") return;
      this.shelf.view.zoom(this.plot!.posToVal(begin, "x"), metres(event));
    });
    over.addEventListener("pointercancel", () => {
      from = null;
      this.selection.style.display = "none";
    });
    over.addEventListener("dblclick", () => this.shelf.view.set({ zoom: null }));
  }

  private resize(event: PointerEvent, grip: HTMLElement, change: (strips: Strip[]) => void): void {
    const { height } = this.strip;
    const from = event.clientY;
    grip.setPointerCapture(event.pointerId);
    let to = height;
    const move = (moved: PointerEvent): void => {
      to = bounded(height + moved.clientY - from);
      this.plot?.setSize({ width: this.plot.width, height: to + (this.last ? 22 : 0) });
    };
    const done = (): void => {
      grip.removeEventListener("pointermove", move);
      change(this.shelf.strips.map((one) => (one === this.strip ? { ...one, height: to } : one)));
    };
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", done, { once: true });
    event.preventDefault();
  }

  close(): void {
    this.plot?.destroy();
  }
}

/** All strips, one below the other. */
export class Strips {
  private readonly root: HTMLElement;
  private traces: Trace[] = [];

  constructor(root: HTMLElement) {
    this.root = root;
    new ResizeObserver(() => requestAnimationFrame(() => this.traces.forEach((trace) => trace.fit()))).observe(root);
  }

  draw(shelf: Shelf, change: (strips: Strip[]) => void): void {
    this.traces.forEach((trace) => trace.close());
    const last = shelf.strips.length - 1;
    this.traces = shelf.strips.map((strip, at) => new Trace(shelf, strip, at === last, change));
    this.root.replaceChildren(...this.traces.map((trace) => trace.root));
    this.traces.forEach((trace) => trace.draw());
  }

  zoom(): void {
    this.traces.forEach((trace) => trace.zoom());
  }

  point(): void {
    this.traces.forEach((trace) => trace.point());
  }
}

function gapped(values: Float64Array, { factor, shift }: Shown): Numbers {
  return Array.from(values, (value) => (Number.isNaN(value) ? null : value * factor + shift));
}

function axisLabel(tick: number, ticks: number[], delta: boolean): string {
  const step = ticks.length > 1 ? Math.abs(ticks[1]! - ticks[0]!) : Math.abs(tick);
  const digits = step >= 1 || step === 0 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;
  return delta ? signed(tick, digits) : fixed(tick, digits);
}

function figure(text: string, kind: string, role: string, colour = ""): HTMLElement {
  const one = document.createElement("span");
  one.textContent = text;
  one.className = kind;
  one.dataset.role = role;
  if (colour) one.style.setProperty("--of", colour);
  return one;
}

function hatch(ctx: CanvasRenderingContext2D, x: number, y: number, wide: number, high: number, colour: string, ratio: number): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, wide, high);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = ratio;
  ctx.beginPath();
  for (let at = x - high; at < x + wide; at += 7 * ratio) {
    ctx.moveTo(at, y + high);
    ctx.lineTo(at + high, y);
  }
  ctx.stroke();
  ctx.restore();
}
