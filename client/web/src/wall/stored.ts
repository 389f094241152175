// What the wall shows and how: from the address, else as kept in this browser. What changes is written to both, so
// that an address can be sent to somebody.

const PREFIX = "rigd.wall.";

export function stored(name: string, standard: string): string {
  return new URLSearchParams(location.search).get(name) ?? kept(name) ?? standard;
}

export function store(name: string, value: string): void {
  const address = new URL(location.href);
  if (value) address.searchParams.set(name, value);
  else address.searchParams.delete(name);
  // Commas and colons stay readable.
  history.replaceState(null, "", address.href.replaceAll("%2C", ",").replaceAll("%3A", ":"));
  keep(name, value);
}

// Kept in this browser alone: rules are no part of an address.
export function kept(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null; // a browser that keeps nothing
  }
}

export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // It is shown all the same.
  }
}
