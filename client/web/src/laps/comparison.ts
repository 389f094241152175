// The comparison document, as `client/riglap/document.py` writes it, and what follows from it. Every number is
// computed as `riglap.compare` does, so that the page and `rig compare` say the same.

export interface Column {
  bits: 16 | 32;
  scale: number;
  offset: number;
  values: string;
}

export interface Corner {
  number: number;
  title: string;
  begin: number;
  apex: number;
  end: number;
  right: boolean;
}

export interface Segment {
  kind: "corner" | "straight" | "start" | "sector" | "mini";
  title: string;
  corner: number;
  pieces: [number, number][];
}

export interface Channel {
  name: string;
  title: string;
  unit: string;
  shown: string;
  description: string;
  steps: boolean;
  formula: boolean;
}

export interface Doubt {
  begin: number;
  end: number;
  reason: string;
}

export interface Pass {
  corner: number;
  clear: boolean;
  [figure: string]: number | string | boolean | null;
}

export interface Finding {
  id: string;
  rule: string;
  corner: number;
  place: string;
  lost: number;
  confidence: number;
  evidence: Record<string, number>;
  begin: number;
  end: number;
}

export interface Advice {
  lap: number;
  reference: number;
  findings: Finding[];
  tips: { id: string; text: string }[];
  why: string;
}

interface LapPlain {
  name: string;
  title: string;
  driver: string;
  vehicle: string;
  vehicle_class: string;
  lap_time: number | null;
  valid: boolean;
  ideal: boolean;
  sectors: number[];
  start: number | null;
  how: string;
  error: number;
  doubts: Doubt[];
  time: Column | null;
  channels: Record<string, Column>;
  corners: Pass[];
}

export interface Document {
  format: number;
  track: string;
  length: number;
  cells: number;
  reference: number;
  circuit: {
    name: string;
    corners: Corner[];
    x: Column;
    z: Column;
    left: Column | null;
    right: Column | null;
  } | null;
  segments: Segment[];
  sectors: Segment[];
  minis: Segment[];
  channels: Channel[];
  laps: LapPlain[];
  advice: Advice[];
  notes: string[];
}

export const FORMAT = 1;
const LONGEST_M = 120_000;
const RATE_M = 12;

/** What one lap loses to another in a part of it; NaN where it is not compared. */
export interface Part {
  segment: Segment;
  reference: number;
  lost: number;
}

export interface Track {
  name: string;
  corners: Corner[];
  x: Float64Array;
  z: Float64Array;
  left: Float64Array | null;
  right: Float64Array | null;
}

/** One lap along the line. */
export class Lap {
  readonly plain: LapPlain;
  readonly index: number;
  readonly time: Float64Array | null;
  private readonly cells: number;
  private readonly read = new Map<string, Float64Array>();

  constructor(plain: LapPlain, index: number, cells: number) {
    this.plain = plain;
    this.index = index;
    this.cells = cells;
    this.time = plain.time && numbers(plain.time, cells);
  }

  get lapTime(): number {
    return this.plain.lap_time ?? NaN;
  }

  /** A channel at the places; NaN where it is not available or the place doubtful. */
  channel(name: string): Float64Array {
    let found = this.read.get(name);
    if (!found) {
      const column = this.plain.channels[name];
      found = column ? numbers(column, this.cells) : new Float64Array(this.cells + 1).fill(NaN);
      this.read.set(name, found);
    }
    return found;
  }
}

/** Laps along one line, any of them against any other. */
export class Comparison {
  readonly document: Document;
  readonly laps: Lap[];
  readonly track: Track | null;
  readonly step: number;
  private readonly deltas = new Map<number, Float64Array>();

  constructor(document: Document) {
    if (document.format > FORMAT) {
      throw new Error(`This page reads comparisons of format ${FORMAT}, not ${document.format}. Reload it, or use a newer rig.`);
    }
    const { cells, length } = document;
    if (!(Number.isInteger(cells) && cells >= 1 && cells <= LONGEST_M && length > 0)) {
      throw new Error(`A comparison of ${cells} places in ${length} m is damaged.`);
    }
    this.document = document;
    this.step = length / cells;
    this.laps = document.laps.map((lap, index) => new Lap(lap, index, cells));
    const circuit = document.circuit;
    this.track = circuit && {
      name: circuit.name,
      corners: circuit.corners,
      x: numbers(circuit.x, cells),
      z: numbers(circuit.z, cells),
      left: circuit.left && numbers(circuit.left, cells),
      right: circuit.right && numbers(circuit.right, cells),
    };
  }

  get length(): number {
    return this.document.length;
  }

  get cells(): number {
    return this.document.cells;
  }

  /** The cell nearest to a place. */
  cell(metres: number): number {
    return Math.min(Math.max(Math.round(metres / this.step), 0), this.cells);
  }

  /** Seconds that a lap has lost to a reference, at the places; NaN where one of them is doubtful. */
  delta(lap: Lap, reference: Lap): Float64Array {
    const key = lap.index * this.laps.length + reference.index;
    let found = this.deltas.get(key);
    if (!found) {
      found = new Float64Array(this.cells + 1).fill(NaN);
      if (lap.time && reference.time) {
        for (let at = 0; at < found.length; at++) found[at] = lap.time[at]! - reference.time[at]!;
      }
      this.deltas.set(key, found);
    }
    return found;
  }

  /** Seconds lost per metre around a place. */
  rate(delta: Float64Array, at: number): number {
    const reach = Math.max(Math.round(RATE_M / this.step), 1);
    const first = Math.max(at - reach, 0);
    const last = Math.min(at + reach, this.cells);
    return (delta[last]! - delta[first]!) / ((last - first) * this.step);
  }

  /** Seconds between the lap times. */
  lost(lap: Lap, reference: Lap): number {
    return lap.lapTime - reference.lapTime;
  }

  /** Seconds spent in a segment; NaN where a part of it is doubtful. */
  span(lap: Lap, segment: Segment): number {
    if (segment.kind === "start") return lap.plain.start ?? NaN;
    return segment.pieces.reduce((sum, [begin, end]) => sum + this.between(lap, begin, end), 0);
  }

  parts(lap: Lap, reference: Lap, segments: Segment[]): Part[] {
    return segments.map((segment) => {
      const theirs = this.span(reference, segment);
      return { segment, reference: theirs, lost: this.span(lap, segment) - theirs };
    });
  }

  /** The sectors: official times where both laps have them, else by the timing lines. */
  sectors(lap: Lap, reference: Lap): Part[] {
    const ours = lap.plain.sectors;
    const theirs = reference.plain.sectors;
    if (ours.length === 3 && theirs.length === 3) {
      const segments = this.document.sectors;
      return theirs.map((time, at) => ({
        segment: segments[at] ?? { kind: "sector", title: `S${at + 1}`, corner: 0, pieces: [] },
        reference: time,
        lost: ours[at]! - time,
      }));
    }
    return this.parts(lap, reference, this.document.sectors);
  }

  /** Seconds lost in the parts that are not compared. */
  uncompared(lap: Lap, reference: Lap): number {
    const parts = this.parts(lap, reference, this.document.segments);
    return this.lost(lap, reference) - parts.reduce((sum, part) => sum + (Number.isFinite(part.lost) ? part.lost : 0), 0);
  }

  advice(lap: Lap, reference: Lap): Advice | undefined {
    return this.document.advice.find((one) => one.lap === lap.index && one.reference === reference.index);
  }

  /** Where a lap was at a place: on the line where nothing says how far beside it. */
  position(lap: Lap | null, at: number): [number, number] {
    const { x, z } = this.track!;
    const lateral = lap ? lap.channel("lateral")[at]! : 0;
    if (!Number.isFinite(lateral) || lateral === 0) return [x[at]!, z[at]!];
    return this.beside(at, lateral);
  }

  /** The place so many metres left of the line. */
  beside(at: number, left: number): [number, number] {
    const { x, z } = this.track!;
    const before = at > 0 ? at - 1 : this.cells - 1;
    const after = at < this.cells ? at + 1 : 1;
    const alongX = x[after]! - x[before]!;
    const alongZ = z[after]! - z[before]!;
    const size = Math.hypot(alongX, alongZ) || 1;
    return [x[at]! - (left * alongZ) / size, z[at]! + (left * alongX) / size];
  }

  private between(lap: Lap, begin: number, end: number): number {
    const time = lap.time;
    if (!time) return NaN;
    const first = Math.max(this.behind(begin) - 1, 0);
    const last = Math.min(this.behind(end), this.cells);
    for (let at = first; at <= last; at++) if (Number.isNaN(time[at]!)) return NaN;
    return this.timeAt(time, end) - this.timeAt(time, begin);
  }

  /** The first cell that is not before a place. */
  private behind(metres: number): number {
    const near = Math.round(metres / this.step);
    return near * this.step >= metres ? near : near + 1;
  }

  private timeAt(time: Float64Array, metres: number): number {
    const place = Math.min(Math.max(metres / this.step, 0), this.cells);
    const at = Math.min(Math.floor(place), this.cells - 1);
    return time[at]! + (time[at + 1]! - time[at]!) * (place - at);
  }
}

/** Return the numbers of a column: value = offset + scale * integer, the least integer is no number. */
export function numbers(column: Column, cells: number): Float64Array {
  const bytes = Uint8Array.from(atob(column.values), (letter) => letter.charCodeAt(0));
  const wide = column.bits / 8;
  if (bytes.length !== (cells + 1) * wide) throw new Error("A column of this comparison is damaged.");
  const view = new DataView(bytes.buffer);
  const found = new Float64Array(cells + 1);
  const least = -(2 ** (column.bits - 1));
  for (let at = 0; at <= cells; at++) {
    const whole = wide === 2 ? view.getInt16(2 * at, true) : view.getInt32(4 * at, true);
    found[at] = whole === least ? NaN : column.offset + column.scale * whole;
  }
  return found;
}
