// When the car was where on its newest whole lap: seconds between two places of the road.
export class DrivenLap {
  private done: [metres: number, seconds: number][] = [];
  private now: [metres: number, seconds: number][] = [];

  // Take where the car is, metres from the line, how long its lap lasts, and the length of the track.
  add(metres: number, seconds: number, length: number): void {
    const last = this.now[this.now.length - 1];
    if (last && metres < last[0] - length / 2) this.close(length);
    if (last && metres <= last[0] && this.now.length) return;
    if (metres >= 0 && seconds >= 0) this.now.push([metres, seconds]);
  }

  private close(length: number): void {
    const [first, last] = [this.now[0], this.now[this.now.length - 1]];
    const holes = this.now.some(([metres], at) => at > 0 && metres - this.now[at - 1]![0] > length * 0.1);
    if (first && last && !holes && first[0] < length * 0.05 && last[0] > length * 0.95) this.done = this.now;
    this.now = [];
  }

  // Seconds from the line to a place; without a whole lap yet as if it were driven evenly.
  at(metres: number, length: number, lap: number): number {
    const { done } = this;
    if (!done.length) return (metres / length) * lap;
    const after = done.findIndex(([place]) => place >= metres);
    const b = done[after] ?? [length, lap] as const;
    const a = after < 0 ? done[done.length - 1]! : (done[after - 1] ?? [0, 0] as const);
    return b[0] > a[0] ? a[1] + ((metres - a[0]) / (b[0] - a[0])) * (b[1] - a[1]) : a[1];
  }
}
