// Places and gaps as a table writes them. Pure.

import type { Car, Gap } from "../wall/timing.ts";
import { fixed, lapTime, NONE } from "./format.ts";

export const FIRST = 3; // of a class that are always shown

// As `+1.234`, or in laps.
export function gapText({ seconds, laps }: Gap, digits = 1): string {
  if (laps) return `${laps} L`;
  return Number.isFinite(seconds) ? `+${seconds >= 60 ? lapTime(seconds, digits) : fixed(seconds, digits)}` : NONE;
}

// The cars of a class that are shown: the first ones, and those around `own`.
export function shown(cars: readonly Car[], own: number, most: number): Car[] {
  if (cars.length <= most) return [...cars];
  const at = cars.findIndex((car) => car.id === own);
  const rest = most - FIRST;
  if (at < 0 || rest < 1) return cars.slice(0, most);
  const begin = Math.min(Math.max(at - Math.floor(rest / 2), FIRST), cars.length - rest);
  return [...cars.slice(0, FIRST), ...cars.slice(begin, begin + rest)];
}
