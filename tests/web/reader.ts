// Prints messages as JSON: lines of {name, hex, formulas} in, one object a line out. Run by tests/web/test_reader.py.

import { createInterface } from "node:readline";
import { MESSAGES } from "../../proto/rig/contract.ts";
import { Message } from "../../client/web/src/wire/reader.ts";
import { Table } from "../../client/web/src/wire/table.ts";

function plain(value: unknown): unknown {
  if (value instanceof Message) return object(value);
  if (value instanceof Uint8Array && !(value.buffer.byteLength === value.byteLength && value.byteOffset === 0)) return [...value];
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as number[]);
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === "number" && Number.isNaN(value) ? "NaN" : value;
}

function object(message: Message): Record<string, unknown> {
  const known = Object.values(MESSAGES[message.name]!).map((text) => text.split(" ")[0]!);
  const there = known.filter((field) => message.fields().includes(field));
  return Object.fromEntries(there.map((field) => [field, plain(message.get(field))]));
}

for await (const line of createInterface({ input: process.stdin })) {
  const { name, hex, formulas } = JSON.parse(line);
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (two: string) => Number.parseInt(two, 16));
  // As it comes from the gateway: behind a byte that is not its own.
  const framed = new Uint8Array([7, ...bytes]);
  try {
    const message = new Message(name, new DataView(framed.buffer, 1));
    const said = object(message);
    const table = new Table(message, formulas ?? []);
    const made = (formulas ?? []).map((text: string) => plain(table.column(text.split("=")[0]!.trim())));
    console.log(JSON.stringify({ said, made, row: table.row(3), none: String(table.value("speed", 99)) }));
  } catch (error) {
    console.log(JSON.stringify({ error: (error as Error).message }));
  }
}
