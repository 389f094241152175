// What the timing screen writes beside times. Pure.

import { lapTime, NONE } from "../parts/format.ts";
import type { Gap, Where } from "./timing.ts";

// +12.345, +1:02.345, +2 L; nothing for who is first.
export function gap({ seconds, laps }: Gap): string {
  if (laps > 0) return `+${laps} L`;
  if (!Number.isFinite(seconds)) return "";
  return `+${seconds < 60 ? Math.max(0, seconds).toFixed(3) : lapTime(seconds)}`;
}

export const PLACES: Record<Where, string> = {
  track: "", pit: "PIT", stopped: "BOX", garage: "GAR", finished: "FIN", retired: "RET", disqualified: "DSQ",
};

// Seconds of lag: tenths below ten, so that the width hardly changes.
export function lag(seconds: number): string {
  if (!Number.isFinite(seconds)) return NONE;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : seconds < 600 ? `${Math.round(seconds)} s` : "long ago";
}
