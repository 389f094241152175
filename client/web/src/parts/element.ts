// What all elements that show a rig share: the connection of the page, and a painter.

import { LitElement } from "lit";
import { Feed } from "../wire/feed.ts";
import type { State } from "../wire/protocol.ts";
import { type Settings, settings } from "./settings.ts";
import { Painter } from "./painter.ts";

const feeds = new Map<string, Feed>();

// The page's connection to a rig: one, however many elements show it.
export function feedOf(rig: string): Feed {
  let feed = feeds.get(rig);
  if (!feed) feeds.set(rig, (feed = new Feed(rig, new URLSearchParams(location.search))));
  return feed;
}

// An element of a rig. Subclasses say in `begin` what they follow, and paint in `paint`.
export abstract class RigElement extends LitElement {
  static override properties = { rig: { type: String }, car: { type: String } };

  declare rig: string;
  declare car: string;

  protected state: State | undefined;
  protected readonly painter = new Painter(() => this.paint());

  private endings: (() => void)[] = [];

  constructor() {
    super();
    this.rig = "";
    this.car = "";
  }

  // What the page's address says, and this element's attributes before it.
  get settings(): Settings {
    const own = settings();
    const car = /^\d+$/.test(this.car) ? Number(this.car) : this.car === "player" ? "player" : own.car;
    return { ...own, rig: this.rig || own.rig, car };
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const feed = feedOf(this.settings.rig || "-");
    this.keep(feed.watch((state) => this.heard(state)));
    this.begin(feed);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const end of this.endings.splice(0)) end();
    this.painter.stop();
  }

  // Follow what this shows; hand what ends it to `keep`.
  protected abstract begin(feed: Feed): void;

  // Paint what has come since.
  protected abstract paint(): void;

  protected keep(end: () => void): void {
    this.endings.push(end);
  }

  protected heard(state: State): void {
    this.state = state;
    this.toggleAttribute("stale", state.state !== "live" && state.state !== "replay");
    this.requestUpdate();
  }
}
