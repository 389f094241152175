// What a page of one's own needs: docs/overlays.md shows it in use.

export { css, html, LitElement, nothing, render, svg } from "lit";
export { ask, post, Refused, rigs } from "../parts/api.ts";
export { Canvas, themed } from "../parts/canvas.ts";
export { feedOf, RigElement } from "../parts/element.ts";
export { entriesOf, Field, fieldOf, flagOf, sessionOf } from "../parts/field.ts";
export { clock, delta, fixed, inUnits, lapTime } from "../parts/format.ts";
export { Painter } from "../parts/painter.ts";
export { dress, settings } from "../parts/settings.ts";
export { Feed } from "../wire/feed.ts";
export { Message } from "../wire/reader.ts";
export { Table } from "../wire/table.ts";
