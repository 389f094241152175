// Fetches what was before, over a connection of its own: the live one goes on.
//
// Not through Feed, which keeps the newest until it is painted: of the past every record counts. It begins at a
// time of the rig's clock, so a page that is late on purpose gets nothing that it has not yet reached.

import type { Follow } from "../wire/protocol.ts";
import { Message } from "../wire/reader.ts";

export const SPEED = 32; // a minute comes in two seconds
const RESPONSES = { physics: "StreamPhysicsResponse", scoring: "StreamScoringResponse", events: "StreamEventsResponse" } as const;

export class Past {
  private readonly socket: WebSocket;
  private whole = false;

  // Calls `take` with each message from a time on, seconds since 1970, until it returns true: that was all. Calls
  // `done` at the end: whether it came to that.
  constructor(rig: string, follow: Follow, from: number, take: (response: Message) => boolean, done: (whole: boolean) => void) {
    const address = new URL(`/live/${encodeURIComponent(rig)}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const key = new URLSearchParams(location.search).get("key");
    if (key) address.searchParams.set("key", key);
    const socket = (this.socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const time_ns = String(BigInt(Math.round(from * 1000)) * 1_000_000n);
      socket.send(JSON.stringify({ seek: { time_ns }, speed: SPEED }));
      socket.send(JSON.stringify({ follow: [follow] }));
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string" || this.whole) return;
      this.whole = take(new Message(RESPONSES[follow.stream], new DataView(data, 1)));
      if (this.whole) this.close();
    };
    socket.onclose = () => done(this.whole);
  }

  close(): void {
    this.socket.close();
  }
}
