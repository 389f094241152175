// What a trace shows: samples of some channels over time, the newest kept, older ones put before them. Pure.

// Samples by time, at most `room` of them; the oldest go.
export class Trace {
  private readonly clock: Float64Array;
  private readonly values: Float64Array[];
  private begin = 0; // of the samples that count
  private end = 0;

  readonly channels: readonly string[];
  readonly room: number;

  constructor(channels: readonly string[], room: number) {
    this.channels = channels;
    this.room = room;
    // Twice the room: what counts lies in one piece, and is moved to the front once in `room` samples.
    this.clock = new Float64Array(2 * room);
    this.values = channels.map(() => new Float64Array(2 * room));
  }

  get length(): number {
    return this.end - this.begin;
  }

  get first(): number {
    return this.length ? (this.clock[this.begin] ?? NaN) : NaN;
  }

  get last(): number {
    return this.length ? (this.clock[this.end - 1] ?? NaN) : NaN;
  }

  // Add a sample; one that is not newer than the last is passed over, as after going on with a cursor.
  add(time: number, values: readonly number[]): void {
    if (this.length && time <= this.last) return;
    if (this.end === this.clock.length) this.close();
    this.clock[this.end] = time;
    this.values.forEach((column, i) => (column[this.end] = values[i] ?? NaN));
    this.end += 1;
    if (this.length > this.room) this.begin += 1;
  }

  // The samples from one time to another, as uPlot takes them: times, then a column per channel.
  between(from: number, until: number): [Float64Array, ...Float64Array[]] {
    const low = this.find(from), high = Math.max(low, this.find(until));
    return [this.clock.subarray(low, high), ...this.values.map((column) => column.subarray(low, high))];
  }

  // Add what another has that is newer.
  append(other: Trace): void {
    const [clock, ...columns] = other.between(-Infinity, Infinity);
    clock.forEach((time, i) => this.add(time, columns.map((column) => column[i] ?? NaN)));
  }

  clear(): void {
    this.begin = this.end = 0;
  }

  private close(): void {
    for (const column of [this.clock, ...this.values]) column.copyWithin(0, this.begin, this.end);
    this.end -= this.begin;
    this.begin = 0;
  }

  private find(time: number): number {
    let low = this.begin, high = this.end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.clock[middle] ?? 0) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

// What lies between two times: from the past as far as it was fetched, and from what came live.
export function joined(past: Trace, live: Trace, from: number, until: number): [Float64Array, ...Float64Array[]] {
  const newer = live.between(from, until);
  const border = live.length ? live.first : Infinity;
  const older = past.between(from, Math.min(until, border));
  const [clock, ...columns] = older.map((column, i) => merged(column, newer[i] ?? new Float64Array()));
  return [clock ?? new Float64Array(), ...columns];
}

function merged(older: Float64Array, newer: Float64Array): Float64Array {
  const all = new Float64Array(older.length + newer.length);
  all.set(older);
  all.set(newer, older.length);
  return all;
}

// The window that is shown: it follows the newest, or stands where someone scrolled to.
export class Span {
  width: number; // seconds
  private at: number | null = null; // its end, when it stands

  constructor(width: number) {
    this.width = width;
  }

  get live(): boolean {
    return this.at === null;
  }

  until(newest: number): number {
    return this.at ?? newest;
  }

  // Move by so many seconds; beyond the newest it follows again.
  scroll(by: number, newest: number): void {
    const to = this.until(newest) + by;
    this.at = to >= newest ? null : to;
  }

  follow(): void {
    this.at = null;
  }
}

// Channels of four wheels are shown as their mean; of a car there is one row.
function mean(values: ArrayLike<number> | undefined, rows: number): number {
  if (!values?.length || !rows) return NaN;
  const width = values.length / rows;
  let sum = 0;
  for (let i = 0; i < width; i++) sum += values[i] ?? NaN;
  return sum / width;
}

// The name of a channel that is asked for: of what a formula yields, `grip = ...`, the part before the sign.
export function plainly(name: string): string {
  return name.split("=")[0]?.trim() ?? name;
}

// One value for each channel, of the one car in a table.
export function means(table: { rows: number; column(name: string): ArrayLike<number> | undefined }, channels: readonly string[]): number[] {
  return channels.map((name) => mean(table.column(plainly(name)), table.rows));
}
