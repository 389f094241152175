// The overlays that there are: name in the address, element, what it shows, and its size in pixels at scale 1.

import "./dash.ts";
import "./delta.ts";
import "./fuel.ts";
import "./inputs.ts";
import "./map.ts";
import "./radar.ts";
import "./relative.ts";
import "./standings.ts";
import "./tyres.ts";
import "./weather.ts";

export type Kind = { tag: string; title: string; size: [width: number, height: number] };

export const OVERLAYS: Record<string, Kind> = {
  dash: { tag: "rig-dash", title: "Gear, rpm lights, speed, pedals and steering", size: [384, 214] },
  inputs: { tag: "rig-inputs", title: "Pedals and steering of any car", size: [544, 132] },
  tyres: { tag: "rig-tyres", title: "Tyres and brakes", size: [368, 210] },
  delta: { tag: "rig-delta", title: "Ahead of or behind a lap", size: [416, 96] },
  relative: { tag: "rig-relative", title: "Who is near on the road", size: [416, 250] },
  standings: { tag: "rig-standings", title: "Places, gaps, sectors and pits, by class", size: [736, 600] },
  map: { tag: "rig-map", title: "The circuit with all cars", size: [384, 382] },
  radar: { tag: "rig-radar", title: "Who is beside", size: [256, 275] },
  fuel: { tag: "rig-fuel", title: "Fuel and energy to the flag", size: [368, 250] },
  weather: { tag: "rig-weather", title: "Weather and session", size: [384, 246] },
};
