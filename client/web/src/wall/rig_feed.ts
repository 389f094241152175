// One rig on the wall: what it streams, as the panels want it. They are told when to look again.

import { ask, post } from "../parts/api.ts";
import { lapTime } from "../parts/format.ts";
import { Feed, type Follow, type State } from "../wire/feed.ts";
import type { Message } from "../wire/reader.ts";
import type { Table } from "../wire/table.ts";
import { Alarm, column, parse, type Rule } from "./alerts.ts";
import { Crossings, type ListedLap } from "./gaps.ts";
import { say, type Line } from "./log.ts";
import { entriesOf, plain, stateOf, type Session } from "./session.ts";
import { stintsOf, type Stint } from "./stints.ts";
import { CHANNELS, Timing, type Car, type Group } from "./timing.ts";
import { Past, SPEED } from "./past.ts";
import { means, Trace } from "./trace.ts";

export interface Told extends Line {
  seq: number;
  timeNs: number;
  times?: number; // so many alike
}

export interface Listed {
  name: string;
  state: string;
  message: string;
  lag_s: number;
  gaps: number;
  missed: number;
}

const STALE_MS = 1900; // shown within two seconds
const LINES = 500;
const SWARM_NS = 10e9;
const ROOM = 36000; // half an hour of samples
export const RATE_HZ = 20;
const RECALLED_S = 300; // of events, when the page is opened: they come in ten seconds
const LAPS_MS = 15000; // between two questions for the list of laps

export class RigFeed extends EventTarget {
  readonly name: string;
  listed: Listed | null = null; // as the gateway lists it
  state: State | null = null; // as its stream says
  groups: Group[] = [];
  session: Session | null = null;
  seq = 0; // of the scoring update that is shown
  lines: Told[] = [];
  stints = new Map<number, Stint[]>();
  readonly crossings = new Crossings();
  trace: Trace;
  refused = ""; // why the traces bring nothing
  unruled = ""; // why the rules bring nothing
  units = new Map<string, string>(); // of channels
  alarms: Alarm[] = [];
  private readonly feed: Feed;
  private readonly timing = new Timing();
  private heard = performance.now();
  private unfollow = () => {};
  private unheed = () => {};
  private recalled: Past | null = null;
  private clock = NaN; // of the session, and of the rig, at the newest scoring update
  private time = NaN;
  private names = "";
  private current = -1; // number of the session
  private asked = -Infinity;
  private readonly clocks: number[] = [];

  constructor(name: string) {
    super();
    this.name = name;
    this.trace = new Trace([], ROOM);
    this.feed = new Feed(name);
    this.feed.watch((state) => this.hear(state));
    this.feed.follow({ stream: "scoring", channels: CHANNELS, rate: 5 }, (tables) => {
      for (const table of tables) this.score(table);
    });
    this.feed.events((events) => this.note(events));
    this.clocks.push(window.setInterval(() => this.changed("state"), 250));
  }

  // live, stale, connecting, off, refused or replay; stale when nothing arrives, whatever was said last.
  get condition(): string {
    const said = this.state?.state ?? this.listed?.state ?? "connecting";
    const silent = performance.now() - this.heard > STALE_MS;
    return silent && (said === "live" || said === "replay") ? "stale" : said;
  }

  get cars(): Car[] {
    return this.groups.flatMap((group) => group.cars);
  }

  get player(): Car | undefined {
    return this.cars.find((car) => car.player) ?? this.cars[0];
  }

  // Seconds since 1970 by the rig's clock of the newest sample.
  get newest(): number {
    return this.trace.last;
  }

  // Follow channels of a car, and what the rules need of it. What was followed before is let go.
  watch(car: number | null, channels: readonly string[], rules: readonly string[]): void {
    const parsed = rules.map(parse).filter((rule): rule is Rule => typeof rule !== "string");
    const names = JSON.stringify([car, channels, rules]);
    if (names === this.names) return;
    this.names = names;
    this.unfollow();
    this.unheed();
    this.refused = this.unruled = "";
    this.trace = new Trace(channels, ROOM);
    this.alarms = parsed.map((rule) => this.alarms.find((old) => old.rule.text === rule.text) ?? new Alarm(rule));
    const cars = car === null ? { player: true } : { ids: [car] };
    this.unfollow = this.physics(channels, cars, (table) => this.sample(table, channels), (why) => (this.refused = why));
    // A rule that is refused leaves the traces alone, and the rules are of the rig's own car.
    const columns = parsed.map((rule, i) => column(rule, i).channel);
    this.unheed = this.physics([...new Set(columns)], { player: true }, (table) => this.heed(table, columns), (why) => (this.unruled = why));
  }

  private physics(
    channels: readonly string[], cars: Follow["cars"] & object, take: (table: Table) => void, refuse: (why: string) => void,
  ): () => void {
    if (!channels.length) return () => {};
    return this.feed.follow({ stream: "physics", channels, cars, rate: RATE_HZ }, (tables) => {
      this.heard = performance.now();
      for (const table of tables) if (table.rows) take(table);
    }, (trouble) => {
      refuse([trouble.message, trouble.hint].filter(Boolean).join("; "));
      this.changed("state");
    });
  }

  private sample(table: Table, channels: readonly string[]): void {
    this.trace.add(table.timeNs / 1e9, means(table, channels));
    this.changed("trace");
  }

  private heed(table: Table, columns: readonly string[]): void {
    const values = means(table, columns);
    this.alarms.forEach((alarm, i) => {
      if (alarm.take(values[i] ?? NaN)) this.ring(alarm);
    });
  }

  // Keep the last half minute and the next ten seconds.
  async mark(note: string): Promise<string> {
    const path = `${encodeURIComponent(this.name)}/marks`;
    const { mark } = await post<{ mark?: { name?: string } }>(path, { before_s: 30, after_s: 10, note });
    return mark?.name ?? "";
  }

  close(): void {
    this.clocks.forEach((clock) => window.clearInterval(clock));
    this.recalled?.close();
    this.feed.close();
  }

  private changed(what: string): void {
    this.dispatchEvent(new Event(what));
  }

  private ring(alarm: Alarm): void {
    this.dispatchEvent(new CustomEvent("alert", { detail: alarm.rule }));
  }

  private hear(state: State): void {
    this.state = state;
    this.changed("state");
  }

  private score(table: Table): void {
    this.heard = performance.now();
    const { message, session, sessionTime: clock } = table;
    const entries = message.message("entry_list"), state = message.message("session_state");
    if (entries) this.timing.name(entriesOf(entries));
    if (session !== this.current) this.begin(session);
    [this.clock, this.time] = [clock, table.timeNs / 1e9];
    if (state) this.session = stateOf(state);
    this.groups = this.timing.take(table, session, clock, this.session?.race ?? false);
    this.seq = table.seq;
    const ids = table.column("id"), laps = table.column("laps"), begun = table.column("lap_start_time");
    for (let i = 0; i < table.rows; i++) this.crossings.note(ids?.[i] ?? -1, laps?.[i] ?? 0, begun?.[i] ?? NaN);
    this.changed("scoring");
    if (performance.now() - this.asked > LAPS_MS) void this.list();
  }

  private begin(session: number): void {
    this.current = session;
    this.crossings.clear();
    this.stints = new Map();
    this.asked = -Infinity;
  }

  private note(events: readonly Message[]): void {
    for (const line of this.told(events)) write(this.lines, line);
    this.lines.splice(0, Math.max(0, this.lines.length - LINES));
    this.changed("events");
  }

  private told(events: readonly Message[]): Told[] {
    const named = (id: number) => this.cars.find((car) => car.id === id)?.driver ?? `car ${id}`;
    return events.flatMap((event) => {
      const line = say(plain(event), named, lapTime);
      return line ? [{ ...line, seq: event.number("seq"), timeNs: event.number("capture_time_ns") }] : [];
    });
  }

  // The log of a page that was just opened begins with what was before, five minutes of the session at most.
  private recall(begin: number): void {
    if (this.recalled || !Number.isFinite(this.time)) return;
    const until = this.time, from = Math.max(begin, until - RECALLED_S);
    const live = this.lines, older: Told[] = [];
    const show = () => {
      const first = live[0]?.seq ?? Infinity;
      this.lines = [...older.filter((line) => line.seq < first), ...live].slice(-LINES);
      this.changed("events");
    };
    const past = (this.recalled = new Past(this.name, { stream: "events" }, from, (response) => {
      const events = response.list("events");
      for (const line of this.told(events)) if (line.timeNs / 1e9 <= until) write(older, line);
      return events.some((event) => event.number("capture_time_ns") / 1e9 > until);
    }, show));
    // Where nothing happens after it, nothing says that this was all.
    window.setTimeout(() => past.close(), ((until - from) / SPEED + 3) * 1000);
  }

  // What was driven before this page was open: stints, tyres and crossings, from the laps of the session.
  private async list(): Promise<void> {
    this.asked = performance.now();
    try {
      if (!this.units.size) this.units = await unitsOf(this.name);
      const sessions = await ask<{ sessions?: Parent[] }>(`${encodeURIComponent(this.name)}/sessions`, { page_size: "1" });
      const parent = sessions.sessions?.[0];
      if (!parent || Number(parent.ring_session) !== this.current) return;
      this.recall(Number(parent.start_time_ns ?? 0) / 1e9);
      // A page that is late on purpose does not know yet what comes.
      const laps = (await lapsOf(this.name, parent.name)).filter((lap) => !(lap.end_time > this.clock));
      for (const lap of laps) this.crossings.note(lap.car, lap.index, lap.running ? NaN : lap.end_time);
      this.stints = stintsOf(laps);
      for (const [car, stints] of this.stints) {
        const running = stints.at(-1);
        if (running && !this.timing.stints.has(car)) this.timing.fitted(car, running.first - 1, running.compound);
      }
      this.changed("laps");
    } catch {
      // Asked again in a while; the strip of the rig says how it is.
    }
  }
}

interface Parent {
  name: string;
  ring_session?: number;
  start_time_ns?: string;
}

// Losses come in swarms, where a machine stalls: those of a few seconds are one line.
function write(lines: Told[], line: Told): void {
  const last = lines.at(-1);
  const swarm = line.kind === "loss" && last?.kind === "loss" && line.timeNs - last.timeNs < SWARM_NS;
  if (swarm) lines[lines.length - 1] = { ...line, times: (last.times ?? 1) + 1 };
  else lines.push(line);
}

async function unitsOf(rig: string): Promise<Map<string, string>> {
  const { channels = [] } = await ask<{ channels?: { name: string; unit?: string }[] }>(`${encodeURIComponent(rig)}/channels`);
  return new Map(channels.map((one) => [one.name, one.unit ?? ""]));
}

const PAGES = 10; // of a thousand laps: a day's race of a full grid

async function lapsOf(rig: string, session: string): Promise<ListedLap[]> {
  const found: ListedLap[] = [];
  for (let page = 0, token = ""; page < PAGES; page++) {
    const query = { parent: session, page_size: "1000", page_token: token };
    const answer = await ask<{ laps?: Partial<ListedLap>[]; next_page_token?: string }>(`${encodeURIComponent(rig)}/laps`, query);
    // protobuf's JSON leaves out what is zero or empty.
    for (const lap of answer.laps ?? []) found.push({ ...NO_LAP, ...lap });
    token = answer.next_page_token ?? "";
    if (!token) break;
  }
  return found;
}

const NO_LAP: ListedLap = {
  car: 0, index: 0, stint: 0, start_time: 0, end_time: 0, driver: "", vehicle_class: "", front_compound: "",
};
