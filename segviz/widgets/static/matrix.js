// @ts-check
/** A [query, key] matrix: canvas, axes, segment bars, borders, hover. Used by mask and attention. */
import { colorClass, grow, node, setText, themeColor } from "./common.js";
import { drawBorders, drawMark, drawPin } from "./matrix_overlay.js";
import { cellAt, tickStep } from "./plot.js";
import { cellOf, magnification, positionsOf, wholeSight } from "./zoom.js";

/** @typedef {import("./segments.js").Segment} Segment */
/** @typedef {import("./zoom.js").Sight} Sight */
/** @typedef {import("./zoom.js").Axis} Axis */
/**
 * @typedef {{rows: number, columns: number, segments: Segment[], promptLength: number|null,
 *   tokens: {labels: string[], special: number[]}|null,
 *   rowStarts?: ArrayLike<number>|null, columnStarts?: ArrayLike<number>|null, stop?: number}} Axes
 * Rows and columns count cells, one for each position; where there are fewer rows, they are the
 * last ones. Cells that are groups give their first positions, and `stop` behind the last one;
 * `tokens` are then the labels of the columns.
 */
/**
 * @typedef {{query: number|null, key: number|null, queryStop?: number, keyStop?: number}} Mark
 * Token positions; the stops are there where a cell stands for several.
 */
/** @typedef {{query: number, key: number, queryStop?: number, keyStop?: number}} Cell */

const BAR = 17;
const LARGEST = 620;
/** Room for token labels beside the plot and above it, in pixels. */
const BESIDE = 56;
const ABOVE = 42;
/** A cell that is so large has a label, in pixels. */
const READABLE = 11;

export class Matrix {
  /**
   * @param {import("./common.js").Scope} scope @param {HTMLElement} parent @param {HTMLElement} el
   * @param {string} label
   * @param {(context: CanvasRenderingContext2D, width: number, height: number, sight: Sight) => void} paintImage
   * in device pixels
   * @param {{zoomable?: boolean}} [options]
   */
  constructor(scope, parent, el, label, paintImage, options = {}) {
    this.paintImage = paintImage;
    this.zoomable = Boolean(options.zoomable);
    this.box = { left: 0, top: 0, width: 0, height: 0 };
    /** @type {Axes} */
    this.axes = { rows: 0, columns: 0, segments: [], promptLength: null, tokens: null };
    /** @type {Axis} */
    this.across = { first: 0, count: 0, stop: 0, starts: null };
    /** @type {Axis} */
    this.down = this.across;
    this.sight = wholeSight(0, 0);
    /** @type {Mark|null} */
    this.mark = null;
    /** The outlined row. @type {Mark|null} */
    this.pin = null;
    this.hover = (/** @type {Cell|null} */ _cell) => {};
    this.frame = node("div", "sv-matrix");
    this.plot = node("div", "sv-plot", { role: "img", "aria-label": label });
    this.image = /** @type {HTMLCanvasElement} */ (node("canvas", "sv-image"));
    this.overlay = /** @type {HTMLCanvasElement} */ (node("canvas", "sv-overlay"));
    this.plot.append(this.image, this.overlay);
    this.keyTitle = node("span", "sv-axis sv-axis-key", {}, "key →");
    this.queryTitle = node("span", "sv-axis sv-axis-query", {}, "query ↓");
    this.frame.append(this.plot, this.keyTitle, this.queryTitle);
    parent.append(this.frame);
    /** @type {Record<string, HTMLElement[]>} */
    this.pools = { xBars: [], yBars: [], xTicks: [], yTicks: [] };
    this.root = parent;
    this.width = 0;
    this.layoutSoon = scope.frame(() => this.layout());
    this.imageSoon = scope.frame(() => this.drawImage());
    this.overlaySoon = scope.frame(() => this.drawOverlay());
    this.sightSoon = scope.frame(() => this.drawAll());
    // Measured at once: in the next frame a host may have the view out of the page for a moment.
    scope.resize(this.frame, () => {
      if (this.frame.clientWidth === this.width) return;
      this.width = this.frame.clientWidth;
      this.layoutSoon();
    });
    scope.dom(this.plot, "pointermove", (event) => this.point(event));
    scope.dom(this.plot, "pointerleave", () => this.hover(null));
    scope.dom(el, "segviz-highlight", (event) => this.highlight(event.detail));
  }

  /** Cells that came before the first row. */
  get offset() {
    return Math.max(0, this.axes.columns - this.axes.rows);
  }

  /** @param {Axes} axes */
  setAxes(axes) {
    const old = this.axes;
    this.axes = axes;
    const { rows, columns, rowStarts = null, columnStarts = null } = axes;
    const stop = axes.stop ?? columns;
    const first = rowStarts ? rowStarts[0] : this.offset;
    this.across = { first: 0, count: columns, stop, starts: columnStarts };
    this.down = { first, count: rows, stop, starts: rowStarts };
    this.frame.dataset.rows = String(rows);
    this.frame.dataset.columns = String(columns);
    const same = old.rows === rows && old.columns === columns && old.tokens === axes.tokens;
    if (old.rows !== rows || old.columns !== columns) this.sight = wholeSight(rows, columns);
    if (!same || !this.width) this.layout();
    else this.placeBars();
    this.overlaySoon();
  }

  /** @param {Sight} sight */
  setSight(sight) {
    this.sight = sight;
    this.sightSoon();
  }

  /** How many times larger than the whole it is shown. */
  get times() {
    return magnification(this.sight, this.axes.columns);
  }

  /** @param {Mark|null} mark */
  highlight(mark) {
    this.mark = mark;
    this.overlaySoon();
  }

  /** @param {Mark|null} pin */
  outline(pin) {
    this.pin = pin;
    this.overlaySoon();
  }

  /** @param {PointerEvent} event */
  point(event) {
    if (this.axes.rows) this.hover(this.cellUnder(event));
  }

  /** What is under the pointer, in token positions.
   * @param {MouseEvent} event @returns {Cell|null} */
  cellUnder(event) {
    const frame = this.plot.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    const inSight = cellAt(x, y, this.box, this.sight.rows, this.sight.columns, this.sight);
    if (!inSight) return null;
    return this.cellFor(
      Math.min(this.axes.rows - 1, inSight.row),
      Math.min(this.axes.columns - 1, inSight.column),
    );
  }

  /** @param {number} row @param {number} column @returns {Cell} */
  cellFor(row, column) {
    const [query, queryStop] = positionsOf(this.down, row);
    const [key, keyStop] = positionsOf(this.across, column);
    return this.axes.columnStarts ? { query, key, queryStop, keyStop } : { query, key };
  }

  layout() {
    const { rows, columns, tokens } = this.axes;
    this.width ||= this.frame.clientWidth;
    if (!this.width || !rows) return;
    const wide = Math.min(this.width, LARGEST + 90);
    // Where one can zoom in on labels, there is room for them from the start: nothing jumps.
    const readable = (wide - BAR - BESIDE - 4) / Math.max(columns, rows) >= READABLE;
    const roomy = tokens !== null && (this.zoomable || readable);
    const left = BAR + (roomy ? BESIDE : 30);
    const top = BAR + (roomy ? ABOVE : 18);
    const width = Math.max(40, Math.floor(wide - left - 1));
    const height = Math.max(24, Math.min(width * 1.5, Math.round((width * rows) / columns)));
    this.box = { left, top, width, height };
    this.roomy = roomy;
    this.frame.style.height = `${top + height + 1}px`;
    Object.assign(this.plot.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${width}px`,
      height: `${height}px`,
    });
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.image, this.overlay]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.keyTitle.style.right = `${this.width - left + 5}px`;
    this.keyTitle.style.top = "0";
    this.queryTitle.style.left = "0";
    this.queryTitle.style.top = `${top - 15}px`;
    this.drawAll();
  }

  drawAll() {
    this.placeTicks();
    this.placeBars();
    this.drawImage();
    this.drawOverlay();
  }

  /** Both sides: cells on it, first cell and cells in sight, pixels. */
  sides() {
    const { row, column, rows, columns } = this.sight;
    const { width, height } = this.box;
    return /** @type {const} */ ([
      ["x", this.across, column, columns, width],
      ["y", this.down, row, rows, height],
    ]);
  }

  placeBars() {
    const { segments } = this.axes;
    const { left, top, width } = this.box;
    if (!width) return;
    for (const [side, axis, first, count, pixels] of this.sides()) {
      const bars = this.pools[`${side}Bars`];
      grow(bars, this.frame, segments.length, () => node("div"));
      segments.forEach((segment, index) => {
        const bar = bars[index];
        /** @param {number} position */
        const at = (position) =>
          Math.max(0, Math.min(count, cellOf(axis, position) - first)) * (pixels / count);
        const start = at(segment.start);
        const length = at(segment.stop) - start;
        bar.className = `sv-bar sv-bar-${side} ${colorClass(index)} sv-${segment.attention}`;
        bar.hidden = length <= 0;
        setText(bar, length >= 22 ? segment.name : "");
        bar.title = segment.name;
        const [x, y] = side === "x" ? [left + start, top - BAR] : [left - BAR, top + start];
        bar.style.transform = `translate(${x}px, ${y}px)`;
        bar.style[side === "x" ? "width" : "height"] = `${Math.max(1, length - 1)}px`;
      });
    }
  }

  placeTicks() {
    const { tokens } = this.axes;
    const { left, top, width, height } = this.box;
    const { rows, columns } = this.sight;
    const fits = this.roomy && Math.min(width / columns, height / rows) >= READABLE;
    const specials = new Set(tokens?.special ?? []);
    for (const [side, axis, first, count, pixels] of this.sides()) {
      const across = side === "x";
      const before = across ? 0 : this.offset;
      const step = fits ? 1 : tickStep(count, pixels, across ? 34 : 22);
      const cells = [];
      for (let at = Math.ceil((first + before - 0.5) / step) * step; ; at += step) {
        if (at - before + 0.5 > first + count || at - before >= axis.count) break;
        if (at - before >= 0) cells.push(at - before);
      }
      grow(this.pools[`${side}Ticks`], this.frame, cells.length, () => node("div"));
      cells.forEach((cell, index) => {
        const tick = this.pools[`${side}Ticks`][index];
        const middle = ((cell - first + 0.5) * pixels) / count;
        tick.className = `sv-tick sv-tick-${side} ${fits ? "sv-text-tick" : ""}`;
        tick.dataset.special = String(fits && specials.has(cell + before));
        const label = fits ? (tokens?.labels[cell + before] ?? "") : positionsOf(axis, cell)[0];
        setText(tick, String(label));
        tick.style.left = across ? `${left + middle}px` : "0";
        tick.style.top = across ? "0" : `${top + middle}px`;
        tick.style.width = across ? "" : `${left - BAR - 5}px`;
        tick.style.height = across ? `${top - BAR - 4}px` : "";
      });
    }
  }

  drawImage() {
    const context = this.image.getContext("2d");
    if (!context || !this.box.width || !this.axes.rows) return;
    context.clearRect(0, 0, this.image.width, this.image.height);
    context.imageSmoothingEnabled = false;
    this.paintImage(context, this.image.width, this.image.height, this.sight);
  }

  drawOverlay() {
    const context = this.overlay.getContext("2d");
    if (!context || !this.box.width || !this.axes.rows) return;
    const { width, height } = this.overlay;
    const { row, column, rows, columns } = this.sight;
    context.clearRect(0, 0, width, height);
    const place = {
      context,
      width,
      height,
      ratio: width / this.box.width,
      x: (/** @type {number} */ cell) => Math.round(((cell - column) * width) / columns),
      y: (/** @type {number} */ cell) => Math.round(((cell - row) * height) / rows),
      across: this.across,
      down: this.down,
      color: (/** @type {string} */ name) => themeColor(this.root, name),
    };
    drawBorders(place, this.axes.segments, this.axes.promptLength);
    if (this.pin) drawPin(place, this.pin);
    if (this.mark) drawMark(place, this.mark, this.pin);
  }
}
