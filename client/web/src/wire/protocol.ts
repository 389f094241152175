// What a page says to the gateway, and what it hears: see docs/gateway.md.

export type Stream = "physics" | "scoring" | "events";

export type Follow = {
  stream: Stream;
  channels?: readonly string[];
  cars?: { ids?: readonly number[]; player?: boolean };
  // Most records a second; 0: all.
  rate?: number;
  // Name of the lap that the channel delta_reference holds cars against.
  delta_reference?: string;
  cursor?: string;
};

export type Live = "live" | "stale" | "connecting" | "off" | "refused" | "replay";

export type State = {
  rig: string;
  state: Live;
  message: string;
  time_ns: string;
  lag_s: number;
  missed: number;
  dropped: number;
  delay_s: number;
};

export type Trouble = { entry: number | null; message: string; hint: string };

// From the page to its worker.
export type Order =
  | { open: string }
  | { follow: Follow[]; generation: number }
  | { seek: { time_ns: string } | { live: true }; speed: number }
  | { ready: true }
  | { close: true };

// From the worker to its page.
export type News = { entry: number; generation: number; bytes: ArrayBuffer } | { state: State } | { error: Trouble };
