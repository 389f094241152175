// A chart of uPlot in the colours of the theme, as large as its place.

import { html, LitElement, type PropertyValues } from "lit";
import uPlot from "uplot";

export interface Curve {
  label: string;
  colour: string; // name of a custom property
  unit: string;
  dash?: number[];
}

export type Columns = [ArrayLike<number>, ...ArrayLike<number | null>[]];

const LAPS = [1, 2, 5, 10, 20, 50, 100, 200];
const minute = (seconds: number) => new Date(seconds * 1000).toISOString().slice(14, 19); // the hour is known

// One chart. What it shows is set as often as it changes, and painted once a frame, without anything moving in between.
export class WallChart extends LitElement {
  static override properties = { curves: { attribute: false }, down: { type: Boolean }, time: { type: Boolean } };
  declare curves: Curve[];
  declare down: boolean; // the axis of values points down: gaps
  declare time: boolean;
  private plot: uPlot | null = null;
  private waiting: Columns | null = null;
  private range: [number, number] | null = null;
  private frame = 0;
  private readonly sizes = new ResizeObserver(() => this.fit());
  private readonly themes = new MutationObserver(() => this.rebuild());

  constructor() {
    super();
    this.curves = [];
    this.down = false;
    this.time = false;
  }

  override createRenderRoot(): HTMLElement {
    return this;
  }

  override render(): unknown {
    return html`<div class="plot"></div>`;
  }

  // Show these columns, from one value of x to another.
  show(data: Columns, range: [number, number] | null = null): void {
    [this.waiting, this.range] = [data, range];
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.sizes.observe(this);
    this.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.sizes.disconnect();
    this.themes.disconnect();
    this.drop();
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("curves")) this.rebuild();
  }

  private rebuild(): void {
    this.drop();
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  private drop(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private paint(): void {
    this.frame = 0;
    if (!this.isConnected || !this.waiting || !this.curves.length) return;
    if (this.waiting.length !== this.curves.length + 1) return; // of other curves
    this.plot ??= this.make();
    const data = this.waiting as unknown as uPlot.AlignedData;
    if (!this.range) return this.plot.setData(data);
    this.plot.batch(() => {
      this.plot?.setData(data, false);
      const [min, max] = this.range as [number, number];
      this.plot?.setScale("x", { min, max });
    });
  }

  private make(): uPlot {
    const style = getComputedStyle(this);
    const colour = (name: string) => style.getPropertyValue(name).trim() || "#888";
    const em = Number.parseFloat(style.fontSize);
    const font = `${style.fontSize} ${style.fontFamily}`;
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font };
    const place = this.querySelector(".plot") as HTMLElement;
    const size = this.size();
    return new uPlot({
      ...size,
      legend: { show: false },
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      scales: { x: { time: this.time }, y: { dir: this.down ? -1 : 1 } },
      axes: [this.time ? { ...axis, size: 1.9 * em, values: (_, ticks) => ticks.map(minute) } : { ...axis, size: 1.9 * em, incrs: LAPS }, { ...axis, size: 3.7 * em }],
      series: [{}, ...this.curves.map((curve) => ({
        label: curve.label, stroke: colour(curve.colour), width: 2, dash: curve.dash ?? [], points: { show: !this.time, size: 5 }, spanGaps: true,
      }))],
    }, [[]] as unknown as uPlot.AlignedData, place);
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(120, this.clientWidth), height: Math.max(90, this.clientHeight) };
  }

  private fit(): void {
    this.plot?.setSize(this.size());
  }
}
customElements.define("wall-chart", WallChart);
