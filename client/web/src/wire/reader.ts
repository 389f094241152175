// Reads the contract's messages where they lie: a field is decoded when it is asked for, and not before.

import { ENUMS, MESSAGES } from "../../../../proto/rig/contract.ts";

export type Column = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;
export type Value = number | string | boolean | Uint8Array | Column | Message | Message[] | undefined;

type Span = { at: number; end: number; wire: number };

const SIZES: Record<number, number> = { 1: 8, 5: 4 };
const COLUMNS = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u4: Uint32Array, b1: Uint8Array } as const;
const UTF8 = new TextDecoder();

// A message of the contract. Numbers beyond 2^53, which clocks in nanoseconds are, lose their last bits.
export class Message {
  readonly name: string;
  private readonly view: DataView;
  private readonly spans = new Map<number, Span[]>();
  private readonly made = new Map<string, Value>();

  constructor(name: string, view: DataView) {
    [this.name, this.view] = [name, view];
    for (let at = 0; at < view.byteLength; ) {
      const [tag, first] = varint(view, at);
      const wire = tag & 7;
      const [size, begin] = wire === 2 ? varint(view, first) : [SIZES[wire] ?? varint(view, first)[1] - first, first];
      if (begin + size > view.byteLength) throw new RangeError(`${name} ends inside a field at byte ${at}`);
      const number = Math.floor(tag / 8);
      const spans = this.spans.get(number);
      if (spans) spans.push({ at: begin, end: begin + size, wire });
      else this.spans.set(number, [{ at: begin, end: begin + size, wire }]);
      at = begin + size;
    }
  }

  // The value of a field: of a column an array of all rows, of a field that repeats a list, else undefined
  // where it is absent. A name the contract lacks is undefined too.
  get(field: string): Value {
    if (!this.made.has(field)) this.made.set(field, this.read(field));
    return this.made.get(field);
  }

  // A column by its number: those of a request's formulas are in no list.
  column(number: number, kind: keyof typeof COLUMNS): Column | undefined {
    const span = this.spans.get(number)?.[0];
    return span && this.packed(span, kind);
  }

  number(field: string): number {
    return Number(this.get(field) ?? 0);
  }

  text(field: string): string {
    return String(this.get(field) ?? "");
  }

  message(field: string): Message | undefined {
    return this.get(field) as Message | undefined;
  }

  list(field: string): Message[] {
    return (this.get(field) as Message[] | undefined) ?? [];
  }

  // Names of the fields that are there, in no order.
  fields(): string[] {
    return [...this.spans.keys()].map((number) => MESSAGES[this.name]?.[number]?.split(" ")[0] ?? `${number}`);
  }

  private read(field: string): Value {
    const [number, kind] = numberOf(this.name, field);
    const spans = this.spans.get(number);
    if (!spans) return kind.endsWith("*") ? [] : undefined;
    if (kind.endsWith("[]")) return this.packed(spans[0]!, kind.slice(0, -2) as keyof typeof COLUMNS);
    if (kind.endsWith("*")) return spans.map((span) => this.one(kind.slice(0, -1), span)) as Message[];
    return this.one(kind, spans[spans.length - 1]!);
  }

  private packed(span: Span, kind: keyof typeof COLUMNS): Column | undefined {
    if ((kind as string) === "varint") return this.varints(span);
    const Kind = COLUMNS[kind];
    const from = this.view.byteOffset + span.at;
    // Copied: a column begins where it begins, and typed arrays want steps of their size.
    return Kind && new Kind(this.view.buffer.slice(from, from + span.end - span.at) as ArrayBuffer);
  }

  private varints({ at, end, wire }: Span): Int32Array {
    const values: number[] = [];
    while (at < end) {
      const [value, next] = varint(this.view, at);
      values.push(next - at < 10 || wire !== 2 ? value : signed(this.view, at));
      at = next;
    }
    return Int32Array.from(values);
  }

  private one(kind: string, { at, end, wire }: Span): Value {
    const { view } = this;
    if (kind in MESSAGES) return new Message(kind, new DataView(view.buffer, view.byteOffset + at, end - at));
    if (wire === 2) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at, end - at);
      return kind === "text" ? UTF8.decode(bytes) : bytes;
    }
    const value = READS[kind]?.(view, at) ?? (end - at === 10 ? signed(view, at) : varint(view, at)[0]);
    if (kind === "b1") return value !== 0;
    return kind in ENUMS ? (ENUMS[kind]![value] || `${value}`) : value;
  }
}

const READS: Record<string, (view: DataView, at: number) => number> = {
  f4: (view, at) => view.getFloat32(at, true),
  f8: (view, at) => view.getFloat64(at, true),
  i4: (view, at) => view.getInt32(at, true),
  u4: (view, at) => view.getUint32(at, true),
  u8: (view, at) => Number(view.getBigUint64(at, true)),
  i8: (view, at) => Number(view.getBigInt64(at, true)),
  zigzag: (view, at) => {
    const [value] = varint(view, at);
    return value % 2 ? -(value + 1) / 2 : value / 2;
  },
};

const NUMBERS = new Map<string, [number, string]>();

function numberOf(message: string, field: string): [number, string] {
  const key = `${message}.${field}`;
  let found = NUMBERS.get(key);
  if (!found) {
    const fields = Object.entries(MESSAGES[message] ?? {});
    const entry = fields.find(([, text]) => text.startsWith(`${field} `));
    found = entry ? [Number(entry[0]), entry[1].split(" ")[1]!] : [-1, "varint"];
    NUMBERS.set(key, found);
  }
  return found;
}

// Ten bytes: a number below zero, or one of more than 63 bits.
function signed(view: DataView, at: number): number {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) value |= BigInt(view.getUint8(at++) & 0x7f) << shift;
  return Number(BigInt.asIntN(64, value));
}

function varint(view: DataView, at: number): [number, number] {
  let value = 0;
  for (let factor = 1; factor < 2 ** 64; factor *= 128) {
    const byte = view.getUint8(at++);
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value, at];
  }
  throw new RangeError(`a number has no end at byte ${at}`);
}
