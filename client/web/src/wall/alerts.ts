// Alerts: a rule is a comparison on a channel, `fuel < 5`, or on a formula that the rig computes. Pure.
//
// A rule fires when it becomes true, once; again only after it was false. A value at the border does not ring all
// the time: it must get away from it by a hundredth, at least.

export const OPERATORS = ["<", "<=", ">", ">=", "==", "!="] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Rule {
  text: string; // as typed
  expression: string; // a channel's name or a formula
  operator: Operator;
  value: number;
}

const FORM = /^(.+?)\s*(<=|>=|==|!=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)$/i;
const NAME = /^[a-z][a-z0-9_]*(\[\w+\])?$/;

// Read a rule; a sentence when it is none.
export function parse(text: string): Rule | string {
  const found = FORM.exec(text.trim());
  if (!found) return "a rule is a channel or formula, a comparison and a number, such as: fuel < 5";
  const [, expression = "", operator, value] = found;
  if (/[<>=!]/.test(expression)) return "one comparison is enough: a formula before it, a number behind it";
  return { text: text.trim(), expression: expression.trim(), operator: operator as Operator, value: Number(value) };
}

// What the stream is asked for: the channel itself, or a column made by a formula.
export function column(rule: Rule, at: number): { name: string; channel: string } {
  if (NAME.test(rule.expression)) return { name: rule.expression, channel: rule.expression };
  return { name: `alert_${at}`, channel: `alert_${at} = ${rule.expression}` };
}

export function holds(rule: Rule, value: number): boolean {
  const { operator, value: border } = rule;
  if (operator === "<") return value < border;
  if (operator === "<=") return value <= border;
  if (operator === ">") return value > border;
  if (operator === ">=") return value >= border;
  return operator === "==" ? value === border : value !== border;
}

// Whether a value is well on the other side, so that the next time is a new one.
function over(rule: Rule, value: number): boolean {
  const step = Math.abs(rule.value) / 100;
  if (rule.operator.startsWith("<")) return value > rule.value + step;
  if (rule.operator.startsWith(">")) return value < rule.value - step;
  return !holds(rule, value);
}

export class Alarm {
  readonly rule: Rule;
  private fired = false;

  constructor(rule: Rule) {
    this.rule = rule;
  }

  get active(): boolean {
    return this.fired;
  }

  // Take a value; true when it fires now. What is no number changes nothing.
  take(value: number): boolean {
    if (!Number.isFinite(value)) return false;
    if (this.fired) {
      if (over(this.rule, value)) this.fired = false;
      return false;
    }
    this.fired = holds(this.rule, value);
    return this.fired;
  }
}
