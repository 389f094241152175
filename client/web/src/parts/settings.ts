// What a page's address asks for.

import type { Units } from "./format.ts";

export const THEMES = ["dark", "light", "contrast"] as const;

export type Settings = {
  rig: string;
  car: number | "player";
  scale: number;
  theme: (typeof THEMES)[number];
  bg: string;
  reference: string;
  units: Units;
};

const COLOUR = /^(#[0-9a-f]{3,8}|[a-z]{3,20})$/i;

export function settings(query = new URLSearchParams(location.search)): Settings {
  const car = query.get("car") ?? "player";
  const theme = THEMES.find((one) => one === query.get("theme")) ?? "dark";
  const bg = query.get("bg") ?? "";
  return {
    rig: query.get("rig") ?? "",
    car: /^\d{1,9}$/.test(car) ? Number(car) : "player",
    scale: Math.min(Math.max(Number(query.get("scale")) || 1, 0.25), 8),
    theme,
    bg: COLOUR.test(bg) ? bg : "",
    reference: query.get("reference") ?? "best",
    units: query.get("units") === "imperial" ? "imperial" : "metric",
  };
}

// Put theme, scale and what lies behind an overlay on the page.
export function dress(own: Settings, root = document.documentElement): void {
  root.dataset.theme = own.theme;
  if (own.bg) root.style.setProperty("--overlay", own.bg);
  root.style.fontSize = `${100 * own.scale}%`;
}
