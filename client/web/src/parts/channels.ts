// Channels as people read them: name, unit, digits.

export interface Shown {
  unit: string;
  factor: number; // of the value on the wire, and what is added after it
  shift: number;
  digits: number;
}

const shown = (unit: string, factor: number, digits: number, shift = 0): Shown => ({ unit, factor, digits, shift });

/** The unit that people think in, by that of the registry. */
export function shownAs(name: string, unit: string, imperial: boolean): Shown {
  const bare = !unit && /^(throttle|brake|clutch|steering)(_applied)?$|fraction|tread|pressure_/.test(name);
  if (bare) return shown("%", 100, 0);
  if (unit === "m/s") return imperial ? shown("mph", 2.236936, 1) : shown("km/h", 3.6, 1);
  if (unit === "rad") return shown("°", 180 / Math.PI, 2);
  if (unit === "°C") return imperial ? shown("°F", 1.8, 1, 32) : shown(unit, 1, 1);
  if (unit === "kPa") return imperial ? shown("psi", 0.1450377, 1) : shown(unit, 1, 1);
  if (unit === "l") return imperial ? shown("gal", 0.2641721, 2) : shown(unit, 1, 2);
  if (unit === "s") return shown(unit, 1, 3);
  if (unit === "rpm") return shown(unit, 1, 0);
  return shown(unit, 1, 2);
}

/** engine_rpm as people say it. */
export function titled(name: string): string {
  const known: Record<string, string> = { engine_rpm: "engine speed", lateral: "line offset" };
  return sentence(known[name] ?? name.replaceAll("_", " "));
}

/** A label begins with a capital. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
