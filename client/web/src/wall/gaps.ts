// Gaps lap by lap: when each car crossed the line, against the first of those shown. Pure.

// A lap as `/api/{rig}/laps` lists it; what this needs of it.
export interface ListedLap {
  car: number;
  index: number;
  start_time: number;
  end_time: number;
  stint: number;
  lap_time?: number;
  driver: string;
  vehicle_class: string;
  front_compound: string;
  out_lap?: boolean;
  in_lap?: boolean;
  running?: boolean;
  valid?: boolean;
}

export class Crossings {
  // By car: the session clock at which it had completed 1, 2, ... laps.
  private readonly times = new Map<number, Map<number, number>>();

  // A car began a lap at this clock, having completed `laps`.
  note(car: number, laps: number, clock: number): void {
    if (laps < 1 || !(clock > 0)) return;
    const known = this.times.get(car) ?? new Map<number, number>();
    this.times.set(car, known.set(laps, clock));
  }

  clear(): void {
    this.times.clear();
  }

  // Laps that the first of these cars has completed.
  laps(cars: readonly number[]): number {
    return Math.max(0, ...cars.flatMap((car) => [...(this.times.get(car)?.keys() ?? [])]));
  }

  // For each car: seconds behind the first over the line, at the end of lap 1, 2, ...; null where unknown.
  gaps(cars: readonly number[]): (number | null)[][] {
    const laps = this.laps(cars);
    const first = Array.from({ length: laps }, (_, lap) => this.first(cars, lap + 1));
    return cars.map((car) => first.map((time, lap) => {
      const own = this.times.get(car)?.get(lap + 1);
      return own === undefined ? null : own - time;
    }));
  }

  private first(cars: readonly number[], lap: number): number {
    return Math.min(...cars.map((car) => this.times.get(car)?.get(lap) ?? Infinity));
  }
}
