// What people have said of a lap: tags, notes, the setup it was driven with. Drawn into a given element.

import { html, nothing, render, type TemplateResult } from "lit";

import { words } from "../parts/api.ts";
import { create, list, remove, type Resource, update } from "../parts/catalog.ts";
import { dateTime } from "../parts/format.ts";

type Named = Resource<"setup">;

export class LapNotes {
  private readonly rig: string;
  private readonly root: HTMLElement;
  private readonly changed: () => void;
  private lap = "";
  private notes: Resource<"note">[] = [];
  private tags: Resource<"tag">[] = [];
  private setups: Named[] = [];
  private vehicles: Resource<"vehicle">[] = [];
  private assigned: Resource<"assignment"> | undefined;
  private wrong = "";

  constructor(rig: string, root: HTMLElement, changed: () => void = () => undefined) {
    [this.rig, this.root, this.changed] = [rig, root, changed];
  }

  // Show what was said of a lap, or of a session.
  async show(lap: string): Promise<void> {
    if (lap !== this.lap) [this.lap, this.notes, this.tags, this.assigned, this.wrong] = [lap, [], [], undefined, ""];
    try {
      const about = { target: lap };
      const [notes, tags, assigned, setups, vehicles] = await Promise.all([
        list<"note">(this.rig, "notes", { ...about, order_by: "create_time" }), list<"tag">(this.rig, "tags", about),
        list<"assignment">(this.rig, "assignments", about), list<"setup">(this.rig, "vehicles/-/setups"), list<"vehicle">(this.rig, "vehicles"),
      ]);
      if (lap !== this.lap) return;
      [this.notes, this.tags, this.assigned, this.setups, this.vehicles] = [notes, tags, assigned[0], setups, vehicles];
    } catch (error) {
      this.wrong = words(error);
    }
    this.draw();
  }

  private draw(): void {
    const { tags, notes, wrong } = this;
    render(
      html`<div class="said">
        <div class="tags">${tags.map((tag) => html`<span class="tag">${tag.tag.text}<button aria-label="Remove the tag ${tag.tag.text}" @click=${() => this.do(() => remove(this.rig, tag))}>×</button></span>`)}
          <form @submit=${(event: Event) => this.tag(event)}><input name="tag" maxlength="60" placeholder="tag" aria-label="New tag" autocomplete="off"><button>Add</button></form></div>
        ${this.setup()}
        ${notes.length ? html`<ul class="said-notes">${notes.map((note) => this.note(note))}</ul>` : nothing}
        <form class="write" @submit=${(event: Event) => this.write(event)}>
          <textarea name="text" rows="2" maxlength="4000" placeholder="What is to be remembered" aria-label="New note" required></textarea>
          <label>At <input name="place" type="number" min="0" step="1" placeholder="anywhere" aria-label="Where on the lap, metres"> m</label><button>Keep</button></form>
        ${wrong ? html`<p class="warn" role="alert">${wrong}</p>` : nothing}</div>`,
      this.root,
    );
  }

  private note(note: Resource<"note">): TemplateResult {
    const { text, place } = note.note;
    const where = place === undefined ? "" : `at ${Math.round(place)} m, `;
    return html`<li><span>${text}</span><small>${where}${note.owner ? `${note.owner}, ` : ""}${dateTime(Number(note.create_time_ns ?? NaN) / 1e9)}</small>
      <button aria-label="Delete this note" @click=${() => this.do(() => remove(this.rig, note))}>×</button></li>`;
  }

  private setup(): TemplateResult | typeof nothing {
    if (!this.setups.length || !this.lap.includes("/laps/")) return nothing;
    const chosen = this.assigned?.assignment.setup ?? "";
    const of = (vehicle: string): Named[] => this.setups.filter(({ name }) => name.startsWith(`${vehicle}/`));
    return html`<label class="driven">Setup <select @change=${(event: Event) => this.drive((event.target as HTMLSelectElement).value)}>
      <option value="">not said</option>${this.vehicles.map(({ name, vehicle }) => html`<optgroup label=${vehicle.title ?? name}>
        ${of(name).map((one) => html`<option value=${one.name} ?selected=${one.name === chosen}>${one.setup.title}</option>`)}</optgroup>`)}</select></label>`;
  }

  private drive(setup: string): void {
    const { assigned, lap, rig } = this;
    this.do(async () => {
      if (assigned && !setup) await remove(rig, assigned);
      else if (assigned) await update(rig, assigned, "assignment", { lap, setup });
      else await create(rig, "assignments", "assignment", { lap, setup });
    });
  }

  private tag(event: Event): void {
    const text = entered(event, "tag");
    if (text) this.do(() => create(this.rig, "tags", "tag", { target: this.lap, text }), event.target as HTMLFormElement);
  }

  private write(event: Event): void {
    const text = entered(event, "text");
    const place = entered(event, "place");
    const note = { target: this.lap, text, ...(place ? { place: Number(place) } : {}) };
    if (text) this.do(() => create(this.rig, "notes", "note", note), event.target as HTMLFormElement);
  }

  private do(act: () => Promise<unknown>, form?: HTMLFormElement): void {
    this.wrong = "";
    act().then(
      async () => {
        form?.reset();
        await this.show(this.lap);
        this.changed();
      },
      (error: unknown) => {
        this.wrong = words(error);
        this.draw();
      },
    );
  }
}

function entered(event: Event, name: string): string {
  event.preventDefault();
  return String(new FormData(event.target as HTMLFormElement).get(name) ?? "").trim();
}
