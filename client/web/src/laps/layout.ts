// A layout: which strips are shown, in which order and how high. The one in use stands in the address.

export interface Strip {
  channel: string;
  height: number;
}

export const DELTA = "delta";
export const LEAST_PX = 48;
export const MOST_PX = 600;
const MOST_STRIPS = 30;
const HEIGHTS: Record<string, number> = { delta: 128, speed: 180, throttle: 84, brake: 84, gear: 72, steering: 84 };
const USUAL_PX = 96;

/** The usual strips of a document's channels. */
export function usual(channels: string[], delta: boolean): Strip[] {
  const shown = channels.filter((name) => name !== "engine_rpm");
  return [...(delta ? [DELTA] : []), ...(shown.length ? shown : channels)].slice(0, 12).map(strip);
}

/** A strip of the usual height. */
export function strip(channel: string): Strip {
  // Higher screens show higher strips: the usual ones fill 850 px.
  const larger = Math.min(Math.max(innerHeight / 850, 1), 2.2);
  return { channel, height: bounded((HEIGHTS[channel] ?? USUAL_PX) * larger) };
}

/** JSON: [["delta",120],["speed",180]]. */
export function written(strips: Strip[]): string {
  return JSON.stringify(strips.map(({ channel, height }) => [channel, height]));
}

/** Return the strips in a text; null where it holds none. What it says of heights and number is bounded. */
export function readStrips(text: string): Strip[] | null {
  try {
    const rows: unknown = JSON.parse(text);
    if (!Array.isArray(rows)) return null;
    const strips = rows.slice(0, MOST_STRIPS).flatMap((row: unknown) => {
      if (!Array.isArray(row) || typeof row[0] !== "string") return [];
      const height = Number(row[1]);
      return [{ channel: row[0], height: bounded(Number.isFinite(height) ? height : USUAL_PX) }];
    });
    const once = strips.filter((one, at) => strips.findIndex((other) => other.channel === one.channel) === at);
    return once.length ? once : null;
  } catch {
    return null;
  }
}

export function bounded(height: number): number {
  return Math.round(Math.min(Math.max(height, LEAST_PX), MOST_PX));
}
