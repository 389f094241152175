// The timing screen: from scoring rows to a table per class. Pure; one Timing per session.
//
// rFactor 2's facts: a split at sector 2 is S1 + S2; there is no best second sector, so it is what was seen, or
// the one of the best lap; gaps mean something in races only; `in_pits` flickers for cars of others.

// A table of the stream: a row per car, a column per channel.
export interface Rows {
  readonly rows: number;
  column(name: string): ArrayLike<number> | undefined;
}

export interface Entry {
  id: number;
  driver: string;
  vehicle: string;
  className: string;
  team: string;
}

// What a time is worth, as on television: best of the class, best of the car, neither.
export type Worth = "best" | "own" | "slower" | "";

export interface Time {
  seconds: number; // NaN: there is none
  worth: Worth;
  old: boolean; // of the lap before
}

// Behind another car: laps, or seconds when on the same lap. NaN seconds and no laps: not known.
export interface Gap {
  seconds: number;
  laps: number;
}

export type Where = "track" | "pit" | "stopped" | "garage" | "finished" | "retired" | "disqualified";

export interface Car {
  id: number;
  place: number; // overall
  classPlace: number;
  className: string;
  driver: string;
  number: string; // of the car; empty: unknown
  vehicle: string;
  team: string;
  player: boolean;
  laps: number;
  gap: Gap; // to the first of the class
  interval: Gap; // to the car ahead of the class
  sectors: [Time, Time, Time];
  sector: number; // the one it is in, 1 to 3; 0: unknown
  last: Time;
  best: Time;
  stops: number;
  tyreLaps: number; // NaN: not known
  compound: string;
  where: Where;
  penalties: number;
  blue: boolean;
  yellow: boolean;
  counts: boolean; // the running lap does
  fuel: number; // 0 to 1; NaN: not known
}

export interface Group {
  name: string;
  cars: Car[]; // in order of place
  best: number; // best lap, seconds; NaN: none
}

export const CHANNELS = [
  "id", "place", "laps", "sector", "best_split1", "best_lap_time", "best_lap_split1", "best_lap_split2",
  "last_split1", "last_split2", "last_lap_time", "current_split1", "current_split2", "lap_start_time",
  "time_behind_leader", "laps_behind_leader", "lap_distance", "fuel_fraction", "finish_status", "pit_stops",
  "penalties", "pit_state", "flag", "count_lap_flag", "in_pits", "in_garage", "is_player", "under_yellow",
];

const EQUAL = 0.0005; // times are told to the millisecond
const INSIDE_S = 2; // the flag of the pit lane flickers for less

const NOTHING: Gap = { seconds: NaN, laps: 0 };
const positive = (value: number | undefined) => (value !== undefined && value > 0 ? value : NaN);
const least = (...values: number[]) => {
  const known = values.filter((value) => value > 0);
  return known.length ? Math.min(...known) : NaN;
};

// What is remembered of a car between updates.
interface Memory {
  sectors: number[]; // best seen
  inside: number; // session clock since when it is in the pit lane; NaN: it is not
  fresh: number; // laps completed when it last left the pits; NaN: not known
  wasInside: boolean;
  driver: string;
}

export class Timing {
  private readonly memory = new Map<number, Memory>();
  private entries = new Map<number, Entry>();
  private session = -1;
  private clock = -Infinity;
  readonly stints = new Map<number, { lap: number; compound: string }>();

  // Names of the cars; kept until told otherwise.
  name(entries: Iterable<Entry>): void {
    this.entries = new Map([...entries].map((entry) => [entry.id, entry]));
  }

  // Laps completed when a car's tyres were new, and what they are, from the list of laps.
  fitted(car: number, lap: number, compound: string): void {
    this.stints.set(car, { lap, compound });
  }

  // Take an update; returns the classes, that of the leader first. `clock` is the session's, seconds.
  take(table: Rows, session: number, clock: number, race: boolean): Group[] {
    if (session !== this.session || clock < this.clock - 1) this.forget();
    this.session = session;
    this.clock = clock;
    const rows = read(table);
    for (const row of rows) this.remember(row, clock);
    const groups = new Map<string, Row[]>();
    for (const row of rows.sort((a, b) => a.place - b.place)) {
      const name = this.entries.get(row.id)?.className ?? "";
      groups.set(name, [...(groups.get(name) ?? []), row]);
    }
    return [...groups].map(([name, members]) => this.group(name, members, race, clock));
  }

  private forget(): void {
    this.memory.clear();
    this.stints.clear();
  }

  private remember(row: Row, clock: number): void {
    const driver = this.entries.get(row.id)?.driver ?? "";
    let memory = this.memory.get(row.id);
    if (!memory || (memory.driver && driver && memory.driver !== driver && row.laps === 0)) {
      memory = { sectors: [NaN, NaN, NaN], inside: NaN, fresh: NaN, wasInside: false, driver };
      this.memory.set(row.id, memory);
    }
    memory.driver = driver || memory.driver;
    const seen = [row.current, row.last, row.bestLap];
    for (const i of [0, 1, 2]) memory.sectors[i] = least(memory.sectors[i] ?? NaN, ...seen.map((s) => s[i] ?? NaN));
    memory.sectors[0] = least(memory.sectors[0] ?? NaN, row.bestFirst);
    this.watchPits(memory, row, clock);
  }

  // A stay counts after two seconds, and at once where the car stands in its stall or garage.
  private watchPits(memory: Memory, row: Row, clock: number): void {
    if (!row.inPits) {
      if (memory.wasInside) this.stints.set(row.id, { lap: row.laps, compound: "" });
      memory.inside = NaN;
      memory.wasInside = false;
      return;
    }
    if (Number.isNaN(memory.inside)) memory.inside = clock;
    memory.wasInside ||= row.pitState === 3 || row.garage;
  }

  private group(name: string, rows: Row[], race: boolean, clock: number): Group {
    const best = least(...rows.map((row) => row.best));
    const bests = [0, 1, 2].map((i) => least(...rows.map((row) => this.memory.get(row.id)?.sectors[i] ?? NaN)));
    const cars = rows.map((row, at) => this.car(row, at, rows, race, best, bests, clock));
    return { name, cars, best };
  }

  private car(row: Row, at: number, rows: Row[], race: boolean, best: number, bests: number[], clock: number): Car {
    const entry = this.entries.get(row.id);
    const own = this.memory.get(row.id)?.sectors ?? [];
    const stint = this.stints.get(row.id);
    const between = race ? behind : slower;
    return {
      id: row.id, place: row.place, classPlace: at + 1, className: entry?.className ?? "",
      driver: entry?.driver || `car ${row.id}`, number: numberOf(entry?.vehicle ?? ""),
      vehicle: entry?.vehicle ?? "", team: entry?.team ?? "", player: row.player, laps: row.laps,
      gap: between(rows[0], row), interval: between(rows[at - 1], row),
      sectors: sectorsOf(row, own, bests), sector: row.sector,
      last: { seconds: row.lastLap, worth: worth(row.lastLap, row.best, best), old: false },
      best: { seconds: row.best, worth: worth(row.best, NaN, best), old: false },
      stops: row.stops, tyreLaps: stint ? Math.max(0, row.laps - stint.lap) : row.stops ? NaN : row.laps,
      compound: stint?.compound ?? "", where: this.where(row, clock), penalties: row.penalties,
      blue: row.flag === 6, yellow: row.yellow, counts: row.counts !== 0, fuel: row.fuel,
    };
  }

  private where(row: Row, clock: number): Where {
    const ended = ([, "finished", "retired", "disqualified"] as const)[row.finish];
    if (ended) return ended;
    if (row.garage) return "garage";
    if (row.pitState === 3 && row.inPits) return "stopped";
    const inside = this.memory.get(row.id)?.inside ?? NaN;
    const certain = row.pitState === 2 || row.pitState === 4 || clock - inside >= INSIDE_S;
    return row.inPits && certain ? "pit" : "track";
  }
}

// One row of scoring, in plain numbers. Absent columns are as if the game told nothing.
interface Row {
  id: number; place: number; laps: number; sector: number;
  best: number; bestFirst: number; bestLap: number[]; last: number[]; current: number[]; lastLap: number;
  timeBehind: number; lapsBehind: number; fuel: number; finish: number; stops: number; penalties: number;
  pitState: number; flag: number; counts: number; inPits: boolean; garage: boolean; player: boolean; yellow: boolean;
}

function read(table: Rows): Row[] {
  const columns = new Map(CHANNELS.map((name) => [name, table.column(name)]));
  return Array.from({ length: table.rows }, (_, i) => {
    const at = (name: string) => columns.get(name)?.[i] ?? NaN;
    const count = (name: string) => columns.get(name)?.[i] ?? 0;
    const best = positive(at("best_lap_time"));
    const lastLap = positive(at("last_lap_time"));
    return {
      id: count("id"), place: count("place"), laps: count("laps"), sector: count("sector"), best, lastLap,
      bestFirst: positive(at("best_split1")), timeBehind: at("time_behind_leader"),
      bestLap: split(at("best_lap_split1"), at("best_lap_split2"), best),
      last: split(at("last_split1"), at("last_split2"), lastLap),
      current: split(at("current_split1"), at("current_split2"), NaN),
      lapsBehind: count("laps_behind_leader"), fuel: at("fuel_fraction"), finish: count("finish_status"),
      stops: count("pit_stops"), penalties: count("penalties"), pitState: count("pit_state"),
      flag: count("flag"), counts: columns.get("count_lap_flag")?.[i] ?? 2, inPits: count("in_pits") > 0,
      garage: count("in_garage") > 0, player: count("is_player") > 0, yellow: count("under_yellow") > 0,
    };
  });
}

// The three sectors of a lap from its splits, which are sums.
export function split(first: number, second: number, lap: number): [number, number, number] {
  const [a, b, c] = [positive(first), positive(second), positive(lap)];
  return [a, positive(b - a), positive(c - b)];
}

// The running lap's sectors as far as they are driven, and behind them those of the lap before.
function sectorsOf(row: Row, own: number[], bests: number[]): [Time, Time, Time] {
  const time = (i: number): Time => {
    const now = row.current[i] ?? NaN;
    const started = row.current.some((value) => value > 0);
    const seconds = now > 0 ? now : (row.last[i] ?? NaN);
    return { seconds, worth: worth(seconds, own[i] ?? NaN, bests[i] ?? NaN), old: !(now > 0) && started };
  };
  return [time(0), time(1), time(2)];
}

export function worth(seconds: number, own: number, best: number): Worth {
  if (!(seconds > 0)) return "";
  if (seconds <= best + EQUAL) return "best";
  return seconds <= own + EQUAL ? "own" : "slower";
}

// In a race: laps when it is a whole one, else the difference of what both are behind the leader.
function behind(ahead: Row | undefined, row: Row): Gap {
  if (!ahead || ahead === row) return NOTHING;
  const laps = row.lapsBehind - ahead.lapsBehind;
  const seconds = row.timeBehind - ahead.timeBehind;
  return laps > 0 ? { seconds: NaN, laps } : { seconds: seconds >= 0 ? seconds : NaN, laps: 0 };
}

// Elsewhere: by the best lap.
function slower(ahead: Row | undefined, row: Row): Gap {
  if (!ahead || ahead === row) return NOTHING;
  return { seconds: row.best - ahead.best, laps: 0 };
}

// The number that a vehicle's name carries, as `#12` or at its end.
export function numberOf(vehicle: string): string {
  return /#\s*(\d{1,3})\b/.exec(vehicle)?.[1] ?? /\b(\d{1,3})$/.exec(vehicle)?.[1] ?? "";
}
