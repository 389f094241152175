// An event: what it was, and the sessions that belong to it.

import { html, nothing, type TemplateResult } from "lit";

import { create, list, type RacingEvent, remove, type Resource, update } from "../parts/catalog.ts";
import { confirmed, enter, type Field, type Values } from "../parts/form.ts";
import { dateTime, lapTime, NONE } from "../parts/format.ts";
import { linked } from "../parts/header.ts";
import { byTitle, kindOf, type Session, type Shown } from "./shown.ts";

const FIELDS: readonly Field[] = [
  { name: "title", title: "Name", required: true, hint: "such as 6 Hours of the Grand Circuit" },
  { name: "location", title: "Where" },
  { name: "start_date", title: "First day", kind: "date" },
  { name: "end_date", title: "Last day", kind: "date" },
  { name: "description", title: "What it was about", kind: "text" },
];

export function addEvent(shown: Shown): void {
  const save = async (values: Values): Promise<void> => {
    const added = await create(shown.rig, "events", "event", values as unknown as RacingEvent);
    await shown.reload();
    shown.open(added.name);
  };
  enter({ title: "New event", fields: FIELDS, save, word: "Add" });
}

export async function sessionsOf(rig: string, event: string): Promise<Resource<"event_session">[]> {
  return list<"event_session">(rig, `${event}/sessions`, { order_by: "create_time" });
}

// Days as people write them: one, from to, or nothing.
export function days({ start_date = "", end_date = "" }: RacingEvent): string {
  return start_date && end_date && end_date !== start_date ? `${start_date} to ${end_date}` : start_date || end_date;
}

export function eventPanel(shown: Shown, event: Resource<"event">, sessions: Resource<"event_session">[]): TemplateResult {
  const { title = "", location, description } = event.event;
  const facts = [location, days(event.event)].filter(Boolean).join(" · ");
  return html`<section class="panel" aria-label="Event">
    <header><h2>${title}</h2><span class="tools">
      <button @click=${() => edit(shown, event)}>Edit</button>
      <button @click=${() => drop(shown, event, `Delete ${title}?`)}>Delete</button></span></header>
    ${facts ? html`<p class="dim">${facts}</p>` : nothing}${description ? html`<p class="text">${description}</p>` : nothing}
    <header><h3>Sessions</h3><span class="tools">${addable(shown, sessions).length ? html`<button @click=${() => addSession(shown, event, sessions)}>Add a session</button>` : html`<small>${shown.sessions.length ? "All of this rig belong to it" : "This rig has recorded none yet"}</small>`}</span></header>
    ${sessions.length ? sessionTable(shown, sessions) : html`<p class="dim">No session belongs to it yet.</p>`}</section>`;
}

function sessionTable(shown: Shown, sessions: Resource<"event_session">[]): TemplateResult {
  return html`<div class="wide-table"><table><thead><tr><th>Session</th><th class="wide">Track</th><th class="num wide">When</th><th class="num">Laps</th><th class="num">Best</th><th>Tags</th><th><span class="hidden">Actions</span></th></tr></thead>
    <tbody>${sessions.map((one) => {
      const recorded = shown.sessions.find(({ name }) => name === one.event_session.session);
      return html`<tr><th scope="row"><a href=${lapsOf(shown.rig, one.event_session.session)}>${one.event_session.title || (recorded ? kindOf(recorded) : one.event_session.session.replace("sessions/", ""))}</a>${recorded ? nothing : html`<small class="narrow warn">not on this rig</small>`}</th>
        <td class="wide">${recorded?.track_name ?? html`<span class="warn">not on this rig</span>`}</td><td class="num wide">${recorded ? when(recorded) : NONE}</td>
        <td class="num">${recorded?.laps ?? NONE}</td><td class="num">${lapTime(recorded?.best_lap_time ?? NaN)}</td>
        <td>${(one.event_session.tags ?? []).map((tag) => html`<span class="tag">${tag}</span>`)}</td>
        <td class="tools"><button @click=${() => editSession(shown, one)}>Edit</button>
          <button aria-label="Remove this session from the event" @click=${() => drop(shown, one, "Remove the session from the event? Its laps stay.", "Remove")}>×</button></td></tr>`;
    })}</tbody></table></div>`;
}

const when = (session: Session): string => dateTime(Number(session.start_time_ns ?? NaN) / 1e9);

function lapsOf(rig: string, session: string): string {
  const base = linked("laps", rig);
  return `${base}${base.includes("?") ? "&" : "?"}${new URLSearchParams({ session })}`;
}

function edit(shown: Shown, event: Resource<"event">): void {
  const save = async (values: Values): Promise<void> => {
    await update(shown.rig, event, "event", values as unknown as RacingEvent);
    await shown.reload();
  };
  enter({ title: "Event", fields: FIELDS, values: event.event as Values, save });
}

export function drop(shown: Shown, one: { name: string; etag?: string }, question: string, word = "Delete"): void {
  confirmed(question, word, async () => {
    await remove(shown.rig, one);
    if (one.name.split("/").length === 2) shown.open("");
    await shown.reload();
  });
}

const OWN: readonly Field[] = [
  { name: "title", title: "Name", hint: "empty: what the game calls it" },
  { name: "tags", title: "Tags", hint: "words, with commas between" },
];
const tagged = (text: unknown): string[] => [...new Set(String(text ?? "").split(",").map((tag) => tag.trim()).filter(Boolean))];

function addable(shown: Shown, there: Resource<"event_session">[]): Session[] {
  const taken = new Set(there.map((one) => one.event_session.session));
  return shown.sessions.filter(({ name }) => !taken.has(name));
}

function addSession(shown: Shown, event: Resource<"event">, there: Resource<"event_session">[]): void {
  const choices = addable(shown, there).map((one) => [one.name, `${when(one)}  ${one.track_name ?? ""}, ${kindOf(one).toLowerCase()}, ${one.laps ?? 0} laps`] as const);
  const save = async (values: Values): Promise<void> => {
    const body = { session: String(values.session), title: String(values.title), tags: tagged(values.tags) };
    await create(shown.rig, `${event.name}/sessions`, "event_session", body);
    await shown.reload();
  };
  enter({ title: `A session of ${event.event.title ?? "the event"}`, fields: [{ name: "session", title: "Session", kind: "choice", choices }, ...OWN], save, word: "Add" });
}

function editSession(shown: Shown, one: Resource<"event_session">): void {
  const { session, title = "", tags = [] } = one.event_session;
  const save = async (values: Values): Promise<void> => {
    await update(shown.rig, one, "event_session", { session, title: String(values.title), tags: tagged(values.tags) });
    await shown.reload();
  };
  enter({ title: "Session", fields: OWN, values: { title, tags: tags.join(", ") }, save });
}

export const inOrder = (events: Resource<"event">[]): Resource<"event">[] =>
  [...events].sort((a, b) => (b.event.start_date ?? "").localeCompare(a.event.start_date ?? "") || byTitle(a.event.title, b.event.title));
