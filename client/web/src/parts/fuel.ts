// What a lap takes of a tank or a battery, and how many laps there are until the flag. Pure.

import type { Car } from "../wall/timing.ts";
import type { Session } from "./field.ts";

const KEPT = 5; // laps that the mean is of
const LEAST_LAP = 0.2; // share of a lap from which on a first guess is made
const FILLED = 0.3; // more than so much more is refuelling, litres

// What laps take of a tank or a battery, from its level over distance.
export class Use {
  private readonly laps: number[] = [];
  private begin: { lap: number; level: number; place: number } | undefined;
  private last = { level: NaN, place: NaN };
  private whole = false;

  // Take the level, laps completed, and the share of the running lap that is driven, 0 to 1.
  add(level: number, lap: number, place: number, filled = FILLED): void {
    if (!Number.isFinite(level) || !Number.isFinite(place)) return;
    const more = level > this.last.level + filled;
    if (!this.begin || lap < this.begin.lap || more) this.start(lap, level, place, false);
    else if (lap > this.begin.lap) {
      if (this.whole && lap === this.begin.lap + 1) this.laps.push(this.begin.level - level);
      if (this.laps.length > KEPT) this.laps.shift();
      this.start(lap, level, place, true);
    }
    this.last = { level, place };
  }

  private start(lap: number, level: number, place: number, whole: boolean): void {
    // Where the lap is counted and the place is not told anew yet, the car is still seen at the end of the last one.
    [this.begin, this.whole] = [{ lap, level, place: whole && place > 0.5 ? place - 1 : place }, whole];
  }

  get newest(): number {
    return this.laps[this.laps.length - 1] ?? NaN;
  }

  // Of a lap, on average; before one is whole, from the part that is driven.
  get mean(): number {
    if (this.laps.length) return this.laps.reduce((a, b) => a + b) / this.laps.length;
    const driven = this.last.place - (this.begin?.place ?? NaN);
    return driven > LEAST_LAP ? (this.begin!.level - this.last.level) / driven : NaN;
  }

  get guessed(): boolean {
    return !this.laps.length;
  }
}

// Laps that this car has still to drive until the flag; NaN where the session has no end that is known. Whoever is
// lapped drives less; with a limit of time the lap in which it runs out is driven to its end.
export function toFlag(session: Session, car: Car, lapsBehind: number, lap: number, place: number): number {
  if (!session.race) return NaN;
  const byLaps = session.laps - lapsBehind - car.laps - place;
  const byTime = Math.ceil((session.end - session.clock) / lap + place) - place;
  const left = Math.min(...[byLaps, byTime].filter(Number.isFinite));
  return Number.isFinite(left) ? Math.max(left, 0) : NaN;
}
