// What the parts of the garage share: the rig, its recorded sessions, and how a change is shown.

import type { Resource } from "../parts/catalog.ts";

export interface Session {
  name: string;
  track_name?: string;
  kind?: string;
  start_time_ns?: string;
  laps?: number;
  best_lap_time?: number;
}

export interface Shown {
  rig: string;
  sessions: Session[];
  vehicles: Resource<"vehicle">[];
  open: (name: string) => void; // show a resource, "" none
  reload: () => Promise<void>; // after a change
  link: (query: Record<string, string>) => string; // an address of this page
}

// A session as people name it: its track, what it was and when.
export function kindOf(session: Session): string {
  const kind = (session.kind ?? "").replace("SESSION_KIND_", "").replace("UNSPECIFIED", "").replaceAll("_", " ").toLowerCase();
  return kind ? kind[0]!.toUpperCase() + kind.slice(1) : "Session";
}

export const byTitle = (a: string | undefined, b: string | undefined): number => (a ?? "").localeCompare(b ?? "", undefined, { numeric: true });
