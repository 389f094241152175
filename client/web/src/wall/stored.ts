// What the wall shows and how: from the address, else as kept in this browser. What changes is written to both, so
// that an address can be sent to somebody.

import { keep, kept } from "../parts/kept.ts";

export function stored(name: string, standard: string): string {
  return new URLSearchParams(location.search).get(name) ?? kept(`wall.${name}`) ?? standard;
}

export function store(name: string, value: string): void {
  const address = new URL(location.href);
  if (value) address.searchParams.set(name, value);
  else address.searchParams.delete(name);
  // Commas and colons stay readable.
  history.replaceState(null, "", address.href.replaceAll("%2C", ",").replaceAll("%3A", ":"));
  keep(`wall.${name}`, value);
}
