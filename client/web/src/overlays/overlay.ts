// What all overlays share: the look of the panel, the words in place of what is not there, and the sign of old data.

import { css, type CSSResultGroup, html, type TemplateResult } from "lit";
import { RigElement } from "../parts/element.ts";
import { type Field, fieldOf } from "../parts/field.ts";
import type { Feed, Trouble } from "../wire/feed.ts";
import type { Table } from "../wire/table.ts";

export const panel = css`
  :host, *, ::before, ::after { box-sizing: border-box; }
  :host { display: block; max-width: 100%; padding: 0.625rem 0.75rem; background: var(--glass); border-radius: 0.5rem;
    color: var(--text); position: relative; line-height: 1.25; overflow: hidden; container-type: inline-size; }
  :host([stale]) .live { opacity: 0.55; }
  .flag { font-weight: 700; padding: 0.0625rem 0.5rem; border-radius: 0.25rem; white-space: nowrap; }
  .flag.yellow { background: #f5d547; color: #12171d; }
  .flag.red { background: #b3261e; color: #ffffff; }
  .flag.blue { background: #1557b0; color: #ffffff; }
  .flag.chequered { background: #ffffff; color: #12171d; border: 1px solid #12171d; }
  canvas { display: block; width: 100%; height: 100%; }
  small, .quiet { color: var(--quiet); }
  small { font-size: 0.75rem; font-weight: 400; }
  .words { margin: 0; color: var(--text); font-size: 0.9375rem; overflow-wrap: anywhere; }
  .badge { display: block; width: fit-content; margin: 0 auto 0.25rem; font-size: 0.75rem; font-weight: 700; background: var(--warning);
    color: var(--page); padding: 0.0625rem 0.375rem; border-radius: 0.25rem; }
`;

const SHOWN = ["live", "replay"];

export abstract class Overlay extends RigElement {
  static override styles: CSSResultGroup = panel;

  // The newest table of what this follows itself, and the row of its car.
  protected table: Table | undefined;
  protected row = -1;
  protected field!: Field;

  private trouble = "";

  protected begin(feed: Feed): void {
    this.field = fieldOf(feed);
    this.start(feed);
  }

  // Follow what this shows.
  protected abstract start(feed: Feed): void;

  // What it shows, when there is something.
  protected abstract content(): TemplateResult;

  // Why there is nothing to show though data come; empty where there is.
  protected abstract lack(): string;

  protected abstract get has(): boolean;

  // Cars of a request: the one that this shows.
  protected get own(): { ids: number[] } | { player: true } {
    const { car } = this.settings;
    return car === "player" ? { player: true } : { ids: [car] };
  }

  // Follow physics; the newest table is kept, and all of them are given to `take`.
  protected physics(feed: Feed, channels: readonly string[], rate: number, options: object = {}, take?: (table: Table) => void): void {
    const follow = { stream: "physics" as const, channels, rate, cars: this.own, ...options };
    this.keep(feed.follow(follow, (tables) => {
      for (const table of tables) {
        [this.table, this.row] = [table, table.row(this.settings.car)];
        take?.(table);
      }
      this.painter.ask();
    }, (trouble) => this.refused(trouble)));
  }

  // Follow who is who and how the session stands.
  protected scoring(take?: () => void): void {
    this.keep(this.field.watch(() => {
      take?.();
      this.painter.ask();
    }));
  }

  protected of(channel: string, part = 0): number {
    return this.table?.value(channel, this.row, part) ?? NaN;
  }

  protected noCar(): string {
    const { car } = this.settings;
    return car === "player" ? "the player is in no car" : `there is no car ${car}`;
  }

  protected noScoring(): string {
    return this.field.trouble || (this.field.table ? "" : "no scoring yet: the game gives it once a session runs");
  }

  protected paint(): void {
    this.requestUpdate();
  }

  override render(): TemplateResult {
    const words = this.words();
    if (words) return html`<p class="words" role="status">${words}</p>`;
    const old = !this.state || SHOWN.includes(this.state.state) ? "" : this.state.state;
    // Above what it is about: a source of a stream that is as high as the panel cuts its last row off, not this.
    return html`${old ? html`<span class="badge" role="status" title=${this.state?.message ?? ""}>${old}</span>` : ""}${this.content()}`;
  }

  // So that one can see in the page which record it shows.
  protected override updated(): void {
    this.dataset.seq = `${(this.table ?? this.field?.table)?.seq ?? ""}`;
  }

  private words(): string {
    if (this.trouble) return this.trouble;
    if (this.has) return this.lack();
    const { state = "connecting", message = "" } = this.state ?? {};
    if (state === "refused") return message || "the rig refuses";
    return message || (SHOWN.includes(state) ? this.lack() || "waiting for data" : `${state} …`);
  }

  private refused({ message, hint }: Trouble): void {
    this.trouble = hint ? `${message}: ${hint}` : message;
    this.requestUpdate();
  }
}
