// @ts-check
/** A [query, key] matrix: canvas, axes, segment bars, borders, hover. Used by mask and attention. */
import { colorClass, grow, node, setText, themeColor } from "./common.js";
import { cellAt, span, tickStep } from "./plot.js";

/** @typedef {import("./segments.js").Segment} Segment */
/**
 * @typedef {{rows: number, columns: number, segments: Segment[], promptLength: number|null,
 *   tokens: {labels: string[], special: number[]}|null}} Axes
 * Rows and columns count positions; where there are fewer rows, they are the last positions.
 */

const BAR = 17;
const LARGEST = 620;

export class Matrix {
  /**
   * @param {import("./common.js").Scope} scope @param {HTMLElement} parent @param {HTMLElement} el
   * @param {string} label
   * @param {(context: CanvasRenderingContext2D, width: number, height: number) => void} paintImage
   * in device pixels
   */
  constructor(scope, parent, el, label, paintImage) {
    this.paintImage = paintImage;
    this.box = { left: 0, top: 0, width: 0, height: 0 };
    /** @type {Axes} */
    this.axes = { rows: 0, columns: 0, segments: [], promptLength: null, tokens: null };
    /** @type {{query: number|null, key: number|null}|null} */
    this.mark = null;
    this.hover = (/** @type {{query: number, key: number}|null} */ _cell) => {};
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
    scope.resize(this.frame, () => this.frame.clientWidth !== this.width && this.layoutSoon());
    scope.dom(this.plot, "pointermove", (event) => this.point(event));
    scope.dom(this.plot, "pointerleave", () => this.hover(null));
    scope.dom(el, "segviz-highlight", (event) => this.highlight(event.detail));
  }

  /** Positions that came before the first row. */
  get offset() {
    return Math.max(0, this.axes.columns - this.axes.rows);
  }

  /** @param {Axes} axes */
  setAxes(axes) {
    const old = this.axes;
    this.axes = axes;
    this.frame.dataset.rows = String(axes.rows);
    this.frame.dataset.columns = String(axes.columns);
    const same =
      old.rows === axes.rows && old.columns === axes.columns && old.tokens === axes.tokens;
    if (!same || !this.width) this.layout();
    else this.placeBars();
    this.overlaySoon();
  }

  /** @param {{query: number|null, key: number|null}|null} mark */
  highlight(mark) {
    this.mark = mark;
    this.overlaySoon();
  }

  /** @param {PointerEvent} event */
  point(event) {
    const frame = this.plot.getBoundingClientRect();
    const { rows, columns } = this.axes;
    if (!rows) return;
    const cell = cellAt(
      event.clientX - frame.left,
      event.clientY - frame.top,
      this.box,
      rows,
      columns,
    );
    this.hover(cell && { query: cell.row + this.offset, key: cell.column });
  }

  layout() {
    const { rows, columns, tokens } = this.axes;
    this.width = this.frame.clientWidth;
    if (!this.width || !rows) return;
    const wide = Math.min(this.width, LARGEST + 90);
    const fits = tokens !== null && (wide - BAR - 68) / Math.max(columns, rows) >= 11;
    const left = BAR + (fits ? 64 : 30);
    const top = BAR + (fits ? 64 : 18);
    const width = Math.max(40, Math.floor(wide - left - 1));
    const height = Math.max(24, Math.min(width * 1.5, Math.round((width * rows) / columns)));
    this.box = { left, top, width, height };
    this.fits = fits;
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
    this.placeTicks();
    this.placeBars();
    this.drawImage();
    this.drawOverlay();
  }

  placeBars() {
    const { rows, columns, segments } = this.axes;
    const { left, top, width, height } = this.box;
    if (!width) return;
    const sides = /** @type {const} */ ([
      ["xBars", "sv-bar-x", 0, columns, width],
      ["yBars", "sv-bar-y", this.offset, rows, height],
    ]);
    for (const [pool, name, first, count, pixels] of sides) {
      grow(this.pools[pool], this.frame, segments.length, () => node("div"));
      segments.forEach((segment, index) => {
        const bar = this.pools[pool][index];
        const part = span(segment, first, count, pixels);
        const across = pool === "xBars";
        bar.className = `sv-bar ${name} ${colorClass(index)} sv-${segment.attention}`;
        bar.hidden = part.length <= 0;
        setText(bar, part.length >= 22 ? segment.name : "");
        bar.title = segment.name;
        const [x, y] = across ? [left + part.start, top - BAR] : [left - BAR, top + part.start];
        bar.style.transform = `translate(${x}px, ${y}px)`;
        bar.style[across ? "width" : "height"] = `${Math.max(1, part.length - 1)}px`;
      });
    }
  }

  placeTicks() {
    const { rows, columns, tokens } = this.axes;
    const { left, top, width, height } = this.box;
    const sides = /** @type {const} */ ([
      ["xTicks", 0, columns, width],
      ["yTicks", this.offset, rows, height],
    ]);
    const specials = new Set(tokens?.special ?? []);
    for (const [pool, first, count, pixels] of sides) {
      const across = pool === "xTicks";
      const step = this.fits ? 1 : tickStep(count, pixels, across ? 34 : 22);
      const positions = [];
      for (let at = Math.ceil(first / step) * step; at < first + count; at += step)
        positions.push(at);
      grow(this.pools[pool], this.frame, positions.length, () => node("div"));
      positions.forEach((position, index) => {
        const tick = this.pools[pool][index];
        const middle = ((position - first + 0.5) * pixels) / count;
        tick.className = `sv-tick ${across ? "sv-tick-x" : "sv-tick-y"} ${this.fits ? "sv-text-tick" : ""}`;
        tick.dataset.special = String(Boolean(this.fits && specials.has(position)));
        setText(tick, this.fits ? (tokens?.labels[position] ?? "") : String(position));
        tick.style.left = across ? `${left + middle}px` : "0";
        tick.style.top = across ? "0" : `${top + middle}px`;
        tick.style.width = across ? "" : `${left - BAR - 5}px`;
        tick.style.height = across ? `${top - BAR - 4}px` : "";
      });
    }
    this.keyTitle.hidden = this.queryTitle.hidden = false;
  }

  drawImage() {
    const context = this.image.getContext("2d");
    if (!context || !this.box.width || !this.axes.rows) return;
    context.clearRect(0, 0, this.image.width, this.image.height);
    context.imageSmoothingEnabled = false;
    this.paintImage(context, this.image.width, this.image.height);
  }

  drawOverlay() {
    const context = this.overlay.getContext("2d");
    if (!context || !this.box.width || !this.axes.rows) return;
    const { rows, columns, segments, promptLength } = this.axes;
    const { width, height } = this.overlay;
    const ratio = width / this.box.width;
    context.clearRect(0, 0, width, height);
    const x = (/** @type {number} */ position) => Math.round((position * width) / columns);
    const y = (/** @type {number} */ position) =>
      Math.round(((position - this.offset) * height) / rows);
    const line = Math.max(1, Math.round(ratio));
    const inner = segments
      .slice(1)
      .map((segment) => segment.start)
      .filter((at) => at !== promptLength);
    for (const [shift, color] of /** @type {[number, string][]} */ ([
      [-1, themeColor(this.root, "--sv-border-under")],
      [0, themeColor(this.root, "--sv-border-over")],
    ])) {
      context.fillStyle = color;
      for (const at of inner) {
        context.fillRect(x(at) + shift * line, 0, line, height);
        if (y(at) > 0) context.fillRect(0, y(at) + shift * line, width, line);
      }
    }
    if (promptLength !== null && promptLength < columns) {
      this.dashes(context, x(promptLength), y(promptLength), width, height, ratio);
    }
    if (this.mark) this.drawMark(context, x, y, line);
  }

  /** The prefill/decode border.
   * @param {CanvasRenderingContext2D} context @param {number} x @param {number} y
   * @param {number} width @param {number} height @param {number} ratio */
  dashes(context, x, y, width, height, ratio) {
    for (const [color, dash] of /** @type {[string, number[]][]} */ ([
      [themeColor(this.root, "--sv-decode-under"), []],
      [themeColor(this.root, "--sv-decode"), [5 * ratio, 4 * ratio]],
    ])) {
      context.strokeStyle = color;
      context.lineWidth = 2 * ratio;
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, height);
      if (y > 0) {
        context.moveTo(0, y);
        context.lineTo(width, y);
      }
      context.stroke();
    }
    context.setLineDash([]);
  }

  /** @param {CanvasRenderingContext2D} context @param {(at: number) => number} x
   * @param {(at: number) => number} y @param {number} line */
  drawMark(context, x, y, line) {
    const { query, key } = this.mark ?? {};
    const { width, height } = this.overlay;
    // Frame the row and the column rather than tint them: the colours are data.
    for (const [color, out] of /** @type {[string, number][]} */ ([
      [themeColor(this.root, "--sv-border-under"), 2 * line],
      [themeColor(this.root, "--sv-mark"), line],
    ])) {
      context.fillStyle = color;
      if (typeof query === "number") {
        context.fillRect(0, y(query) - out, width, line);
        context.fillRect(0, y(query + 1) + out - line, width, line);
      }
      if (typeof key === "number") {
        context.fillRect(x(key) - out, 0, line, height);
        context.fillRect(x(key + 1) + out - line, 0, line, height);
      }
    }
  }
}
