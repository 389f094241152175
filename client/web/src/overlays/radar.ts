// Who is beside: the cars around, seen from above, and a warning on the side where one is.

import { css, html } from "lit";
import type { Feed } from "../wire/feed.ts";
import { Canvas, themed } from "../parts/canvas.ts";
import { fixed } from "../parts/format.ts";
import { around, beside, type Near } from "../parts/nearby.ts";
import { Overlay, panel } from "./overlay.ts";

const RANGE_M = 25; // from the middle to the edge
const [LONG_M, WIDE_M] = [4.6, 2.0];

export class RigRadar extends Overlay {
  static override styles = [panel, css`
    :host { width: 16rem; border-radius: 0.75rem; }
    .picture { height: 14.5rem; }
    .said { display: flex; justify-content: space-between; font-weight: 700; font-size: 0.875rem; height: 1.25rem; }
    .said span { color: var(--warning); }
    .said small { align-self: center; }
  `];

  private readonly canvas = new Canvas(() => this.painter.ask());
  private near: Near[] = [];

  protected start(feed: Feed): void {
    this.canvas.element.setAttribute("aria-label", "the cars around, from above");
    this.physics(feed, ["position", "orientation"], 60, { cars: {} }, (table) => {
      const [ids, positions, orientations] = ["id", "position", "orientation"].map((name) => table.column(name));
      this.near = this.row >= 0 && ids && positions && orientations ? around(ids, positions, orientations, this.row, RANGE_M) : [];
    });
    this.scoring();
  }

  protected get has(): boolean {
    return this.table !== undefined;
  }

  protected lack(): string {
    return this.row < 0 ? this.noCar() : "";
  }

  protected content() {
    const sides = this.near.map(beside);
    const others = this.near.filter(({ right, ahead }) => Math.hypot(right, ahead) < RANGE_M).map(({ right, ahead }) => Math.hypot(right, ahead));
    const nearest = Math.min(...others);
    return html`<div class="live"><div class="picture">${this.canvas.element}</div>
      <div class="said" role="status"><span>${sides.includes(-1) ? "◀ LEFT" : "\u00a0"}</span>
        <small>${Number.isFinite(nearest) ? `${fixed(nearest)} m` : this.table?.rows === 1 ? "no other car" : "clear"}</small>
        <span>${sides.includes(1) ? "RIGHT ▶" : "\u00a0"}</span></div></div>`;
  }

  protected override paint(): void {
    super.paint();
    const { canvas, near } = this;
    const { pen, width, height, unit } = canvas;
    canvas.clear();
    const scale = Math.min(width, height) / 2 / RANGE_M;
    pen.save();
    pen.translate(width / 2, height / 2);
    this.rings(scale, unit);
    const sides = near.map(beside);
    for (const side of [-1, 1]) if (sides.includes(side)) this.warn(side, scale);
    for (const one of near) this.other(one, scale, unit);
    this.box(0, 0, 0, scale, themed(this, "--text"), themed(this, "--page"), unit);
    pen.restore();
  }

  private rings(scale: number, unit: number): void {
    const { pen } = this.canvas;
    pen.strokeStyle = themed(this, "--line");
    pen.lineWidth = unit;
    for (const metres of [10, 20]) {
      pen.beginPath();
      pen.arc(0, 0, metres * scale, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.beginPath();
    pen.moveTo(0, -RANGE_M * scale);
    pen.lineTo(0, RANGE_M * scale);
    pen.stroke();
  }

  // A wedge on the side where a car is.
  private warn(side: number, scale: number): void {
    const { pen } = this.canvas;
    pen.fillStyle = themed(this, "--warning");
    pen.globalAlpha = 0.35;
    pen.beginPath();
    pen.moveTo(side * 1.4 * scale, 0);
    pen.arc(0, 0, 20 * scale, side > 0 ? -0.45 : Math.PI - 0.45, side > 0 ? 0.45 : Math.PI + 0.45);
    pen.fill();
    pen.globalAlpha = 1;
  }

  private other(one: Near, scale: number, unit: number): void {
    const known = this.field.car(one.id);
    const close = beside(one) !== 0;
    const fill = themed(this, close ? "--warning" : this.field.colour(known?.className ?? ""));
    this.canvas.pen.globalAlpha = Math.max(1 - Math.max(Math.hypot(one.right, one.ahead) - RANGE_M * 0.8, 0) / (RANGE_M * 0.5), 0);
    this.box(one.right * scale, -one.ahead * scale, one.turn, scale, fill, themed(this, close ? "--text" : "--page"), unit);
    this.canvas.pen.globalAlpha = 1;
  }

  private box(x: number, y: number, turn: number, scale: number, fill: string, edge: string, unit: number): void {
    const { pen } = this.canvas;
    pen.save();
    pen.translate(x, y);
    pen.rotate(turn);
    pen.fillStyle = fill;
    pen.strokeStyle = edge;
    pen.lineWidth = 1.5 * unit;
    pen.beginPath();
    pen.roundRect((-WIDE_M / 2) * scale, (-LONG_M / 2) * scale, WIDE_M * scale, LONG_M * scale, 0.5 * scale);
    pen.fill();
    pen.stroke();
    // The nose, so that one sees where it points.
    pen.fillStyle = edge;
    pen.fillRect((-WIDE_M / 3) * scale, (-LONG_M / 2 + 0.9) * scale, ((WIDE_M * 2) / 3) * scale, 0.5 * scale);
    pen.restore();
  }
}

customElements.define("rig-radar", RigRadar);
