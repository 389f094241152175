// A canvas that is sharp on every screen: coordinates are CSS pixels.

export class Canvas {
  readonly element = document.createElement("canvas");
  readonly pen = this.element.getContext("2d")!;
  width = 0;
  height = 0;
  // Pixels of a sixteenth of a rem: lines and letters grow with the page's scale.
  unit = 1;

  private readonly observer: ResizeObserver;

  // `resized` is called when it has a size, and whenever that changes.
  constructor(resized: () => void) {
    this.element.setAttribute("role", "img");
    this.observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      if (!width || !height) return;
      const ratio = devicePixelRatio || 1;
      [this.width, this.height] = [width, height];
      this.unit = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
      [this.element.width, this.element.height] = [Math.round(width * ratio), Math.round(height * ratio)];
      this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      resized();
    });
    this.observer.observe(this.element);
  }

  clear(): void {
    this.pen.clearRect(0, 0, this.width, this.height);
  }

  close(): void {
    this.observer.disconnect();
  }
}

// The value of a custom property of the theme, for pens.
export function themed(element: Element, name: string): string {
  return getComputedStyle(element).getPropertyValue(name).trim();
}
