// Theme and units of the pages for people: from the address, else as last chosen in this browser.

import { keep, kept } from "./kept.ts";
import { type Settings, settings } from "./settings.ts";

export type Look = Pick<Settings, "theme" | "units">;

export function look(address = location.search): Look {
  const query = new URLSearchParams(address);
  for (const name of ["theme", "units"]) if (!query.has(name)) query.set(name, kept(name) ?? "");
  const { theme, units } = settings(query);
  return { theme, units };
}

export function wear({ theme }: Pick<Look, "theme">): void {
  document.documentElement.dataset.theme = theme;
}

// Keep a choice for all pages; where the address says another, it says this one from now on.
export function choose(name: keyof Look, value: string): void {
  keep(name, value);
  const address = new URL(location.href);
  if (address.searchParams.has(name)) {
    address.searchParams.set(name, value);
    history.replaceState(null, "", address);
  }
  wear(look());
}
