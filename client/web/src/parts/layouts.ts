// Layouts of a kind of page by name: in the rig's catalog, where every browser finds them. Where there is no rig, or
// one without a catalog, this browser keeps them; what it kept moves into the catalog when there is one.

import { create, list, remove, type Resource, update } from "./catalog.ts";
import { keep, kept } from "./kept.ts";

export class Layouts {
  private readonly rig: string;
  private readonly kind: string;
  private readonly store: string; // in the browser
  private saved = new Map<string, Resource<"layout">>();
  private own = new Map<string, string>();
  private catalog = false;

  constructor(rig: string, kind: string, store: string) {
    [this.rig, this.kind, this.store] = [rig, kind, store];
    this.own = read(kept(store));
  }

  async load(): Promise<void> {
    if (!this.rig) return;
    try {
      await this.fetch();
      this.catalog = true;
    } catch {
      return; // an older rig, or a key that may not: the browser keeps them
    }
    if (this.own.size) await this.move();
  }

  private async fetch(): Promise<void> {
    const found = await list<"layout">(this.rig, "layouts");
    this.saved = new Map(found.filter(({ layout }) => layout.kind === this.kind).map((one) => [one.layout.title, one]));
  }

  private async move(): Promise<void> {
    const moved: string[] = [];
    for (const [name, document] of [...this.own]) {
      try {
        if (!this.saved.has(name)) await create(this.rig, "layouts", "layout", { title: name, kind: this.kind, document });
        moved.push(name);
      } catch {
        break; // it stays in the browser
      }
    }
    await this.fetch(); // until then they are known from the browser
    for (const name of moved) this.write(name, null);
  }

  get names(): string[] {
    return [...new Set([...this.saved.keys(), ...this.own.keys()])].sort();
  }

  // What the page begins with; null: as it always does.
  get standard(): string | null {
    return [...this.saved.values()].find(({ layout }) => layout.is_default)?.layout.document ?? null;
  }

  document(name: string): string | null {
    return this.saved.get(name)?.layout.document ?? this.own.get(name) ?? null;
  }

  // Keep a layout under a name. Throws where neither the rig nor the browser does.
  async save(name: string, document: string, is_default = false): Promise<void> {
    if (!this.catalog) return this.write(name, document);
    const body = { title: name, kind: this.kind, document, is_default };
    const old = this.saved.get(name);
    if (old) await update(this.rig, old, "layout", body);
    else await create(this.rig, "layouts", "layout", body);
    await this.fetch();
  }

  async forget(name: string): Promise<void> {
    const old = this.saved.get(name);
    if (!old) return this.write(name, null);
    await remove(this.rig, old);
    await this.fetch();
  }

  private write(name: string, document: string | null): void {
    if (document === null) this.own.delete(name);
    else this.own.set(name, document);
    const text = this.own.size ? JSON.stringify(Object.fromEntries(this.own)) : null;
    if (!keep(this.store, text)) throw new Error("This browser keeps nothing for this page; its address holds the layout.");
  }
}

function read(text: string | null): Map<string, string> {
  try {
    const found = JSON.parse(text ?? "{}") as Record<string, unknown>;
    return new Map(Object.entries(found).filter((pair): pair is [string, string] => typeof pair[1] === "string"));
  } catch {
    return new Map();
  }
}
