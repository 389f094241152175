// A vehicle: its configurations and its setups, and what is different between two of them.

import { html, nothing, type TemplateResult } from "lit";

import {
  type Assignment, type Configuration, create, type Difference, enterSetup, type Resource, type Setup, update, type Vehicle,
} from "../parts/catalog.ts";
import { words } from "../parts/api.ts";
import { enter, type Field, type Pairs, type Values } from "../parts/form.ts";
import { dateTime } from "../parts/format.ts";
import { drop } from "./events.ts";
import { byTitle, type Shown } from "./shown.ts";

const FIELDS: readonly Field[] = [
  { name: "title", title: "Name", required: true },
  { name: "number", title: "Start number" },
  { name: "vehicle_class", title: "Class" },
  { name: "description", title: "What else is to be known", kind: "text" },
];
const CONFIGURATION: readonly Field[] = [
  { name: "title", title: "Name", required: true, hint: "such as endurance" },
  { name: "description", title: "What it is for", kind: "text" },
  { name: "parts", title: "Parts", kind: "pairs" },
];

export interface Garage {
  configurations: Resource<"configuration">[];
  setups: Resource<"setup">[];
  assignments: Assignment[];
  picked: string[]; // names of setups, two at most
  differences: { differences?: Difference[]; same?: number } | undefined;
  said: string;
  pick: (name: string) => void;
  say: (text: string) => void;
}

export function addVehicle(shown: Shown): void {
  const save = async (values: Values): Promise<void> => {
    const added = await create(shown.rig, "vehicles", "vehicle", values as unknown as Vehicle);
    await shown.reload();
    shown.open(added.name);
  };
  enter({ title: "New vehicle", fields: FIELDS, save, word: "Add" });
}

export function vehiclePanel(shown: Shown, vehicle: Resource<"vehicle">, garage: Garage): TemplateResult {
  const { title = "", number, vehicle_class, description } = vehicle.vehicle;
  const facts = [number ? `#${number}` : "", vehicle_class].filter(Boolean).join(" · ");
  return html`<section class="panel" aria-label="Vehicle">
      <header><h2>${title}</h2><span class="tools"><button @click=${() => edit(shown, vehicle)}>Edit</button>
        <button @click=${() => drop(shown, vehicle, `Delete ${title} with its configurations and setups?`)}>Delete</button></span></header>
      ${facts ? html`<p class="dim">${facts}</p>` : nothing}${description ? html`<p class="text">${description}</p>` : nothing}
      <header><h3>Configurations</h3><span class="tools"><button @click=${() => editConfiguration(shown, vehicle.name)}>New configuration</button></span></header>
      ${garage.configurations.length ? garage.configurations.map((one) => configuration(shown, vehicle.name, one)) : html`<p class="dim">Which parts it is built with: none is entered yet.</p>`}
    </section>
    <section class="panel" aria-label="Setups">
      <header><h3>Setups</h3><span class="tools">
        <label class="button">Add .svm files<input class="hidden" type="file" accept=".svm" multiple @change=${(event: Event) => void files(shown, vehicle.name, garage, event.target as HTMLInputElement)}></label></span></header>
      ${garage.said ? html`<p role="status">${garage.said}</p>` : nothing}
      ${garage.setups.length ? setupTable(shown, garage) : html`<p class="dim">The game keeps setups in UserData/player/Settings: add them here.</p>`}
    </section>
    ${differencePanel(garage)}${garage.picked.length === 1 ? setupPanel(garage) : nothing}`;
}

function configuration(shown: Shown, vehicle: string, one: Resource<"configuration">): TemplateResult {
  const { title = "", description, parts = [] } = one.configuration;
  return html`<details><summary><b>${title}</b> <span class="dim">${parts.length} ${parts.length === 1 ? "part" : "parts"}${description ? `, ${description}` : ""}</span></summary>
    <dl>${parts.map(({ key, value }) => html`<dt>${key}</dt><dd>${value}</dd>`)}</dl>
    <span class="tools"><button @click=${() => editConfiguration(shown, vehicle, one)}>Edit</button>
      <button @click=${() => drop(shown, one, `Delete the configuration ${title}?`)}>Delete</button></span></details>`;
}

function setupTable(shown: Shown, { setups, configurations, assignments, picked, pick }: Garage): TemplateResult {
  const called = (name: string | undefined): string => configurations.find((one) => one.name === name)?.configuration.title ?? "";
  return html`<div class="wide-table"><table><thead><tr><th><span class="hidden">Pick</span></th><th>Setup</th><th class="wide">Configuration</th><th class="num">Settings</th><th class="num">Laps</th><th class="num wide">Entered</th><th><span class="hidden">Actions</span></th></tr></thead>
    <tbody>${[...setups].sort((a, b) => byTitle(a.setup.title, b.setup.title)).map((one) => html`<tr class=${picked.includes(one.name) ? "chosen" : ""}>
      <td><input type="checkbox" aria-label="Pick ${one.setup.title}" .checked=${picked.includes(one.name)} @change=${() => pick(one.name)}></td>
      <th scope="row">${one.setup.title}${one.setup.description ? html` <small>${one.setup.description}</small>` : nothing}</th><td class="wide">${called(one.setup.configuration)}</td>
      <td class="num">${one.setup.parameters?.length ?? 0}</td><td class="num">${assignments.filter(({ setup }) => setup === one.name).length}</td>
      <td class="num wide">${dateTime(Number(one.create_time_ns ?? NaN) / 1e9)}</td>
      <td class="tools"><button @click=${() => editSetup(shown, one, configurations)}>Edit</button>
        <button aria-label="Delete ${one.setup.title}" @click=${() => drop(shown, one, `Delete the setup ${one.setup.title}?`)}>×</button></td></tr>`)}</tbody></table></div>
    <p class="dim">Pick one to see it, two to see what is different.</p>`;
}

// What is different: the change of numbers as a number, words as they are.
function differencePanel({ picked, setups, differences }: Garage): TemplateResult | typeof nothing {
  if (picked.length !== 2 || !differences) return nothing;
  const [first, second] = picked.map((name) => setups.find((one) => one.name === name)?.setup.title ?? name);
  const rows = differences.differences ?? [];
  return html`<section class="panel" aria-label="Differences"><header><h3>${first} and ${second}</h3><span class="dim">${rows.length} ${rows.length === 1 ? "differs" : "differ"}, ${differences.same ?? 0} ${differences.same === 1 ? "is" : "are"} the same</span></header>
    ${rows.length ? html`<div class="wide-table"><table class="differences"><thead><tr><th>Setting</th><th class="num">${first}</th><th class="num">${second}</th><th class="num">Change</th></tr></thead>
      <tbody>${grouped(rows).map(([section, some]) => html`${section ? html`<tr class="section"><th colspan="4">${sectionTitle(section)}</th></tr>` : nothing}
        ${some.map((row) => html`<tr><th scope="row">${parameterTitle(row.key)}</th><td class="num">${valued(row.first, row.unit)}</td><td class="num">${valued(row.second, row.unit)}</td><td class="num">${change(row)}</td></tr>`)}`)}</tbody></table></div>`
      : html`<p>They are the same.</p>`}</section>`;
}

function setupPanel({ picked, setups }: Garage): TemplateResult | typeof nothing {
  const setup = setups.find((one) => one.name === picked[0])?.setup;
  if (!setup) return nothing;
  return html`<section class="panel" aria-label="Setup"><header><h3>${setup.title}</h3><span class="dim">${setup.file_name ?? ""}</span></header>
    <div class="settings">${grouped(setup.parameters ?? []).map(([section, some]) => html`<table><caption>${sectionTitle(section)}</caption><tbody>
      ${some.map((one) => html`<tr><th scope="row">${parameterTitle(one.key)}</th><td class="num">${valued(one.value, one.unit)}</td></tr>`)}</tbody></table>`)}</div></section>`;
}

function grouped<T extends { section?: string }>(rows: readonly T[]): [string, T[]][] {
  const found = new Map<string, T[]>();
  for (const row of rows) found.set(row.section ?? "", [...(found.get(row.section ?? "") ?? []), row]);
  return [...found];
}

const NUMBER = /^[+-]?\d+(\.\d+)?$/;

function valued(value: string | undefined, unit = ""): TemplateResult {
  if (value === undefined) return html`<span class="dim">not set</span>`;
  return unit && NUMBER.test(value) ? html`${value} <small>${unit}</small>` : html`${value}`; // a word has no unit
}

export function change({ first = "", second = "" }: Difference): string {
  if (!NUMBER.test(first) || !NUMBER.test(second)) return "";
  const digits = Math.max(...[first, second].map((text) => text.split(".")[1]?.length ?? 0));
  const by = Number(second) - Number(first);
  return `${by < 0 ? "−" : "+"}${Math.abs(by).toFixed(digits)}`;
}

const SECTIONS: Record<string, string> = { FRONTLEFT: "Front left", FRONTRIGHT: "Front right", REARLEFT: "Rear left", REARRIGHT: "Rear right", FRONTWING: "Front wing", REARWING: "Rear wing", BODYAERO: "Body" };

export const sectionTitle = (section: string): string => SECTIONS[section] ?? (section ? section[0]! + section.slice(1).toLowerCase().replaceAll("_", " ") : "General");

// Slow bump of SlowBumpSetting.
export function parameterTitle(key: string): string {
  const parts = key.replace(/Setting$/, "").match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+/g) ?? [key];
  const text = parts.map((part) => (/^[A-Z]{2,}$/.test(part) ? part : part.toLowerCase())).join(" ");
  return text ? text[0]!.toUpperCase() + text.slice(1) : key;
}

function edit(shown: Shown, vehicle: Resource<"vehicle">): void {
  const save = async (values: Values): Promise<void> => {
    await update(shown.rig, vehicle, "vehicle", { ...vehicle.vehicle, ...(values as unknown as Vehicle) });
    await shown.reload();
  };
  enter({ title: "Vehicle", fields: FIELDS, values: vehicle.vehicle as Values, save });
}

function editConfiguration(shown: Shown, vehicle: string, old?: Resource<"configuration">): void {
  const save = async (values: Values): Promise<void> => {
    const body: Configuration = { title: String(values.title), description: String(values.description), parts: values.parts as Pairs };
    if (old) await update(shown.rig, old, "configuration", body);
    else await create(shown.rig, `${vehicle}/configurations`, "configuration", body);
    await shown.reload();
  };
  const values = old ? ({ ...old.configuration, parts: (old.configuration.parts ?? []).map((part) => ({ ...part })) } as Values) : {};
  enter({ title: old ? "Configuration" : "New configuration", fields: CONFIGURATION, values, save });
}

function editSetup(shown: Shown, setup: Resource<"setup">, configurations: Resource<"configuration">[]): void {
  const choices = [["", "any"] as const, ...configurations.map((one) => [one.name, one.configuration.title ?? one.name] as const)];
  const fields: readonly Field[] = [
    { name: "title", title: "Name", required: true },
    { name: "configuration", title: "Configuration", kind: "choice", choices },
    { name: "description", title: "What it is for", kind: "text" },
  ];
  const save = async (values: Values): Promise<void> => {
    const body: Setup = { ...setup.setup, title: String(values.title), description: String(values.description), configuration: String(values.configuration) };
    await update(shown.rig, setup, "setup", body);
    await shown.reload();
  };
  enter({ title: "Setup", fields, values: { title: setup.setup.title ?? "", configuration: setup.setup.configuration ?? "", description: setup.setup.description ?? "" }, save });
}

async function files(shown: Shown, vehicle: string, garage: Garage, input: HTMLInputElement): Promise<void> {
  const said: string[] = [];
  for (const file of input.files ?? []) {
    try {
      const { resource, left_out } = await enterSetup(shown.rig, vehicle, file);
      const settings = resource.setup.parameters?.length ?? 0;
      said.push(`${file.name}: ${settings} settings${left_out.length ? `, ${left_out.length} ${left_out.length === 1 ? "line" : "lines"} left out (${left_out[0]})` : ""}`);
    } catch (error) {
      said.push(`${file.name}: ${words(error)}`);
    }
  }
  input.value = "";
  garage.say(said.join("; "));
  await shown.reload();
}

