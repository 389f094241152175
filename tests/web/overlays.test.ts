// What overlays compute. Run by tests/web/test_overlay_models.py.

import assert from "node:assert/strict";
import { test } from "node:test";

import { flagOf, type Session } from "../../client/web/src/parts/field.ts";
import { toFlag, Use } from "../../client/web/src/parts/fuel.ts";
import { around, beside } from "../../client/web/src/parts/nearby.ts";
import { DrivenLap } from "../../client/web/src/parts/driven.ts";
import { gapText, shown } from "../../client/web/src/parts/places.ts";
import type { Car } from "../../client/web/src/wall/timing.ts";

const session = (more: Partial<Session> = {}) =>
  ({ race: true, clock: 100, end: NaN, laps: NaN, phase: 5, caution: 0, sectors: [0, 0, 0], length: 1000, ...more }) as Session;
const car = (more: Partial<Car> = {}) => ({ id: 1, laps: 3, where: "track", yellow: false, blue: false, ...more }) as Car;
const cars = (count: number) => Array.from({ length: count }, (_, id) => car({ id }));

test("first ones and those around the own car are shown", () => {
  assert.deepEqual(shown(cars(5), 4, 10).map(({ id }) => id), [0, 1, 2, 3, 4]);
  assert.deepEqual(shown(cars(104), 50, 8).map(({ id }) => id), [0, 1, 2, 48, 49, 50, 51, 52]);
  assert.deepEqual(shown(cars(104), 103, 8).map(({ id }) => id), [0, 1, 2, 99, 100, 101, 102, 103]);
  assert.deepEqual(shown(cars(104), 1, 8).map(({ id }) => id), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(shown(cars(104), 500, 4).map(({ id }) => id), [0, 1, 2, 3]);
});

test("a gap is seconds, minutes, laps or not known", () => {
  assert.equal(gapText({ seconds: 1.26, laps: 0 }), "+1.3");
  assert.equal(gapText({ seconds: 83.26, laps: 0 }), "+1:23.3");
  assert.equal(gapText({ seconds: NaN, laps: 2 }), "2 L");
  assert.equal(gapText({ seconds: NaN, laps: 0 }), "–");
});

// Looking along world +x: right is world −z in the game's frame, seen from above with x right and z up.
const EAST = [0, 0, -1, 0, 1, 0, 1, 0, 0];

test("a car beside is on the side where it is", () => {
  const positions = Float32Array.from([0, 0, 0, 0, 0, 3, 10, 0, 0, 400, 0, 0, 0, 20, 1]);
  const orientations = Float32Array.from(Array.from({ length: 5 }, () => EAST).flat());
  const near = around([7, 8, 9, 10, 11], positions, orientations, 0, 25);
  assert.deepEqual(near.map(({ id }) => id), [8, 9]); // one is far, one on the bridge above
  assert.deepEqual(near.map(({ right, ahead }) => [Math.round(right) + 0, Math.round(ahead) + 0]), [[-3, 0], [0, 10]]);
  assert.deepEqual(near.map(beside), [-1, 0]);
  assert.ok(near.every(({ turn }) => Math.abs(turn) < 1e-6));
});

test("a whole lap tells how long it is between two places", () => {
  const lap = new DrivenLap();
  assert.equal(lap.at(250, 1000, 40), 10); // as if even
  const drive = (from: number) => { for (let metres = from; metres < 1000; metres += 10) lap.add(metres, metres < 500 ? metres / 50 : 10 + (metres - 500) / 20, 1000); };
  drive(0);
  lap.add(1, 0.02, 1000);
  assert.ok(Math.abs(lap.at(250, 1000, 35) - 5) < 0.05);
  assert.ok(Math.abs(lap.at(750, 1000, 35) - 22.5) < 0.05);
  drive(600); // not whole: the one before stays
  lap.add(0, 0, 1000);
  assert.ok(Math.abs(lap.at(250, 1000, 35) - 5) < 0.05);
});

test("a lap's fuel is guessed from a part, then known from whole ones", () => {
  const use = new Use();
  for (let place = 0.5; place < 1; place += 0.05) use.add(50 - place * 2, 4, place);
  assert.ok(use.guessed);
  assert.ok(Math.abs(use.mean - 2) < 1e-9);
  for (let lap = 5; lap < 8; lap++) for (let place = 0; place < 1; place += 0.1) use.add(60 - (lap + place) * 2, lap, place);
  assert.equal(use.guessed, false);
  assert.ok(Math.abs(use.newest - 2) < 1e-9);
});

test("a lap that is counted before the place is told anew is guessed all the same", () => {
  const use = new Use();
  use.add(50.1, 1, 0.99);
  use.add(50, 2, 0.999);
  for (let place = 0.01; place < 0.5; place += 0.01) use.add(50 - place * 2, 2, place);
  assert.ok(Math.abs(use.mean - 2) < 0.05);
});

test("refuelling is no use", () => {
  const use = new Use();
  for (let lap = 0; lap < 6; lap++) for (let place = 0; place < 1; place += 0.1) use.add((lap < 3 ? 50 : 90) - (lap + place) * 2, lap, place);
  assert.ok(Math.abs(use.mean - 2) < 1e-9);
  assert.ok(Math.abs(use.newest - 2) < 1e-9);
});

test("laps to the flag: by laps, by time, of a lapped car, and none outside of races", () => {
  assert.equal(toFlag(session({ laps: 20 }), car(), 0, 30, 0.25), 16.75);
  assert.equal(toFlag(session({ laps: 20 }), car(), 2, 30, 0.25), 14.75);
  assert.equal(toFlag(session({ end: 190 }), car(), 0, 30, 0.25), 3.75); // 90 s are three laps from here: the fourth is begun
  assert.ok(Number.isNaN(toFlag(session({ race: false, laps: 20 }), car(), 0, 30, 0.25)));
  assert.ok(Number.isNaN(toFlag(session(), car(), 0, 30, 0.25)));
});

test("the flag that matters most is shown", () => {
  assert.equal(flagOf(session()), undefined);
  assert.equal(flagOf(session({ phase: 7, sectors: [1, 0, 0] }))?.word, "Red flag");
  assert.equal(flagOf(session({ phase: 6, caution: 2 }))?.word, "Caution: pits closed");
  assert.equal(flagOf(session({ sectors: [0, 1, 1] }), car({ blue: true }))?.word, "Yellow in sector 2, 3");
  assert.deepEqual(flagOf(session(), car({ blue: true })), { word: "Blue flag", colour: "blue" });
});
