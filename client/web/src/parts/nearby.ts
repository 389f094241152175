// Which cars are around one, in its own frame. Pure.

import type { Column } from "../wire/reader.ts";

const BESIDE_M = 6; // at most so far aside, middle to middle
const OVERLAP_M = 5; // at most so far ahead or behind

export type Near = { id: number; right: number; ahead: number; turn: number };

// The cars around the one in `row`: metres to the right and ahead of it, and how they are turned against it.
// Frames are the game's: world = orientation · local, local +x left, +z rear.
export function around(ids: ArrayLike<number>, positions: Column, orientations: Column, row: number, range: number): Near[] {
  const own = orientations.subarray(row * 9, row * 9 + 9);
  const local = (x: number, y: number, z: number, axis: number) => own[axis]! * x + own[3 + axis]! * y + own[6 + axis]! * z;
  const found: Near[] = [];
  for (let other = 0; other < ids.length; other++) {
    const at = (axis: number) => positions[other * 3 + axis]! - positions[row * 3 + axis]!;
    const [right, ahead] = [-local(at(0), at(1), at(2), 0), -local(at(0), at(1), at(2), 2)];
    if (other === row || !(Math.hypot(right, ahead) < range * 1.5) || Math.abs(at(1)) > 8) continue;
    const front = (axis: number) => -orientations[other * 9 + 3 * axis + 2]!;
    const turn = Math.atan2(-local(front(0), front(1), front(2), 0), -local(front(0), front(1), front(2), 2));
    found.push({ id: ids[other]!, right, ahead, turn });
  }
  return found;
}

export const beside = ({ right, ahead }: Near) => (Math.abs(ahead) < OVERLAP_M && Math.abs(right) < BESIDE_M ? Math.sign(right) : 0);
