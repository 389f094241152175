// The line of the circuit, as the rig surveyed it.

import { ask, Refused } from "./api.ts";

export type Circuit = {
  name: string;
  track: string;
  length: number; // metres
  x: number[];
  z: number[];
  splits: number[]; // metres from the line
  corners: { number: number; name: string; apex: number }[];
};

type Listed = { name: string; track_name: string; track_length: number };

// The circuit of a track of this length; undefined where the rig has none yet. Throws Refused for other reasons.
export async function circuitOf(rig: string, track: string, length: number): Promise<Circuit | undefined> {
  const path = encodeURIComponent(rig);
  const { circuits = [] } = await ask<{ circuits?: Listed[] }>(`${path}/circuits`);
  const fits = circuits.filter((one) => one.track_name === track);
  const near = fits.sort((a, b) => Math.abs(a.track_length - length) - Math.abs(b.track_length - length))[0];
  if (!near || Math.abs(near.track_length - length) > 20) return undefined;
  try {
    const { circuit } = await ask<{ circuit: { file: string } }>(`${path}/circuit`, { name: near.name });
    return read(near, JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(circuit.file), (one) => one.charCodeAt(0)))));
  } catch (error) {
    if (error instanceof Refused && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

function read(listed: Listed, file: any): Circuit {
  const { grid, length, splits = [], corners = [] } = file;
  return { name: listed.name, track: listed.track_name, length, x: grid.x, z: grid.z, splits, corners };
}
