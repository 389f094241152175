// The event log: a line of words for each event of the stream. Pure.

// An event as protobuf's JSON, or as the wire reader gives it: `kind` is the name of the field.
export interface Told {
  kind: string;
  body: Record<string, unknown>;
}

export interface Line {
  words: string;
  kind: "flag" | "pit" | "lap" | "car" | "rig" | "loss";
  car: number | null;
}

export const PHASES = [
  "before the session", "reconnaissance", "grid walk", "formation lap", "countdown", "green", "full-course yellow",
  "stopped", "over", "paused",
];
const YELLOW: Record<number, string> = {
  1: "pending", 2: "pits closed", 3: "pits open to the lead lap", 4: "pits open", 5: "last lap", 6: "resume",
};
const FINISH = ["is running", "has finished", "has retired", "is disqualified"];

// Kinds that tell of no car. Slot 0 is a car, and a zero is not on the wire.
const CARLESS = new Set([
  "gap", "session_started", "session_ended", "recorder_started", "recorder_stopped", "source_changed", "flag_changed",
  "seat_changed", "trouble_began", "trouble_ended", "lap_closed",
]);

const number = (value: unknown) => Number(value ?? 0);
const text = (value: unknown) => (typeof value === "string" ? value : "");

// What to say of an event; null: nothing, it is of no use on a pit wall.
export function say({ kind, body }: Told, named: (car: number) => string, time: (s: number) => string): Line | null {
  const car = CARLESS.has(kind) ? null : number(body.car);
  const who = car === null ? "" : named(car);
  const line = (of: Line["kind"], words: string): Line => ({ kind: of, words, car });
  switch (kind) {
    case "gap": return line("loss", lost(body));
    case "session_started": return line("rig", "a session began");
    case "session_ended": return line("rig", "the session is over");
    case "recorder_started": return line("rig", "the recorder began");
    case "recorder_stopped": return line("rig", "the recorder stopped");
    case "source_changed": return line("rig", text(body.explanation) || `the game is ${text(body.state).toLowerCase()}`);
    case "flag_changed": return line("flag", flags(body));
    case "car_joined": return line("car", `${text(body.driver)} joined (${text(body.vehicle_class)})`);
    case "car_left": return line("car", `${who} left`);
    case "stint_started": return line("car", `${who}: stint ${number(body.stint)} begins`);
    case "stint_ended": return line("car", `${who}: stint ${number(body.stint)} over after ${number(body.laps)} laps`);
    case "lap_closed": return closed(body.lap as Record<string, unknown> | undefined, named, time);
    case "pit_entered": return line("pit", `${who} enters the pit lane`);
    case "pit_stopped": return line("pit", `${who} stands in its stall`);
    case "pit_exited": return line("pit", left(who, body.visit as Record<string, unknown> | undefined));
    case "garage_changed": return line("pit", `${who} ${body.inside ? "is in" : "leaves"} the garage`);
    case "driver_changed": return line("car", `${text(body.driver)} takes over from ${text(body.former_driver)}`);
    case "position_changed": return line("car", `${who}: P${number(body.place)} from P${number(body.former_place)}`);
    case "finish_status_changed": return line("flag", `${who} ${FINISH[number(body.finish_status)] ?? "has another status"}`);
    case "lap_invalidated": return line("lap", `${who}: lap ${number(body.lap_index)} no longer counts`);
    case "seat_changed": return line("rig", body.user ? `${text(body.user)} is in the seat` : "nobody is in the seat");
    case "trouble_began": return line("loss", `${text(body.daemon)}: ${text(body.what)}`);
    case "trouble_ended": return line("rig", `${text(body.daemon)} works again: ${text(body.what)}`);
    default: return null;
  }
}

function lost(body: Record<string, unknown>): string {
  const count = body.count === undefined ? "records" : number(body.count) === 1 ? "1 record" : `${number(body.count)} records`;
  return `${count} missing${body.detail ? `: ${text(body.detail)}` : ""}`;
}

function flags(body: Record<string, unknown>): string {
  const phase = PHASES[number(body.game_phase)] ?? `phase ${number(body.game_phase)}`;
  const course = YELLOW[number(body.yellow_flag_state)];
  const sectors = Array.from((body.sector_flags ?? []) as ArrayLike<number>);
  const local = sectors.filter((flag) => number(flag) === 1).length; // which sector is which is not documented
  return [phase, course && `full course: ${course}`, local && `yellow in ${local} of 3 sectors`].filter(Boolean).join(", ");
}

function closed(
  lap: Record<string, unknown> | undefined, named: (car: number) => string, time: (s: number) => string,
): Line | null {
  if (!lap) return null;
  const car = number(lap.car), seconds = number(lap.lap_time);
  const what = seconds > 0 ? time(seconds) : "no time";
  return { kind: "lap", car, words: `${named(car)}: lap ${number(lap.index)} ${what}${lap.valid ? "" : ", does not count"}` };
}

function left(who: string, visit: Record<string, unknown> | undefined): string {
  const stay = number(visit?.exit_time) - number(visit?.enter_time);
  return `${who} leaves the pit lane${stay > 0 ? ` after ${stay.toFixed(1)} s` : ""}`;
}
