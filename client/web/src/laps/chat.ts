// Questions about a lap to the rig's assistant: its words, the findings it cites with the rig's numbers, and what
// it proposes, which is done only once somebody has ticked it.

import { html, nothing, render, type TemplateResult } from "lit";

import { ask, post, stream, words } from "../parts/api.ts";
import type { PlanItem, Resource } from "../parts/catalog.ts";

interface Assistant { configured?: boolean; host?: string; model?: string; local?: boolean; asked_before?: boolean }
interface Told {
  text?: string;
  withdrawn?: string;
  refused?: string;
  tool_call?: { tool?: string; about?: string; error?: string };
  finding?: { id: string; text: string };
  plan?: string;
  done?: { conversation?: string; calls?: number; time?: number };
  error?: { message: string; hint?: string };
}

interface Exchange {
  question: string;
  text: string;
  looked: string[];
  findings: { id: string; text: string }[];
  refused: string;
  wrong: string;
  plan?: Resource<"plan">;
  ended: string; // how long it took
}

const PROPOSE = "propose"; // the tool that looks at nothing: its plan is shown
const DONE = "PLAN_ITEM_STATE_DONE";
const FAILED = "PLAN_ITEM_STATE_FAILED";
const PROPOSED = "PLAN_ITEM_STATE_PROPOSED";
const STATES: Record<string, string> = { [DONE]: "done", [FAILED]: "failed", PLAN_ITEM_STATE_REJECTED: "rejected", PLAN_ITEM_STATE_APPROVED: "approved" };

export class Chat {
  private readonly rig: string;
  private readonly root: HTMLElement;
  private readonly acted: () => void;
  private assistant: Assistant = {};
  private lap = "";
  private reference = "";
  private conversation = "";
  private exchanges: Exchange[] = [];
  private asking = false;
  private readonly ticked = new Set<string>();

  constructor(rig: string, root: HTMLElement, acted: () => void = () => undefined) {
    [this.rig, this.root, this.acted] = [rig, root, acted];
  }

  // Talk about this lap from now on. Where the rig has no assistant nothing is shown.
  async about(lap: string, reference = ""): Promise<void> {
    if (lap !== this.lap) [this.conversation, this.exchanges] = ["", []];
    [this.lap, this.reference] = [lap, reference];
    try {
      this.assistant = await ask<Assistant>(`${encodeURIComponent(this.rig)}/assistant`);
    } catch {
      this.assistant = {};
    }
    this.draw();
  }

  private draw(): void {
    const { configured, host, model, local } = this.assistant;
    this.root.hidden = !configured;
    if (!configured) return;
    const where = local ? `${model} on the rig itself` : `${model} at ${host}`;
    render(
      html`<h2>Ask about this lap</h2><div class="chat">
        <ol>${this.exchanges.map((one) => this.exchange(one))}</ol>
        <form @submit=${(event: Event) => void this.submit(event)}>
          <textarea name="question" rows="2" maxlength="2000" required aria-label="Question about this lap" placeholder="Why is this lap slower than my best?"></textarea>
          <label><input type="checkbox" name="plan"> Propose what to do</label><button ?disabled=${this.asking}>${this.asking ? "Asking…" : "Ask"}</button></form>
        <small>${where} reads the question, ${local ? "" : "outside this machine: "}lap times, findings and names of drivers, no samples. Numbers are the rig's own.</small></div>`,
      this.root,
    );
  }

  private exchange(one: Exchange): TemplateResult {
    return html`<li><p class="question">${one.question}</p>
      ${one.looked.length ? html`<small>Looked at ${one.looked.join(", ")}</small>` : nothing}
      ${one.refused ? html`<p class="dim">${one.refused} These are the rig's own tips:</p>` : html`<p class="answer" aria-live="polite">${one.text}</p>`}
      ${one.findings.length ? html`<ul class="cited">${one.findings.map(({ id, text }) => html`<li data-finding=${id}>${text}</li>`)}</ul>` : nothing}
      ${one.plan ? this.plan(one) : nothing}
      ${one.wrong ? html`<p class="warn" role="alert">${one.wrong}</p>` : nothing}
      ${one.ended ? html`<small>${one.ended}</small>` : nothing}</li>`;
  }

  private plan(one: Exchange): TemplateResult {
    const { plan } = one.plan!;
    const open = (plan.items ?? []).some(proposed);
    return html`<fieldset class="plan"><legend>${plan.title || "Proposed"}</legend>
      ${(plan.items ?? []).map((item) => html`<label><input type="checkbox" ?disabled=${!proposed(item)} .checked=${proposed(item) ? this.ticked.has(item.id) : item.state === DONE}
          @change=${() => this.tick(item.id)}> <span>${item.text || item.kind}</span>
        ${proposed(item) ? nothing : html`<small class=${item.state === FAILED ? "warn" : ""}>${STATES[item.state ?? ""] ?? ""}${item.state === FAILED && item.result ? `: ${item.result}` : ""}</small>`}</label>`)}
      ${open ? html`<button @click=${() => void this.decide(one)}>Do what is ticked, drop the rest</button>` : nothing}</fieldset>`;
  }

  private tick(id: string): void {
    if (!this.ticked.delete(id)) this.ticked.add(id);
    this.draw();
  }

  private async decide(one: Exchange): Promise<void> {
    const items = (one.plan!.plan.items ?? []).filter(proposed).map(({ id }) => id);
    one.wrong = "";
    try {
      for (const item of items) {
        const body = { name: one.plan!.name, item, approve: this.ticked.has(item) };
        one.plan = (await post<{ plan: Resource<"plan"> }>(`${encodeURIComponent(this.rig)}/decide`, body)).plan;
        this.draw();
      }
    } catch (error) {
      one.wrong = words(error);
    }
    this.ticked.clear();
    this.acted();
    this.draw();
  }

  private async submit(event: Event): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const data = new FormData(form);
    const question = String(data.get("question") ?? "").trim();
    if (!question || this.asking) return;
    const one: Exchange = { question, text: "", looked: [], findings: [], refused: "", wrong: "", ended: "" };
    this.exchanges.push(one);
    this.asking = true;
    form.reset();
    this.draw();
    try {
      const body = { question, lap: this.lap, reference: this.reference, conversation: this.conversation, plan: data.has("plan") };
      for await (const told of stream<Told>(`${encodeURIComponent(this.rig)}/chat`, body)) await this.take(one, told);
    } catch (error) {
      one.wrong = words(error);
    }
    this.asking = false;
    this.draw();
  }

  private async take(one: Exchange, told: Told): Promise<void> {
    if (told.text) one.text += told.text;
    if (told.withdrawn !== undefined) one.text = "";
    if (told.refused) [one.text, one.refused] = ["", told.refused];
    if (told.tool_call && told.tool_call.tool !== PROPOSE && !told.tool_call.error && told.tool_call.about) one.looked.push(told.tool_call.about);
    if (told.finding) one.findings.push(told.finding);
    if (told.plan) one.plan = (await ask<{ resource: Resource<"plan"> }>(`${encodeURIComponent(this.rig)}/resource`, { name: told.plan })).resource;
    if (told.error) one.wrong = [told.error.message, told.error.hint].filter(Boolean).join(": ");
    if (told.done) {
      this.conversation = told.done.conversation ?? this.conversation;
      one.ended = `${(told.done.time ?? 0).toFixed(1)} s`;
    }
    this.draw();
  }
}

const proposed = (item: PlanItem): boolean => (item.state ?? PROPOSED) === PROPOSED;
