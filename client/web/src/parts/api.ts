// Questions to the gateway, answered in the contract's JSON.

export class Refused extends Error {
  readonly hint: string;
  readonly code: string;

  constructor(message: string, hint: string, code: string) {
    super(message);
    [this.hint, this.code] = [hint, code];
  }
}

// What went wrong, for people.
export function words(error: unknown): string {
  if (error instanceof Refused) return [error.message, error.hint].filter(Boolean).join(": ");
  return error instanceof Error ? error.message : String(error);
}

// Ask `/api/{path}`. Throws Refused with words for people.
export async function ask<T>(path: string, query: Record<string, string | string[]> = {}): Promise<T> {
  return answer<T>(await reached(address(path, query)));
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return answer<T>(await reached(address(path), { method: "POST", headers, body: JSON.stringify(body) }));
}

// Ask for what comes bit by bit: an object a line. The gateway ends it with an error as its last line.
export async function* stream<T>(path: string, body: unknown): AsyncGenerator<T> {
  const headers = { "Content-Type": "application/json" };
  const response = await reached(address(path), { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok || !response.body) return void (await answer(response));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (text + part.value).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) if (line) yield JSON.parse(line) as T;
  }
}

function address(path: string, query: Record<string, string | string[]> = {}): URL {
  const url = new URL(`/api/${path}`, location.href);
  for (const [name, values] of Object.entries(query))
    for (const value of [values].flat()) url.searchParams.append(name, value);
  return url;
}

async function reached(url: URL, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch {
    throw new Refused("the gateway does not answer", "is `rig gateway` running?", "UNAVAILABLE");
  }
}

async function answer<T>(response: Response): Promise<T> {
  const words = await response.json().catch(() => ({}));
  if (response.ok) return words as T;
  const { message = `the gateway answers ${response.status}`, hint = "", code = "" } = words.error ?? {};
  throw new Refused(message, hint, code);
}

export type RigLine = { name: string; address: string; state: string; message: string; lag_s: number; gaps: number; missed: number };

export async function rigs(): Promise<RigLine[]> {
  return (await ask<{ rigs: RigLine[] }>("rigs")).rigs;
}
