// Holds a page's connection. Of tables it keeps the newest until the page is ready to paint; of events all.

import { Message } from "./reader.ts";
import type { Follow, News, Order, State } from "./protocol.ts";

const BACKOFF_MS = [250, 500, 1000, 2000, 4000];
// Without a word from the gateway, which speaks once a second.
const SILENT_MS = 2000;
const MOST_EVENTS = 2000;

let address = "";
let socket: WebSocket | undefined;
let wanted: Follow[] = [];
let generation = 0; // of the page's list
let list = 0; // counts what was sent of it: again after each break
let heard = -1; // the list that the gateway has answered
let tries = 0;
let ready = true;
let seek: Order | undefined;
let heardAt = 0;
let state: State = {
  rig: "", state: "connecting", message: "", time_ns: "0", lag_s: 0, missed: 0, dropped: 0, delay_s: 0,
};
const newest = new Map<number, ArrayBuffer>();
// Of scoring the newest message that says who is who, until it is passed on: the next one comes ten seconds later.
const names = new Map<number, ArrayBuffer>();
const events: { entry: number; bytes: ArrayBuffer }[] = [];

const say = (news: News, moved: Transferable[] = []) => postMessage(news, { transfer: moved });

function tell(change: Partial<State>): void {
  state = { ...state, ...change };
  say({ state });
}

function connect(): void {
  const own = (socket = new WebSocket(address));
  own.binaryType = "arraybuffer";
  let opened = false;
  own.onopen = () => {
    opened = true;
    heardAt = performance.now();
    request();
    if (seek) own.send(JSON.stringify(seek));
  };
  own.onmessage = ({ data }) => {
    heardAt = performance.now();
    tries = 0;
    if (typeof data === "string") hear(JSON.parse(data));
    else take(data as ArrayBuffer);
  };
  own.onclose = ({ reason }) => {
    if (own !== socket) return;
    tell({ state: "connecting", message: reason || "the gateway does not answer: trying again" });
    if (!opened) void explain();
    setTimeout(() => own === socket && connect(), BACKOFF_MS[Math.min(tries++, BACKOFF_MS.length - 1)]);
  };
}

// A browser does not say why a connection was refused; the gateway does, when it is asked otherwise.
async function explain(): Promise<void> {
  const { origin, pathname, search } = new URL(address.replace(/^ws/, "http"));
  const rig = decodeURIComponent(pathname.split("/").pop()!);
  try {
    const answer = await fetch(`${origin}/api/rigs${search}`);
    const { rigs, error } = await answer.json();
    if (error) return tell({ state: "refused", message: `${error.message}: ${error.hint}` });
    const known: string[] = rigs.map((one: { name: string }) => one.name);
    if (known.includes(rig)) return;
    tell({ state: "refused", message: `there is no rig “${rig}”. There are: ${known.join(", ") || "none yet"}.` });
  } catch {
    // It does not answer: that is said already.
  }
}

function request(): void {
  if (socket?.readyState !== WebSocket.OPEN) return;
  list += 1;
  newest.clear();
  names.clear();
  socket.send(JSON.stringify({ follow: wanted, id: list }));
}

function hear(words: { following?: number; error?: News } & Partial<State>): void {
  if (words.following !== undefined) heard = words.following;
  else if (words.error) say(words as News);
  else if (words.state) tell(words);
}

function take(data: ArrayBuffer): void {
  if (heard !== list) return; // of the list before
  const entry = new Uint8Array(data, 0, 1)[0]!;
  if (wanted[entry]?.stream === "events") {
    events.push({ entry, bytes: data });
    remember(entry, data);
    if (events.length > MOST_EVENTS) events.shift();
  } else if (entry < wanted.length) {
    if (wanted[entry]!.stream === "scoring" && naming(data)) names.set(entry, data);
    newest.set(entry, data);
  }
  pass();
}

function naming(data: ArrayBuffer): boolean {
  const ticks = new Message("StreamScoringResponse", new DataView(data, 1)).list("ticks");
  return ticks.some((tick) => tick.message("entry_list") !== undefined);
}

// Events are all wanted: after a break the gateway goes on behind the last one.
function remember(entry: number, data: ArrayBuffer): void {
  const cursor = new Message("StreamEventsResponse", new DataView(data, 1)).get("cursor") as Uint8Array;
  const text = btoa(String.fromCharCode(...cursor)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  wanted[entry]!.cursor = text;
}

function pass(): void {
  if (!ready || (newest.size === 0 && events.length === 0)) return;
  ready = false;
  for (const { entry, bytes } of events.splice(0)) say({ entry, generation, bytes }, [bytes]);
  for (const [entry, bytes] of names) if (newest.get(entry) !== bytes) say({ entry, generation, bytes }, [bytes]);
  names.clear();
  for (const [entry, bytes] of newest) say({ entry, generation, bytes }, [bytes]);
  newest.clear();
}

onmessage = ({ data }: MessageEvent<Order>) => {
  if ("open" in data) {
    address = data.open;
    connect();
  } else if ("follow" in data) {
    ({ follow: wanted, generation } = data);
    events.length = 0;
    request();
  } else if ("seek" in data) {
    seek = "live" in data.seek ? undefined : data;
    newest.clear();
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(data));
  } else if ("ready" in data) {
    ready = true;
    pass();
  } else {
    socket?.close();
    socket = undefined;
  }
};

setInterval(() => {
  if (socket?.readyState !== WebSocket.OPEN || performance.now() - heardAt < SILENT_MS) return;
  if (state.state === "live") tell({ state: "stale", message: "nothing comes from the gateway" });
  // A connection that is dead and not closed: the machine slept, a cable was pulled.
  if (performance.now() - heardAt > 3 * SILENT_MS) {
    const dead = socket;
    connect();
    dead.close();
  }
}, 250);
