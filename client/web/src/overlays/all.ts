// The overlays that there are: name in the address, element, and what it shows.

import "./dash.ts";

export const OVERLAYS: Record<string, { tag: string; title: string }> = {
  dash: { tag: "rig-dash", title: "Gear, rpm lights, speed, pedals and steering" },
};
