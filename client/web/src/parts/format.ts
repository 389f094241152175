// Numbers as a pit wall writes them. What is not there is a dash, so that columns keep their width.

export const NONE = "–";
const two = (value: number) => `${value}`.padStart(2, "0");

// Seconds as 1:23.456, or 23.456 below a minute.
export function lapTime(seconds: number, digits = 3): string {
  if (!(seconds > 0) || !Number.isFinite(seconds)) return NONE;
  const unit = 10 ** digits;
  const all = Math.round(seconds * unit);
  const minutes = Math.floor(all / (60 * unit));
  const rest = ((all % (60 * unit)) / unit).toFixed(digits);
  return minutes ? `${minutes}:${rest.padStart(digits ? digits + 3 : 2, "0")}` : rest;
}

// A difference with its sign: +0.123, −0.123.
export function delta(seconds: number, digits = 3): string {
  if (!Number.isFinite(seconds)) return NONE;
  const text = Math.abs(seconds).toFixed(digits);
  return Number(text) === 0 ? text : `${seconds < 0 ? "−" : "+"}${text}`;
}

// Hours, minutes and seconds of a session's clock.
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return NONE;
  const all = Math.max(Math.floor(seconds), 0);
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor(all / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}

// 2026-11-30 07:25, as the clock on this wall shows it.
export function dateTime(seconds: number): string {
  if (!Number.isFinite(seconds)) return NONE;
  const at = new Date(seconds * 1000);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

// 07:25:41, of the same clock.
export function timeOfDay(seconds: number): string {
  if (!Number.isFinite(seconds)) return NONE;
  const at = new Date(seconds * 1000);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
}

export function fixed(value: number, digits = 0): string {
  return Number.isFinite(value) ? value.toFixed(digits).replace("-", "−") : NONE;
}

export type Units = "metric" | "imperial";

const IMPERIAL: Record<string, [string, (value: number) => number]> = {
  "km/h": ["mph", (value) => value / 1.609344],
  "°C": ["°F", (value) => value * 1.8 + 32],
  kPa: ["psi", (value) => value / 6.894757],
  l: ["gal", (value) => value / 3.785412],
};

// A value in the units of the page, with the unit's name.
export function inUnits(value: number, unit: string, units: Units): [number, string] {
  const [name, convert] = (units === "imperial" && IMPERIAL[unit]) || [unit, (same: number) => same];
  return [convert(value), name];
}
