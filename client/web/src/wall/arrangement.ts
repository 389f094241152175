// How the wall is arranged: which panels, in which order, how wide. In the address, so that it can be sent to
// somebody, and kept in the browser. Pure.

export const PANELS = ["timing", "traces", "gaps", "stints", "alerts", "log"] as const;
export type Panel = (typeof PANELS)[number];

export interface Placed {
  panel: Panel;
  width: number; // columns, 1 to 3
}

export const TITLES: Record<Panel, string> = {
  timing: "Timing", traces: "Traces", gaps: "Gaps", stints: "Stints", alerts: "Alerts", log: "Events",
};

export const STANDARD = "timing:2,traces,gaps,stints,alerts,log";

// Read `timing:2,log`; what is unknown or there twice is passed over.
export function parse(text: string): Placed[] {
  const found = new Map<Panel, Placed>();
  for (const word of text.split(",")) {
    const [name, width = "1"] = word.split(":");
    const panel = PANELS.find((known) => known === name);
    if (panel && !found.has(panel)) found.set(panel, { panel, width: limited(Number(width)) });
  }
  return [...found.values()];
}

export function format(placed: readonly Placed[]): string {
  return placed.map(({ panel, width }) => (width > 1 ? `${panel}:${width}` : panel)).join(",");
}

// Move a panel by so many places; it stays within the list.
export function moved(placed: readonly Placed[], panel: Panel, by: number): Placed[] {
  const from = placed.findIndex((one) => one.panel === panel);
  const rest = placed.filter((one) => one.panel !== panel);
  const to = Math.min(Math.max(from + by, 0), rest.length);
  return from < 0 ? [...placed] : [...rest.slice(0, to), placed[from] as Placed, ...rest.slice(to)];
}

export function widened(placed: readonly Placed[], panel: Panel, by: number): Placed[] {
  return placed.map((one) => (one.panel === panel ? { panel, width: limited(one.width + by) } : one));
}

// Show a panel, last, or hide it.
export function toggled(placed: readonly Placed[], panel: Panel): Placed[] {
  const rest = placed.filter((one) => one.panel !== panel);
  return rest.length < placed.length ? rest : [...placed, { panel, width: 1 }];
}

const limited = (width: number) => Math.min(3, Math.max(1, Math.round(width) || 1));
