// The cars of a rig: who is who, how the session stands, places and gaps. One stream of scoring for all elements.

import type { Feed } from "../wire/feed.ts";
import type { Message } from "../wire/reader.ts";
import type { Table } from "../wire/table.ts";
import { type Car, CHANNELS, type Entry, type Group, Timing } from "../wall/timing.ts";

export type Named = Entry & { front: string; rear: string };

export type Session = {
  track: string;
  length: number; // of the track, metres
  kind: string;
  race: boolean;
  clock: number; // seconds
  end: number; // seconds; NaN: no limit
  laps: number; // NaN: no limit
  phase: number;
  caution: number; // yellow_flag_state of the contract
  sectors: number[]; // 1 is yellow
  day: number; // seconds since midnight when the event began; NaN: not known
  air: number; // °C
  ground: number; // °C
  cloud: number; // 0 to 1
  rain: number; // 0 to 1
  wet: [least: number, mean: number, greatest: number]; // 0 to 1
  wind: [x: number, z: number]; // m/s, world
};

const KINDS: Record<string, string> = {
  test_day: "Test day", practice: "Practice", qualifying: "Qualifying", warmup: "Warm-up", race: "Race",
};

export function sessionOf(state: Message): Session {
  const kind = state.text("kind");
  const limit = (field: string) => (state.get(field) === undefined ? NaN : state.number(field));
  const weather = state.message("weather");
  const of = (field: string) => (weather ? weather.number(field) : NaN);
  const wind = weather?.get("wind") as Float32Array | undefined;
  return {
    track: state.text("track_name"), length: state.number("track_length"), kind: KINDS[kind] ?? "Session", race: kind === "race",
    clock: state.number("current_time"), end: limit("end_time"), laps: limit("max_laps"), phase: state.number("game_phase"),
    caution: state.number("yellow_flag_state"), sectors: flags(state), day: state.number("start_time_of_day") || NaN,
    air: of("ambient_temp"), ground: of("track_temp"), cloud: of("dark_cloud"), rain: of("raining"),
    wet: [of("min_path_wetness"), of("avg_path_wetness"), of("max_path_wetness")], wind: [wind?.[0] ?? NaN, wind?.[2] ?? NaN],
  };
}

function flags(state: Message): number[] {
  return Array.from((state.get("sector_flags") as Int32Array | undefined) ?? []);
}

export function entriesOf(list: Message): Named[] {
  return list.list("entries").map((entry) => ({
    id: entry.number("id"), driver: entry.text("driver_name"), vehicle: entry.text("vehicle_name"),
    className: entry.text("vehicle_class"), team: entry.text("pit_group"),
    front: entry.text("front_compound"), rear: entry.text("rear_compound"),
  }));
}

// The flag that a driver sees: what it says, and the class that gives it its colour, the same in every theme.
export type Flag = { word: string; colour: "yellow" | "red" | "blue" | "chequered" };

const CAUTION = ["", "Caution", "Caution: pits closed", "Caution: leader may pit", "Caution: pits open", "Caution: last lap", "Caution: resume"];

export function flagOf(session: Session | undefined, car?: Car): Flag | undefined {
  if (!session) return undefined;
  if (session.phase === 7) return { word: "Red flag", colour: "red" };
  if (session.phase === 8 || car?.where === "finished") return { word: "Chequered flag", colour: "chequered" };
  if (session.phase === 6) return { word: CAUTION[session.caution] || "Full course yellow", colour: "yellow" };
  const yellow = session.sectors.flatMap((flag, at) => (flag === 1 ? [at + 1] : []));
  if (car?.yellow || yellow.length) return { word: yellow.length ? `Yellow in sector ${yellow.join(", ")}` : "Yellow", colour: "yellow" };
  if (car?.blue) return { word: "Blue flag", colour: "blue" };
  return undefined;
}

const MORE = ["estimated_lap_time"];

export class Field {
  session: Session | undefined;
  table: Table | undefined;
  groups: Group[] = [];
  names = new Map<number, Named>();
  trouble = "";

  private readonly feed: Feed;
  private readonly watchers = new Set<() => void>();
  private readonly timing = new Timing();
  private end: (() => void) | undefined;

  constructor(feed: Feed) {
    this.feed = feed;
  }

  // Call `watch` after each update. Returns what ends it; the last one ends the stream.
  watch(watch: () => void): () => void {
    this.watchers.add(watch);
    this.end ??= this.feed.follow(
      { stream: "scoring", channels: [...CHANNELS, ...MORE], rate: 5 }, (tables) => this.take(tables),
      ({ message, hint }) => this.tell((this.trouble = hint ? `${message}: ${hint}` : message)),
    );
    return () => {
      this.watchers.delete(watch);
      if (this.watchers.size) return;
      this.end?.();
      this.end = undefined;
    };
  }

  get cars(): Car[] {
    return this.groups.flatMap((group) => group.cars);
  }

  // The car with this slot id, or the player's.
  car(id: number | "player"): Car | undefined {
    return this.cars.find((car) => (id === "player" ? car.player : car.id === id));
  }

  // Name of the theme's colour for a class: by the order in which classes lead.
  colour(className: string): string {
    const order = [...new Set([...this.names.values()].map((one) => one.className))].sort();
    return `--class-${(Math.max(order.indexOf(className), 0) % 6) + 1}`;
  }

  private take(tables: Table[]): void {
    for (const table of tables) {
      const list = table.message.message("entry_list");
      if (list) this.name(entriesOf(list));
      const state = table.message.message("session_state");
      if (state) this.session = sessionOf(state);
      this.table = table;
      this.groups = this.timing.take(table, table.session, table.sessionTime, this.session?.race ?? false);
    }
    this.tell("");
  }

  private name(entries: Named[]): void {
    this.names = new Map(entries.map((entry) => [entry.id, entry]));
    this.timing.name(entries);
  }

  private tell(trouble: string): void {
    this.trouble = trouble;
    for (const watch of this.watchers) watch();
  }
}

const fields = new WeakMap<Feed, Field>();

// The cars of a page's connection: one stream, however many elements ask.
export function fieldOf(feed: Feed): Field {
  let field = fields.get(feed);
  if (!field) fields.set(feed, (field = new Field(feed)));
  return field;
}
