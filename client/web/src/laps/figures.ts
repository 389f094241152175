// Numbers as the sport writes them. A minus is as wide as a plus, so that digits stay where they are.

export const NONE = "–";
const MINUS = "\u2212";

/** 1:34.567 */
export function lapTime(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds <= 0) return NONE;
  const thousandths = Math.round(seconds * 1000);
  const minutes = Math.floor(thousandths / 60_000);
  return `${minutes}:${((thousandths % 60_000) / 1000).toFixed(3).padStart(6, "0")}`;
}

/** 34.567, of an hour at most. */
export function seconds(value: number): string {
  if (!Number.isFinite(value)) return NONE;
  return value >= 60 ? lapTime(value) : value.toFixed(3);
}

/** +0.123 */
export function signed(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return NONE;
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return `\u00b1${text}`;
  return (value < 0 ? MINUS : "+") + text;
}

/** A number with a minus that is as wide as a digit. */
export function plain(value: number, digits: number): string {
  if (!Number.isFinite(value)) return NONE;
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? MINUS : "") + text;
}

/** lost, won or even: what a difference of time is, to the thousandth. */
export function kind(value: number): "lost" | "won" | "even" {
  if (!Number.isFinite(value) || Math.abs(value) < 0.0005) return "even";
  return value > 0 ? "lost" : "won";
}

export interface Shown {
  unit: string;
  factor: number;
  digits: number;
}

/** The unit that people think in, by that of the registry. */
export function shownAs(name: string, unit: string, imperial: boolean): Shown {
  const bare = !unit && /^(throttle|brake|clutch|steering)(_applied)?$|fraction|tread|pressure_/.test(name);
  if (bare) return { unit: "%", factor: 100, digits: 0 };
  if (unit === "m/s") return imperial ? { unit: "mph", factor: 2.236936, digits: 1 } : { unit: "km/h", factor: 3.6, digits: 1 };
  if (unit === "rad") return { unit: "°", factor: 180 / Math.PI, digits: 2 };
  if (unit === "m" && name === "lateral") return { unit, factor: 1, digits: 2 };
  if (unit === "s") return { unit, factor: 1, digits: 3 };
  if (unit === "rpm") return { unit, factor: 1, digits: 0 };
  if (unit === "°C" || unit === "kPa") return { unit, factor: 1, digits: 1 };
  return { unit, factor: 1, digits: 2 };
}

/** engine_rpm as people say it. */
export function titled(name: string): string {
  const known: Record<string, string> = { engine_rpm: "rpm", lateral: "line offset", delta: "delta" };
  return known[name] ?? name.replaceAll("_", " ");
}
