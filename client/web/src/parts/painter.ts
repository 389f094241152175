// Paints when there is something new, at most once a frame of the screen.

export class Painter {
  private due = 0;
  private readonly paint: () => void;

  constructor(paint: () => void) {
    this.paint = paint;
  }

  // Ask for a painting. However often one asks, there is one a frame, and none while the page is hidden.
  ask(): void {
    this.due ||= requestAnimationFrame(() => {
      this.due = 0;
      this.paint();
    });
  }

  stop(): void {
    cancelAnimationFrame(this.due);
    this.due = 0;
  }
}
