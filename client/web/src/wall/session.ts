// Names of the cars and the state of the session, from the stream.

import type { Message } from "../wire/reader.ts";
import type { Entry } from "./timing.ts";

export interface Session {
  track: string;
  kind: string; // Race, Practice, ...
  race: boolean;
  clock: number; // seconds
  end: number; // seconds; NaN: no limit
  laps: number; // NaN: no limit
  phase: number;
  yellow: number;
  air: number; // °C
  ground: number; // °C
  rain: number; // 0 to 1
  wet: number; // 0 to 1
}

const KINDS: Record<string, string> = {
  test_day: "Test day", practice: "Practice", qualifying: "Qualifying", warmup: "Warm-up", race: "Race",
};

export function stateOf(state: Message): Session {
  const kind = String(state.get("kind") ?? "");
  const limit = (field: string) => (state.get(field) === undefined ? NaN : state.number(field));
  const weather = state.message("weather");
  return {
    track: state.text("track_name"), kind: KINDS[kind] ?? "Session", race: kind === "race",
    clock: state.number("current_time"), end: limit("end_time"), laps: limit("max_laps"),
    phase: state.number("game_phase"), yellow: state.number("yellow_flag_state"),
    air: weather?.number("ambient_temp") ?? NaN, ground: weather?.number("track_temp") ?? NaN,
    rain: weather?.number("raining") ?? NaN, wet: weather?.number("avg_path_wetness") ?? NaN,
  };
}

export function entriesOf(list: Message): Entry[] {
  return list.list("entries").map((entry) => ({
    id: entry.number("id"), driver: entry.text("driver_name"), vehicle: entry.text("vehicle_name"),
    className: entry.text("vehicle_class"), team: entry.text("pit_group"),
  }));
}

const HEAD = ["seq", "capture_time_ns", "session", "session_time"];

// An event's kind and what it says, by the contract's names.
export function plain(event: Message): { kind: string; body: Record<string, unknown> } {
  const kind = event.fields().find((field) => !HEAD.includes(field)) ?? "";
  const body = event.get(kind);
  return { kind, body: isMessage(body) ? values(body) : {} };
}

function values(message: Message): Record<string, unknown> {
  return Object.fromEntries(message.fields().map((field) => {
    const value = message.get(field);
    return [field, isMessage(value) ? values(value) : value];
  }));
}

const isMessage = (value: unknown): value is Message => typeof (value as Message | undefined)?.fields === "function";
