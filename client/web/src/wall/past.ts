// Fetches what was before, over a connection of its own: the live one goes on.
//
// Not through Feed, which keeps the newest until it is painted: of the past every sample counts.

import { Message } from "../wire/reader.ts";
import { Table } from "../wire/table.ts";

const SPEED = 32; // a minute comes in two seconds
const RATE_HZ = 20;

export class Past {
  private readonly socket: WebSocket;
  private whole = false;

  // Calls `take` with each record from one time to another, seconds since 1970, and `done` at the end: whether it is whole.
  constructor(rig: string, car: number | null, channels: string[], from: number, until: number,
    take: (table: Table) => void, done: (whole: boolean) => void) {
    const address = new URL(`/live/${encodeURIComponent(rig)}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const key = new URLSearchParams(location.search).get("key");
    if (key) address.searchParams.set("key", key);
    const socket = (this.socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const cars = car === null ? { player: true } : { ids: [car] };
      const time_ns = String(BigInt(Math.round(from * 1000)) * 1_000_000n);
      socket.send(JSON.stringify({ seek: { time_ns }, speed: SPEED }));
      socket.send(JSON.stringify({ follow: [{ stream: "physics", channels, cars, rate: RATE_HZ }] }));
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") return;
      for (const tick of new Message("StreamPhysicsResponse", new DataView(data, 1)).list("ticks")) {
        const table = new Table(tick, channels);
        this.whole = table.timeNs / 1e9 >= until;
        if (this.whole) return this.close();
        take(table);
      }
    };
    socket.onclose = () => done(this.whole);
  }

  close(): void {
    this.socket.close();
  }
}
