// One rig on the wall: what it streams, as the panels want it. They are told when to look again.

import { ask, post } from "../parts/api.ts";
import { lapTime } from "../parts/format.ts";
import { Feed, type State, type Trouble } from "../wire/feed.ts";
import type { Message } from "../wire/reader.ts";
import type { Table } from "../wire/table.ts";
import { Alarm, column, parse, type Rule } from "./alerts.ts";
import { Crossings, type ListedLap } from "./gaps.ts";
import { say, type Line } from "./log.ts";
import { entriesOf, plain, stateOf, type Session } from "./session.ts";
import { stintsOf, type Stint } from "./stints.ts";
import { CHANNELS, Timing, type Car, type Group } from "./timing.ts";
import { Trace } from "./trace.ts";

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
const RATE_HZ = 20;
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
  refused = ""; // why an entry of the stream brings nothing
  alarms: Alarm[] = [];
  private readonly feed: Feed;
  private readonly timing = new Timing();
  private heard = performance.now();
  private unfollow = () => {};
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
    const columns = parsed.map((rule, i) => column(rule, i));
    const wanted = [...new Set([...channels, ...columns.map((one) => one.channel)])];
    const names = JSON.stringify([car, wanted, rules]);
    if (names === this.names) return;
    this.names = names;
    this.unfollow();
    this.refused = "";
    this.trace = new Trace(channels, ROOM);
    this.alarms = parsed.map((rule) => this.alarms.find((old) => old.rule.text === rule.text) ?? new Alarm(rule));
    if (!wanted.length) return;
    const cars = car === null ? { player: true } : { ids: [car] };
    const follow = { stream: "physics" as const, channels: wanted, cars, rate: RATE_HZ };
    this.unfollow = this.feed.follow(follow, (tables) => {
      for (const table of tables) this.sample(table, channels, columns.map((one) => one.name));
    }, (trouble) => this.complain(trouble));
  }

  private sample(table: Table, channels: readonly string[], columns: readonly string[]): void {
    this.heard = performance.now();
    if (!table.rows) return;
    const value = (name: string) => mean(table.column(name), table.rows);
    this.trace.add(table.timeNs / 1e9, channels.map(value));
    this.alarms.forEach((alarm, i) => {
      if (alarm.take(value(columns[i] ?? ""))) this.ring(alarm);
    });
    this.changed("trace");
  }

  // Keep the last half minute and the next ten seconds.
  async mark(note: string): Promise<string> {
    const path = `${encodeURIComponent(this.name)}/marks`;
    const { mark } = await post<{ mark?: { name?: string } }>(path, { before_s: 30, after_s: 10, note });
    return mark?.name ?? "";
  }

  close(): void {
    this.clocks.forEach((clock) => window.clearInterval(clock));
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

  private complain(error: Trouble): void {
    this.refused = [error.message, error.hint].filter(Boolean).join("; ");
    this.changed("state");
  }

  private score(table: Table): void {
    this.heard = performance.now();
    const { message, session, sessionTime: clock } = table;
    const entries = message.message("entry_list"), state = message.message("session_state");
    if (entries) this.timing.name(entriesOf(entries));
    if (session !== this.current) this.begin(session);
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
    const named = (id: number) => this.cars.find((car) => car.id === id)?.driver ?? `car ${id}`;
    for (const event of events) {
      const line = say(plain(event), named, lapTime);
      if (line) this.write({ ...line, seq: event.number("seq"), timeNs: event.number("capture_time_ns") });
    }
    this.lines.splice(0, Math.max(0, this.lines.length - LINES));
    this.changed("events");
  }

  // Losses come in swarms, where a machine stalls: those of a few seconds are one line.
  private write(line: Told): void {
    const last = this.lines.at(-1);
    const swarm = line.kind === "loss" && last?.kind === "loss" && line.timeNs - last.timeNs < SWARM_NS;
    if (swarm) this.lines[this.lines.length - 1] = { ...line, times: (last.times ?? 1) + 1 };
    else this.lines.push(line);
  }

  // What was driven before this page was open: stints, tyres and crossings, from the laps of the session.
  private async list(): Promise<void> {
    this.asked = performance.now();
    try {
      const sessions = await ask<{ sessions?: Parent[] }>(`${encodeURIComponent(this.name)}/sessions`, { page_size: "1" });
      const parent = sessions.sessions?.[0];
      if (!parent || Number(parent.ring_session) !== this.current) return;
      const laps = await lapsOf(this.name, parent.name);
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

// Channels of four wheels are shown as their mean; of a car there is one row.
function mean(values: ArrayLike<number> | undefined, rows: number): number {
  if (!values?.length || !rows) return NaN;
  const width = values.length / rows;
  let sum = 0;
  for (let i = 0; i < width; i++) sum += values[i] ?? NaN;
  return sum / width;
}

interface Parent {
  name: string;
  ring_session?: number;
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
