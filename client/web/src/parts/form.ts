// A dialog in which something is entered or changed, or asked once more.

import { html, nothing, render, type TemplateResult } from "lit";

import { words } from "./api.ts";

export type Pairs = { key: string; value?: string }[];
export type Values = Record<string, string | Pairs>;

export interface Field {
  name: string;
  title: string;
  kind?: "line" | "text" | "date" | "choice" | "pairs";
  choices?: readonly (readonly [value: string, title: string])[];
  required?: boolean;
  hint?: string;
}

interface Form {
  title: string;
  fields: readonly Field[];
  values?: Values;
  save: (values: Values) => Promise<void>;
  word?: string; // on the button
}

function dialog(): HTMLDialogElement {
  const made = document.createElement("dialog");
  made.className = "form";
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  return made;
}

// Show the form; `save` is called with what was entered, and what it throws is said in the dialog.
export function enter({ title, fields, values = {}, save, word = "Save" }: Form): void {
  const box = dialog();
  const pairs = new Map(fields.filter((one) => one.kind === "pairs").map((one) => [one.name, [...((values[one.name] as Pairs | undefined) ?? [])]]));
  let wrong = "";
  let busy = false;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const entered: Values = Object.fromEntries(fields.map(({ name }) => [name, pairs.get(name)?.filter((pair) => pair.key.trim()) ?? String(data.get(name) ?? "").trim()]));
    [busy, wrong] = [true, ""];
    draw();
    try {
      await save(entered);
      box.close();
    } catch (error) {
      [busy, wrong] = [false, words(error)];
      draw();
    }
  };
  const draw = (): void => {
    render(
      html`<form @submit=${(event: Event) => void submit(event)}><h2>${title}</h2>
        ${fields.map((field) => {
          const inside = html`<span>${field.title}</span>${control(field, values, pairs, draw)}${field.hint ? html`<small>${field.hint}</small>` : nothing}`;
          // A label is of one control; there are many of pairs.
          return field.kind === "pairs" ? html`<div class="field" role="group" aria-label=${field.title}>${inside}</div>` : html`<label class="field">${inside}</label>`;
        })}
        ${wrong ? html`<p class="trouble" role="alert">${wrong}</p>` : nothing}
        <p class="ends"><button type="button" @click=${() => box.close()}>Cancel</button><button class="main" ?disabled=${busy}>${word}</button></p></form>`,
      box,
    );
  };
  draw();
  box.showModal();
}

function control(field: Field, values: Values, pairs: Map<string, Pairs>, draw: () => void): TemplateResult {
  const value = String(values[field.name] ?? "");
  if (field.kind === "text") return html`<textarea name=${field.name} rows="4" ?required=${field.required ?? false} .defaultValue=${value}></textarea>`;
  if (field.kind === "pairs") return pairRows(pairs.get(field.name)!, draw);
  if (field.kind === "choice")
    return html`<select name=${field.name}>${field.choices?.map(([one, title]) => html`<option value=${one} ?selected=${one === value}>${title}</option>`)}</select>`;
  return html`<input name=${field.name} type=${field.kind === "date" ? "date" : "text"} maxlength="200" autocomplete="off" ?required=${field.required ?? false} .defaultValue=${value}>`;
}

function pairRows(rows: Pairs, draw: () => void): TemplateResult {
  const change = (at: number, part: "key" | "value") => (event: Event) => (rows[at]![part] = (event.target as HTMLInputElement).value);
  return html`<span class="pairs">${rows.map((row, at) => html`
      <input aria-label="Part ${at + 1}" placeholder="part" .value=${row.key} @input=${change(at, "key")}>
      <input aria-label="What part ${at + 1} is" placeholder="what it is" .value=${row.value ?? ""} @input=${change(at, "value")}>
      <button type="button" aria-label="Remove part ${at + 1}" @click=${() => (rows.splice(at, 1), draw())}>×</button>`)}
    <button type="button" @click=${() => (rows.push({ key: "", value: "" }), draw())}>Add a part</button></span>`;
}

// Ask before something goes for good.
export function confirmed(question: string, word: string, act: () => Promise<void>): void {
  enter({ title: question, fields: [], word, save: act });
}
