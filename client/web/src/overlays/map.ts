// The map: the line of the circuit, its sectors, flags, and every car.

import { css, html, nothing } from "lit";
import type { Feed } from "../wire/feed.ts";
import type { Table } from "../wire/table.ts";
import { Canvas, themed } from "../parts/canvas.ts";
import { type Circuit, circuitOf } from "../parts/circuit.ts";
import { flagOf } from "../parts/field.ts";
import { Overlay, panel } from "./overlay.ts";

const AGAIN_MS = 15_000; // between two questions for a circuit that is not there yet
const STEP_M = 4; // between two positions of the way driven
const WAY = 20_000; // positions that are kept of it
const MARGIN = 20;

type Line = { x: ArrayLike<number>; z: ArrayLike<number> };

export class RigMap extends Overlay {
  static override styles = [panel, css`
    :host { width: 24rem; }
    header { display: flex; justify-content: space-between; gap: 0.5rem; font-size: 0.875rem; min-height: 1.25rem; }
    header b { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
    .picture { height: 20rem; }
    .classes { display: flex; flex-wrap: wrap; gap: 0 0.75rem; font-size: 0.75rem; }
    .classes i { display: inline-block; width: 0.625rem; height: 0.625rem; border-radius: 50%; background: var(--class); margin-right: 0.25rem; }
  `];

  private readonly canvas = new Canvas(() => this.painter.ask());
  private circuit: Circuit | undefined;
  private asked = "";
  private askedAt = 0;
  private note = "";
  private way: Line & { x: number[]; z: number[] } = { x: [], z: [] };
  private scale = 1;
  private middle: [number, number] = [0, 0];

  protected start(feed: Feed): void {
    this.canvas.element.setAttribute("aria-label", "map of the track with all cars");
    this.physics(feed, ["position"], 30, { cars: {} }, (table) => this.circuit || this.drive(table));
    this.scoring(() => void this.survey());
  }

  protected get has(): boolean {
    return this.table !== undefined;
  }

  protected lack(): string {
    return this.table && !this.table.rows ? "no car is on the track yet" : "";
  }

  // Ask for the circuit when the track is another one, and from time to time while there is none.
  private async survey(): Promise<void> {
    const { session } = this.field;
    if (!session || !["live", "replay"].includes(this.state?.state ?? "")) return;
    const key = `${session.track} ${session.length}`;
    const again = !this.circuit && performance.now() - this.askedAt > AGAIN_MS;
    if (key === this.asked && !again) return;
    if (key !== this.asked) [this.circuit, this.way] = [undefined, { x: [], z: [] }];
    [this.asked, this.askedAt] = [key, performance.now()];
    try {
      const found = await circuitOf(this.settings.rig, session.track, session.length);
      if (key !== this.asked) return;
      [this.circuit, this.note] = [found, found ? "" : "the circuit is not surveyed yet: this is the way driven so far"];
    } catch (error) {
      this.note = `no circuit: ${error instanceof Error ? error.message : error}`;
    }
    this.painter.ask();
  }

  // Until there is a circuit the way of one car stands for it.
  private drive(table: Table): void {
    const row = Math.max(this.row, 0);
    const [x, z] = [table.value("position", row, 0), table.value("position", row, 2)];
    const { way } = this;
    const last = way.x.length - 1;
    if (!Number.isFinite(x) || (last >= 0 && Math.hypot(x - way.x[last]!, z - way.z[last]!) < STEP_M) || last > WAY) return;
    way.x.push(x);
    way.z.push(z);
  }

  protected content() {
    const { session, groups } = this.field;
    const flag = flagOf(session);
    return html`<div class="live"><header><b>${session?.track ?? ""}</b>
        ${flag ? html`<span class="flag ${flag.colour}">${flag.word}</span>` : nothing}</header>
      <div class="picture">${this.canvas.element}</div>
      <div class="classes">${groups.length > 1 ? groups.map(({ name }) => html`<span><i style="--class:var(${this.field.colour(name)})"></i>${name || "no class"}</span>`) : nothing}
        ${this.note ? html`<span role="status">${this.note}</span>` : nothing}</div></div>`;
  }

  protected override paint(): void {
    super.paint();
    const { canvas, table } = this;
    canvas.clear();
    if (!table || !canvas.width) return;
    const line = this.circuit ?? this.way;
    this.fit(line, table);
    if (this.circuit) this.drawCircuit(this.circuit);
    else this.stroke(line, 0, line.x.length, "--quiet", 3, false);
    this.drawCars(table);
  }

  private fit(line: Line, table: Table): void {
    const [xs, zs] = [Array.from(line.x), Array.from(line.z)];
    if (!this.circuit) for (let row = 0; row < table.rows; row++) {
      xs.push(table.value("position", row, 0));
      zs.push(table.value("position", row, 2));
    }
    const [left, right] = [least(xs), -least(xs.map((x) => -x))];
    const [low, top] = [least(zs), -least(zs.map((z) => -z))];
    const { width, height, unit } = this.canvas;
    const room = 2 * MARGIN * unit;
    this.scale = Math.min((width - room) / Math.max(right - left, 50), (height - room) / Math.max(top - low, 50));
    this.middle = [(left + right) / 2, (low + top) / 2];
  }

  // World x to the right and z up: seen from above in the game's left-handed frame.
  private pixel(x: number, z: number): [number, number] {
    const { width, height } = this.canvas;
    return [width / 2 + (x - this.middle[0]) * this.scale, height / 2 - (z - this.middle[1]) * this.scale];
  }

  private drawCircuit(circuit: Circuit): void {
    const points = circuit.x.length;
    const index = (metres: number) => Math.round((metres / circuit.length) * points) % points;
    this.stroke(circuit, 0, points, "--page", 11, true);
    this.stroke(circuit, 0, points, "--right", 6, true);
    const ends = [0, ...circuit.splits.map(index), points];
    if (circuit.splits.length === 2) this.field.session?.sectors.forEach((flag, at) => {
      if (flag !== 1) return;
      this.stroke(circuit, ends[at]!, ends[at + 1]! + 1, "#12171d", 11, false);
      this.stroke(circuit, ends[at]!, ends[at + 1]! + 1, "#f5d547", 7, false);
    });
    circuit.splits.forEach((split) => this.tick(circuit, index(split), "--quiet", 8));
    this.tick(circuit, 0, "--text", 12);
  }

  private stroke({ x, z }: Line, from: number, to: number, colour: string, width: number, close: boolean): void {
    const { pen, unit } = this.canvas;
    pen.strokeStyle = colour.startsWith("--") ? themed(this, colour) : colour;
    pen.lineWidth = width * unit;
    pen.lineJoin = "round";
    pen.beginPath();
    for (let at = from; at < to; at++) pen.lineTo(...this.pixel(x[at % x.length]!, z[at % z.length]!));
    if (close) pen.closePath();
    pen.stroke();
  }

  // A line across the road.
  private tick({ x, z }: Line, at: number, colour: string, half: number): void {
    const { pen, unit } = this.canvas;
    const [a, b] = [this.pixel(x[at]!, z[at]!), this.pixel(x[(at + 1) % x.length]!, z[(at + 1) % z.length]!)];
    const size = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
    const [dx, dy] = [(-(b[1] - a[1]) / size) * half * unit, ((b[0] - a[0]) / size) * half * unit];
    pen.strokeStyle = themed(this, colour);
    pen.lineWidth = 3 * unit;
    pen.beginPath();
    pen.moveTo(a[0] - dx, a[1] - dy);
    pen.lineTo(a[0] + dx, a[1] + dy);
    pen.stroke();
  }

  // Those behind first, so that the leaders lie on top, and the own car over all.
  private drawCars(table: Table): void {
    const { field } = this;
    const own = field.car(this.settings.car);
    const cars = field.cars.filter((car) => car.where !== "garage").sort((a, b) => b.place - a.place);
    const known = cars.length ? cars.filter((car) => car !== own) : [];
    const small = cars.length > 45;
    for (const car of known) this.dot(table, car.id, field.colour(car.className), `${car.classPlace}`, small ? 6 : 9, car.where === "pit" || car.where === "stopped");
    if (!cars.length) for (const id of table.column("id") ?? []) this.dot(table, id, "--class-1", "", 7, false);
    if (own) this.dot(table, own.id, field.colour(own.className), `${own.classPlace}`, 12, false, true);
  }

  private dot(table: Table, id: number, colour: string, text: string, radius: number, aside: boolean, own = false): void {
    const row = table.row(id);
    if (row < 0) return;
    const { pen, unit } = this.canvas;
    const [x, y] = this.pixel(table.value("position", row, 0), table.value("position", row, 2));
    pen.globalAlpha = aside ? 0.5 : 1;
    pen.fillStyle = themed(this, colour);
    pen.strokeStyle = themed(this, own ? "--text" : "--page");
    pen.lineWidth = (own ? 3 : 1.5) * unit;
    pen.beginPath();
    pen.arc(x, y, radius * unit, 0, 2 * Math.PI);
    pen.fill();
    pen.stroke();
    pen.fillStyle = themed(this, "--page");
    pen.font = `700 ${(radius + 1.5) * unit}px system-ui, sans-serif`;
    [pen.textAlign, pen.textBaseline] = ["center", "middle"];
    pen.fillText(text, x, y + 0.5 * unit);
    pen.globalAlpha = 1;
  }
}

const least = (values: number[]) => values.reduce((a, b) => (b < a ? b : a), Infinity);

customElements.define("rig-map", RigMap);
