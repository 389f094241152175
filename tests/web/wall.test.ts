// The models of the pit wall, on rows as rFactor 2 gives them. Run by tests/web/test_wall_models.py.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Alarm, column, parse, type Rule } from "../../client/web/src/wall/alerts.ts";
import { Crossings, type ListedLap } from "../../client/web/src/wall/gaps.ts";
import { say } from "../../client/web/src/wall/log.ts";
import { stintsOf } from "../../client/web/src/wall/stints.ts";
import { numberOf, Timing, type Rows } from "../../client/web/src/wall/timing.ts";
import { joined, Span, Trace } from "../../client/web/src/wall/trace.ts";

const table = (rows: Record<string, number>[]): Rows => ({
  rows: rows.length,
  column: (name) => rows.map((row) => row[name] ?? 0),
});
const entry = (id: number, className: string, driver = `driver ${id}`) =>
  ({ id, driver, className, vehicle: `Team #${id}`, team: "" });
const named = (...entries: ReturnType<typeof entry>[]) => {
  const timing = new Timing();
  timing.name(entries);
  return timing;
};
const row = (id: number, place: number, more: Record<string, number> = {}) =>
  ({ id, place, count_lap_flag: 2, last_lap_time: -1, best_lap_time: -1, ...more });

test("a class has its own places, gaps and intervals", () => {
  const timing = named(entry(1, "Hyper"), entry(2, "GT3"), entry(3, "Hyper"), entry(4, "GT3"));
  const groups = timing.take(table([
    row(4, 4, { time_behind_leader: 50, laps_behind_leader: 1 }),
    row(1, 1),
    row(2, 3, { time_behind_leader: 41.5, laps_behind_leader: 1 }),
    row(3, 2, { time_behind_leader: 12.25 }),
  ]), 1, 100, true);
  assert.deepEqual(groups.map((group) => [group.name, group.cars.map((car) => car.id)]), [["Hyper", [1, 3]], ["GT3", [2, 4]]]);
  assert.equal(groups[0]?.cars[1]?.gap.seconds, 12.25);
  assert.deepEqual(groups[1]?.cars.map((car) => car.classPlace), [1, 2]);
  assert.equal(groups[1]?.cars[1]?.interval.seconds, 8.5); // both a lap behind the leader of the other class
});

test("a lap behind is a lap, not seconds", () => {
  const timing = named();
  const cars = timing.take(table([
    row(1, 1), row(2, 2, { time_behind_leader: 3 }), row(3, 3, { time_behind_leader: 1, laps_behind_leader: 2 }),
  ]), 1, 100, true)[0]?.cars;
  assert.deepEqual(cars?.[2]?.gap, { seconds: NaN, laps: 2 });
  assert.deepEqual(cars?.[2]?.interval, { seconds: NaN, laps: 2 });
});

test("outside of races the best lap counts", () => {
  const cars = named().take(table([
    row(1, 1, { best_lap_time: 90, time_behind_leader: 7 }), row(2, 2, { best_lap_time: 90.5 }), row(3, 3),
  ]), 1, 100, false)[0]?.cars;
  assert.equal(cars?.[1]?.gap.seconds, 0.5);
  assert.ok(Number.isNaN(cars?.[2]?.gap.seconds));
});

test("the split of sector 2 is a sum, and colours are television's", () => {
  const timing = named(entry(1, "A"), entry(2, "A"));
  const first = { best_split1: 30, best_lap_split1: 30, best_lap_split2: 61, best_lap_time: 95, last_split1: 30.2, last_split2: 61.1, last_lap_time: 95.4 };
  const second = { best_split1: 29, best_lap_split1: 29.5, best_lap_split2: 61, best_lap_time: 94, last_split1: 29, last_split2: 61, last_lap_time: 94.5 };
  const [group] = timing.take(table([row(1, 1, first), row(2, 2, { ...second, current_split1: 29.5 })]), 1, 100, true);
  const [one, two] = group!.cars;
  assert.deepEqual(one!.sectors.map((time) => Number(time.seconds.toFixed(3))), [30.2, 30.9, 34.3]);
  assert.deepEqual(one!.sectors.map((time) => time.worth), ["slower", "best", "slower"]);
  assert.deepEqual(two!.sectors.map((time) => time.old), [false, true, true]);
  assert.deepEqual([two!.sectors[0].worth, two!.best.worth, two!.last.worth], ["slower", "best", "slower"]);
  assert.equal(one!.best.worth, "slower"); // of the class it is the second
});

test("a best sector that was seen stays, until another session", () => {
  const timing = named();
  timing.take(table([row(1, 1, { current_split1: 20, current_split2: 50 })]), 1, 10, true);
  const later = table([row(1, 1, { last_split1: 21, last_split2: 53 })]);
  assert.equal(timing.take(later, 1, 60, true)[0]!.cars[0]!.sectors[1].worth, "slower");
  assert.equal(timing.take(later, 2, 1, true)[0]!.cars[0]!.sectors[1].worth, "best");
  assert.equal(timing.take(later, 2, 0.5, true)[0]!.cars[0]!.sectors[1].worth, "best");
});

test("a race that starts anew forgets stops and sectors", () => {
  const timing = named();
  timing.take(table([row(1, 1, { current_split1: 20, laps: 9 })]), 1, 500, true);
  timing.fitted(1, 5, "soft");
  const car = timing.take(table([row(1, 1, { last_split1: 22 })]), 1, 3, true)[0]!.cars[0]!;
  assert.deepEqual([car.sectors[0].worth, car.tyreLaps, car.compound], ["best", 0, ""]);
});

test("a flicker of the pit flag is no visit; a stop makes new tyres", () => {
  const timing = named();
  const where = (clock: number, more: Record<string, number>) => timing.take(table([row(1, 1, more)]), 1, clock, true)[0]!.cars[0]!;
  assert.equal(where(10, { in_pits: 1, laps: 4 }).where, "track");
  assert.equal(where(10.4, { laps: 4 }).tyreLaps, 4);
  assert.equal(where(20, { in_pits: 1, pit_state: 2, laps: 4 }).where, "pit");
  assert.equal(where(25, { in_pits: 1, pit_state: 3, laps: 4 }).where, "stopped");
  assert.equal(where(29, { in_pits: 1, pit_state: 5, laps: 4, pit_stops: 1 }).where, "pit"); // a number nobody knows
  assert.equal(where(40, { laps: 5, pit_stops: 1 }).tyreLaps, 0);
  assert.equal(where(140, { laps: 7, pit_stops: 1 }).tyreLaps, 2);
});

test("tyres of a car that stopped before the page was opened are not made up", () => {
  const timing = named();
  const rows = table([row(1, 1, { laps: 12, pit_stops: 1 })]);
  assert.ok(Number.isNaN(timing.take(rows, 1, 10, true)[0]!.cars[0]!.tyreLaps));
  timing.fitted(1, 8, "medium");
  const car = timing.take(rows, 1, 11, true)[0]!.cars[0]!;
  assert.deepEqual([car.tyreLaps, car.compound], [4, "medium"]);
});

test("how a car ended, whatever the pits say", () => {
  const cars = named().take(table([
    row(1, 1, { finish_status: 1 }), row(2, 2, { finish_status: 2, in_garage: 1 }), row(3, 3, { in_garage: 1, in_pits: 1 }),
    row(4, 4, { finish_status: 9 }),
  ]), 1, 10, true)[0]!.cars;
  assert.deepEqual(cars.map((car) => car.where), ["finished", "retired", "garage", "track"]);
});

test("104 cars and none, and columns that are not there", () => {
  const many = Array.from({ length: 104 }, (_, i) => row(i, 104 - i));
  assert.deepEqual(named().take(table(many), 1, 1, true)[0]!.cars.map((car) => car.place), many.map((_, i) => i + 1));
  assert.deepEqual(named().take(table([]), 1, 1, true), []);
  const bare: Rows = { rows: 1, column: (name) => (name === "id" ? [7] : undefined) };
  assert.equal(named().take(bare, 1, 1, true)[0]!.cars[0]!.driver, "car 7");
});

test("the number of a car is in its name", () => {
  assert.deepEqual(["Team #12 GT3", "Porsche 963 #6", "Audi 44", "no number"].map(numberOf), ["12", "6", "44", ""]);
});

test("gaps at the line are against the first of those shown", () => {
  const crossings = new Crossings();
  crossings.note(1, 1, 100); crossings.note(1, 2, 190); crossings.note(2, 1, 99.5); crossings.note(2, 2, 192); crossings.note(3, 1, 120);
  assert.deepEqual(crossings.gaps([1, 2, 3]), [[0.5, 0], [0, 2], [20.5, null]]);
  assert.deepEqual(crossings.gaps([3]), [[0]]);
  assert.deepEqual(crossings.gaps([]), []);
});

test("stints count laps once, and their mean leaves out and in laps out", () => {
  const lap = (index: number, stint: number, lap_time: number, more: Partial<ListedLap> = {}): ListedLap =>
    ({ car: 1, index, stint, lap_time, start_time: 0, end_time: 0, driver: "A", vehicle_class: "", front_compound: "soft", ...more });
  const laps = [lap(3, 2, 95), lap(1, 1, 120, { out_lap: true }), lap(2, 1, 90), lap(2, 1, 90), lap(4, 2, 0, { running: true, driver: "B" })];
  const [first, second] = stintsOf(laps).get(1)!;
  assert.deepEqual([first!.laps, first!.best, first!.mean, first!.compound], [2, 90, 90, "soft"]);
  assert.deepEqual([second!.first, second!.laps, second!.driver], [3, 1, "B"]);
});

test("a trace keeps the newest, and takes nothing twice", () => {
  const trace = new Trace(["speed"], 3);
  for (const time of [1, 2, 2, 1.5, 3, 4, 5, 6, 7]) trace.add(time, [time * 10]);
  assert.deepEqual([...trace.between(0, 99)[0]], [5, 6, 7]);
  assert.deepEqual([...trace.between(5.5, 6.5)[1]!], [60]);
});

test("the past goes before what came live, without doubles", () => {
  const past = new Trace(["a"], 10), live = new Trace(["a"], 10);
  for (const time of [1, 2, 3, 4]) past.add(time, [0]);
  for (const time of [3, 4, 5]) live.add(time, [1]);
  assert.deepEqual(joined(past, live, 0, 9).map((column) => [...column]), [[1, 2, 3, 4, 5], [0, 0, 1, 1, 1]]);
});

test("a span that is scrolled back stands, and follows again at the end", () => {
  const span = new Span(60);
  span.scroll(-30, 100);
  assert.deepEqual([span.live, span.until(120)], [false, 70]);
  span.scroll(50, 120);
  assert.deepEqual([span.live, span.until(130)], [true, 130]);
});

test("a rule is a comparison; anything else is told why not", () => {
  assert.deepEqual(parse(" fuel <5 "), { text: "fuel <5", expression: "fuel", operator: "<", value: 5 });
  assert.equal((parse("brake_temp[fl] - brake_temp[fr] >= -1e2") as Rule).value, -100);
  for (const wrong of ["", "fuel", "fuel <", "< 5", "fuel < five", "1 < fuel < 5", "fuel = 5"]) {
    assert.equal(typeof parse(wrong), "string", wrong);
  }
  assert.equal(column(parse("fuel < 5") as Rule, 0).channel, "fuel");
  assert.equal(column(parse("fuel * 2 < 5") as Rule, 3).channel, "alert_3 = fuel * 2");
});

test("an alert fires once, and again when it was well away", () => {
  const alarm = new Alarm(parse("fuel < 5") as Rule);
  assert.deepEqual([6, 4.9, 4.8, NaN, 5.01, 4.9, 5.1, 4.9].map((value) => alarm.take(value)),
    [false, true, false, false, false, false, false, true]);
});

test("events are words, and what is unknown is passed over", () => {
  const words = (kind: string, body: Record<string, unknown>) =>
    say({ kind, body }, (car) => `car ${car}`, (seconds) => seconds.toFixed(3))?.words;
  assert.equal(words("pit_exited", { car: 3, visit: { enter_time: 10, exit_time: 34.5 } }), "car 3 leaves the pit lane after 24.5 s");
  assert.equal(words("lap_closed", { lap: { car: 1, index: 2, lap_time: 90.5, valid: true } }), "car 1: lap 2 90.500");
  assert.equal(words("flag_changed", { game_phase: 6, yellow_flag_state: 4, sector_flags: [11, 1, 11] }),
    "full-course yellow, full course: pits open, yellow in 1 of 3 sectors");
  assert.equal(words("something_new", {}), undefined);
});
