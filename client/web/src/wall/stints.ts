// Stints of the cars: who drove how many laps on what. Pure.

import type { ListedLap } from "./gaps.ts";

export interface Stint {
  car: number;
  number: number; // from 1
  driver: string;
  compound: string; // empty: not known
  first: number; // lap, from 1
  laps: number; // driven to the end
  best: number; // seconds; NaN: none
  mean: number; // seconds, of laps that are neither out nor in; NaN: none
}

// Stints by car, in the order they were driven. Laps may come in any order, and twice.
export function stintsOf(laps: Iterable<ListedLap>): Map<number, Stint[]> {
  const found = new Map<number, Map<number, ListedLap[]>>();
  const unique = new Map<string, ListedLap>();
  for (const lap of laps) unique.set(`${lap.car}/${lap.index}`, lap);
  for (const lap of [...unique.values()].sort((a, b) => a.index - b.index)) {
    const stints = found.get(lap.car) ?? new Map<number, ListedLap[]>();
    found.set(lap.car, stints.set(lap.stint, [...(stints.get(lap.stint) ?? []), lap]));
  }
  return new Map([...found].map(([car, stints]) => [car, [...stints.values()].map(summed)]));
}

function summed(laps: ListedLap[]): Stint {
  const [first] = laps as [ListedLap];
  const done = laps.filter((lap) => !lap.running);
  const times = done.map((lap) => lap.lap_time ?? 0).filter((time) => time > 0);
  const steady = done.filter((lap) => !lap.out_lap && !lap.in_lap).map((lap) => lap.lap_time ?? 0).filter((t) => t > 0);
  return {
    car: first.car, number: first.stint, driver: laps.at(-1)?.driver ?? "", compound: laps.at(-1)?.front_compound ?? "",
    first: first.index, laps: done.length,
    best: times.length ? Math.min(...times) : NaN,
    mean: steady.length ? steady.reduce((sum, time) => sum + time, 0) / steady.length : NaN,
  };
}
