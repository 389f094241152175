// Follow the telemetry of a rig from TypeScript: one JSON line per tick.
//
//     node stream.ts ADDRESS [TICKS]        ADDRESS is host:port, or unix:PATH of a socket
//
// The contract is loaded when the program starts, so nothing is generated. What comes is not turned
// into objects: a tick is a table, a channel is a packed column, and a DataView reads it where it lies.

import { Client, credentials } from "@grpc/grpc-js";
import { loadSync, type MessageTypeDefinition, type ServiceDefinition } from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";

const PROTO = fileURLToPath(new URL("../../../proto", import.meta.url));
const options = { includeDirs: [PROTO], keepCase: true, longs: Number };
const contract = loadSync("rig/v1/telemetry.proto", options);
const message = (name: string) => contract[`rig.v1.${name}`] as MessageTypeDefinition<object, object>;

// A field of a message on the wire: its number, its bytes, or its value when it is a single number.
type Field = { number: number; bytes: DataView; value: number };

function* fields(view: DataView): Generator<Field> {
  let at = 0;
  const varint = () => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const byte = view.getUint8(at++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < view.byteLength) {
    const tag = varint();
    const kind = tag & 7; // 0: varint, 1: eight bytes, 2: length and bytes, 5: four bytes
    const value = kind === 0 ? varint() : 0;
    const size = kind === 2 ? varint() : kind === 1 ? 8 : kind === 5 ? 4 : 0;
    const bytes = new DataView(view.buffer, view.byteOffset + at, size);
    yield { number: Math.floor(tag / 8), bytes, value };
    at += size;
  }
}

// How one value of a column is read, by the type of its field. Everything is little-endian.
type Read = { size: number; read: (column: DataView, at: number) => number };
const READS: Record<string, Read> = {
  TYPE_DOUBLE: { size: 8, read: (column, at) => column.getFloat64(at, true) },
  TYPE_FLOAT: { size: 4, read: (column, at) => column.getFloat32(at, true) },
  TYPE_SFIXED32: { size: 4, read: (column, at) => column.getInt32(at, true) },
  TYPE_FIXED32: { size: 4, read: (column, at) => column.getUint32(at, true) },
  TYPE_FIXED64: { size: 8, read: (column, at) => Number(column.getBigUint64(at, true)) },
  TYPE_BOOL: { size: 1, read: (column, at) => column.getUint8(at) },
};

type Described = { name: string; number: number; type: string };
const PHYSICS = new Map<number, Described & Read>();
for (const field of (message("Physics").type as { field: Described[] }).field) {
  const read = READS[field.type];
  if (read) PHYSICS.set(field.number, { ...field, ...read });
}

// One tick: every number of its head by name, and every column: `rows * width` values, row by row.
function tick(view: DataView): Record<string, number | number[]> {
  const found: Record<string, number | number[]> = {};
  for (const { number, bytes, value } of fields(view)) {
    const channel = PHYSICS.get(number);
    if (!channel) continue;
    const { name, size, read } = channel;
    if (number > 10) {
      const length = bytes.byteLength / size;
      found[name] = Array.from({ length }, (_, at) => read(bytes, at * size));
    } else {
      found[name] = bytes.byteLength ? read(bytes, 0) : value;
    }
  }
  return found;
}

// What is missing before the ticks of a response, and its ticks. Fields: see StreamPhysicsResponse.
const [TICKS, GAPS] = [2, 3];
const viewOf = (bytes: Buffer) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function print(response: Buffer): number {
  const parts = [...fields(viewOf(response))];
  const gaps = parts.filter(({ number }) => number === GAPS).map(({ bytes }) => {
    return message("Gap").deserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });
  if (gaps.length) console.log(JSON.stringify({ gaps })); // a loss is never silent
  const ticks = parts.filter(({ number }) => number === TICKS).map(({ bytes }) => tick(bytes));
  for (const one of ticks) console.log(JSON.stringify(one));
  return ticks.length;
}

const [address = "127.0.0.1:7340", count = "100"] = process.argv.slice(2);
const client = new Client(address, credentials.createInsecure());
const service = contract["rig.v1.TelemetryService"] as ServiceDefinition;
const { path, requestSerialize } = service["StreamPhysics"]!;
const wanted = { channels: ["speed", "gear", "position", "in_pit_lane"], cars: {}, start: {} };
const asItIs = (bytes: Buffer) => bytes;
const stream = client.makeServerStreamRequest(path, requestSerialize, asItIs, wanted);

let left = Number(count);
stream.on("data", (response: Buffer) => {
  left -= print(response);
  if (left <= 0) stream.cancel();
});
stream.on("error", (error) => {
  if (left > 0) {
    console.error(error.message);
    process.exitCode = 1;
  }
  client.close();
});
