// What people enter: resources of the rig's catalog, by way of the gateway.

import { ask, post } from "./api.ts";

export interface RacingEvent { title?: string; description?: string; location?: string; start_date?: string; end_date?: string }
export interface EventSession { session: string; title?: string; tags?: string[] }
export interface Vehicle { title?: string; vehicle_class?: string; number?: string; description?: string }
export interface Part { key: string; value?: string }
export interface Configuration { title?: string; description?: string; parts?: Part[] }
export interface Parameter { section?: string; key: string; value?: string; unit?: string }
export interface Setup { title?: string; description?: string; configuration?: string; parameters?: Parameter[]; file_name?: string; source?: string }
export interface Assignment { lap: string; setup: string }
export interface Note { target: string; text: string; place?: number }
export interface Tag { target: string; text: string }
export interface SavedLayout { title: string; kind: string; document: string; is_default?: boolean }
export interface PlanItem { id: string; kind: string; arguments?: string; text?: string; state?: string; result?: string }
export interface Plan { title?: string; conversation?: string; items?: PlanItem[] }

interface Bodies {
  event: RacingEvent;
  event_session: EventSession;
  vehicle: Vehicle;
  configuration: Configuration;
  setup: Setup;
  assignment: Assignment;
  note: Note;
  tag: Tag;
  layout: SavedLayout;
  plan: Plan;
}
export type Kind = keyof Bodies;

export type Resource<K extends Kind> = {
  name: string;
  etag?: string;
  owner?: string;
  create_time_ns?: string;
  update_time_ns?: string;
} & Record<K, Bodies[K]>;

const PAGE_SIZE = 200;
const MOST_PAGES = 50;

const path = (rig: string, call: string): string => `${encodeURIComponent(rig)}/${call}`;

// Return the resources of a collection, such as `notes` or `vehicles/gt3/setups`; 10,000 at most.
export async function list<K extends Kind>(rig: string, parent: string, query: Record<string, string> = {}): Promise<Resource<K>[]> {
  const found: Resource<K>[] = [];
  let token = "";
  for (let page = 0; page < MOST_PAGES; page++) {
    const asked = { parent, page_size: String(PAGE_SIZE), ...query, ...(token ? { page_token: token } : {}) };
    const told = await ask<{ resources?: Resource<K>[]; next_page_token?: string }>(path(rig, "resources"), asked);
    found.push(...(told.resources ?? []));
    token = told.next_page_token ?? "";
    if (!token) break;
  }
  return found;
}

export async function create<K extends Kind>(rig: string, parent: string, kind: K, body: Bodies[K]): Promise<Resource<K>> {
  return (await post<{ resource: Resource<K> }>(path(rig, "create"), { parent, resource: { [kind]: body } })).resource;
}

// Change all of a resource's body, unless somebody else has changed it meanwhile.
export async function update<K extends Kind>(rig: string, old: Resource<K>, kind: K, body: Bodies[K]): Promise<Resource<K>> {
  const resource = { name: old.name, etag: old.etag ?? "", [kind]: body };
  return (await post<{ resource: Resource<K> }>(path(rig, "update"), { resource, update_mask: camel(kind) })).resource;
}

// Delete a resource, and what is below it.
export async function remove(rig: string, { name, etag = "" }: { name: string; etag?: string }): Promise<void> {
  await post(path(rig, "delete"), { name, etag, force: true });
}

export interface Difference { section?: string; key: string; first?: string; second?: string; unit?: string }

export function differences(rig: string, first: string, second: string): Promise<{ differences?: Difference[]; same?: number }> {
  return ask(path(rig, "differences"), { first, second });
}

// Add the game's setup file to a vehicle; returns what was not understood.
export async function enterSetup(rig: string, vehicle: string, file: File): Promise<{ resource: Resource<"setup">; left_out: string[] }> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const data = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return post(path(rig, "setup-file"), { vehicle, file_name: file.name, data });
}

// A field's name as the JSON of a field mask has it.
const camel = (field: string): string => field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
