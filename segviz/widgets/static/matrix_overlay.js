// @ts-check
/** What is drawn over a matrix: segment borders, where decoding starts, the marked cell. */
import { cellOf } from "./zoom.js";

/**
 * @typedef {{context: CanvasRenderingContext2D, width: number, height: number, ratio: number,
 *   x(cell: number): number, y(cell: number): number, color(name: string): string,
 *   across: import("./zoom.js").Axis, down: import("./zoom.js").Axis}} Place
 * A canvas in device pixels, `ratio` of them to a pixel of the page.
 */
/** @typedef {import("./matrix.js").Mark} Mark */

/**
 * @param {Place} place @param {import("./segments.js").Segment[]} segments
 * @param {number|null} promptLength
 */
export function drawBorders(place, segments, promptLength) {
  const { context, width, height, ratio, x, y, across, down } = place;
  const line = Math.max(1, Math.round(ratio));
  const inner = segments
    .slice(1)
    .map((segment) => segment.start)
    .filter((at) => at !== promptLength);
  for (const [shift, color] of /** @type {[number, string][]} */ ([
    [-1, place.color("--sv-border-under")],
    [0, place.color("--sv-border-over")],
  ])) {
    context.fillStyle = color;
    for (const at of inner) {
      context.fillRect(x(cellOf(across, at)) + shift * line, 0, line, height);
      const row = cellOf(down, at);
      if (row > 0) context.fillRect(0, y(row) + shift * line, width, line);
    }
  }
  if (promptLength === null || promptLength >= across.stop) return;
  const row = cellOf(down, promptLength);
  for (const [color, dash] of /** @type {[string, number[]][]} */ ([
    [place.color("--sv-decode-under"), []],
    [place.color("--sv-decode"), [5 * ratio, 4 * ratio]],
  ])) {
    context.strokeStyle = color;
    context.lineWidth = 2 * ratio;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x(cellOf(across, promptLength)), 0);
    context.lineTo(x(cellOf(across, promptLength)), height);
    if (row > 0) {
      context.moveTo(0, y(row));
      context.lineTo(width, y(row));
    }
    context.stroke();
  }
  context.setLineDash([]);
}

/**
 * Frames the row and the column of a cell rather than tint them: the colours are data.
 * @param {Place} place @param {Mark} mark @param {Mark|null} pin whose row has its frame already
 */
export function drawMark(place, mark, pin) {
  const query = pin && pin.query === mark.query ? null : mark.query;
  frame(place, { ...mark, query }, Math.max(1, Math.round(place.ratio)));
}

/** The pinned row, in a heavier frame. @param {Place} place @param {Mark} pin */
export function drawPin(place, pin) {
  frame(place, { ...pin, key: null }, Math.max(2, Math.round(2 * place.ratio)));
}

/** @param {Place} place @param {Mark} mark @param {number} line */
function frame({ context, width, height, x, y, across, down, color }, mark, line) {
  const { query, key, queryStop, keyStop } = mark;
  // Whole cells: a token of a merged word marks the word.
  /** @param {import("./zoom.js").Axis} axis @param {number} from @param {number} [stop] */
  const cells = (axis, from, stop = from + 1) => [
    Math.floor(cellOf(axis, from)),
    Math.ceil(cellOf(axis, stop)),
  ];
  for (const [shade, out] of /** @type {[string, number][]} */ ([
    [color("--sv-border-under"), 2 * line],
    [color("--sv-mark"), line],
  ])) {
    context.fillStyle = shade;
    if (typeof query === "number") {
      const [first, last] = cells(down, query, queryStop);
      context.fillRect(0, y(first) - out, width, line);
      context.fillRect(0, y(last) + out - line, width, line);
    }
    if (typeof key === "number") {
      const [first, last] = cells(across, key, keyStop);
      context.fillRect(x(first) - out, 0, line, height);
      context.fillRect(x(last) + out - line, 0, line, height);
    }
  }
}
