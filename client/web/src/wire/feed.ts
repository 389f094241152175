// A page's connection to one rig: what it follows, and how the rig is.

import { Message } from "./reader.ts";
import { Table } from "./table.ts";
import type { Follow, News, Order, State, Trouble } from "./protocol.ts";

export type { Follow, State, Trouble } from "./protocol.ts";

// Tables of a message, oldest first, or its events.
type Take = (records: Table[] | Message[], response: Message) => void;
type Entry = { follow: Follow; take: Take; refused?: ((trouble: Trouble) => void) | undefined };

const RESPONSES = {
  physics: "StreamPhysicsResponse", scoring: "StreamScoringResponse", events: "StreamEventsResponse",
} as const;

export class Feed {
  state: State = {
    rig: "", state: "connecting", message: "", time_ns: "0", lag_s: 0, missed: 0, dropped: 0, delay_s: 0,
  };

  private readonly worker: Worker;
  private readonly watchers = new Set<(state: State) => void>();
  private entries: Entry[] = [];
  private sent: Entry[] = [];
  private changed = false;
  private generation = 0;

  // `query` is the page's own: delay and key are the gateway's business.
  constructor(rig: string, query: URLSearchParams = new URLSearchParams()) {
    const address = new URL(`/live/${encodeURIComponent(rig)}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    for (const name of ["delay", "key"]) if (query.has(name)) address.searchParams.set(name, query.get(name)!);
    this.worker = new Worker("/assets/worker.js", { type: "module" });
    this.worker.onmessage = ({ data }: MessageEvent<News>) => this.hear(data);
    this.order({ open: address.href });
  }

  // Follow a stream of tables. Returns what ends it.
  follow(follow: Follow, take: (tables: Table[], response: Message) => void, refused?: (trouble: Trouble) => void): () => void {
    return this.add({ follow, take: take as Take, refused });
  }

  // Follow events: all of them, in order.
  events(take: (events: Message[]) => void): () => void {
    return this.add({ follow: { stream: "events" }, take: take as Take });
  }

  // Call `watch` with the state now and whenever it is told anew. Returns what ends it.
  watch(watch: (state: State) => void): () => void {
    this.watchers.add(watch);
    watch(this.state);
    return () => this.watchers.delete(watch);
  }

  // Show a moment of the past from there on, or, without one, what is live.
  seek(timeNs?: string, speed = 1): void {
    this.order({ seek: timeNs ? { time_ns: timeNs } : { live: true }, speed });
  }

  close(): void {
    this.order({ close: true });
    this.worker.terminate();
  }

  private add(entry: Entry): () => void {
    this.entries.push(entry);
    this.change();
    return () => {
      this.entries = this.entries.filter((one) => one !== entry);
      this.change();
    };
  }

  // What is followed and left in one turn goes as one list.
  private change(): void {
    if (this.changed) return;
    this.changed = true;
    queueMicrotask(() => {
      this.changed = false;
      this.sent = [...this.entries];
      this.generation += 1;
      this.order({ follow: this.sent.map((one) => one.follow), generation: this.generation });
    });
  }

  private order(order: Order): void {
    this.worker.postMessage(order);
  }

  private hear(news: News): void {
    if ("state" in news) {
      this.state = news.state;
      for (const watch of this.watchers) watch(this.state);
    } else if ("error" in news) {
      this.sent[news.error.entry ?? -1]?.refused?.(news.error);
    } else {
      const entry = news.generation === this.generation ? this.sent[news.entry] : undefined;
      if (entry) this.read(entry, news.bytes);
      // The next ones come when this has been painted: a hidden page paints nothing, and gets nothing.
      requestAnimationFrame(() => this.order({ ready: true }));
    }
  }

  private read(entry: Entry, bytes: ArrayBuffer): void {
    const { stream, channels } = entry.follow;
    const response = new Message(RESPONSES[stream], new DataView(bytes, 1));
    if (stream === "events") entry.take(response.list("events"), response);
    else entry.take(response.list("ticks").map((tick) => new Table(tick, channels)), response);
  }
}
