// One record of a stream of tables: a row per car, a column per channel.

import { type Column, Message } from "./reader.ts";

// Number of the column of a request's first formula: see CHANNELS.md.
export const FIRST_FORMULA = 1100;

export class Table {
  readonly message: Message;
  private readonly formulas: string[];

  // `channels` are those of the request: the columns of formulas come in their order.
  constructor(message: Message, channels: readonly string[] = []) {
    this.message = message;
    this.formulas = channels.filter((one) => one.includes("=")).map((one) => one.split("=")[0]!.trim());
  }

  get seq(): number {
    return this.message.number("seq");
  }

  // Unix nanoseconds, exact to a quarter of a microsecond.
  get timeNs(): number {
    return this.message.number("capture_time_ns");
  }

  get session(): number {
    return this.message.number("session");
  }

  get sessionTime(): number {
    return this.message.number("session_time");
  }

  get rows(): number {
    return this.message.number("rows");
  }

  // Slot id of the player's car, -1 when there is none.
  get player(): number {
    return this.message.number("player");
  }

  // All rows of a channel; wide ones have a car's values side by side. Undefined where it was not asked for.
  column(channel: string): Column | undefined {
    const formula = this.formulas.indexOf(channel);
    if (formula >= 0) return this.message.column(FIRST_FORMULA + formula, "f4");
    return this.message.get(channel) as Column | undefined;
  }

  // The row of a car, -1 when it is not there. `car` is a slot id, or the player.
  row(car: number | "player"): number {
    const id = car === "player" ? this.player : car;
    return this.column("id")?.indexOf(id) ?? -1;
  }

  // One value: NaN where there is none.
  value(channel: string, row: number, part = 0): number {
    const column = this.column(channel);
    if (!column || row < 0 || row >= this.rows) return NaN;
    return column[row * (column.length / this.rows) + part] ?? NaN;
  }
}
