// @ts-check
/** The lines of the head grid: a canvas and cells each, filled only where somebody looks. */
import { grow, node, setText, themeColor } from "./common.js";
import { paintSquare, shareColor } from "./heads.js";

/**
 * @typedef {{order: number[], heads: number, natural: boolean, cell: number, lefts: number[],
 *   width: number, place: number, bars: boolean}} Plan
 * `order` holds heads, counted through all layers; `lefts` the places of a line in pixels; `place`
 * is the width of one, and `cell` the side of the thumbnail in it. `bars`: whether there are bars.
 */
/**
 * @typedef {{name: string, label: string, value: string, share: number, chosen: boolean,
 *   thumbnail: Uint8Array|null, size: number, diverging: boolean, colors: Uint32Array}} Look
 * How a head is shown: `share` of the largest value for its bar, NaN where there is none.
 */
/**
 * @typedef {{element: HTMLElement, title: HTMLElement, strip: HTMLElement,
 *   canvas: HTMLCanvasElement, cells: HTMLElement[], filled: boolean}} Line
 */

const LABEL = 15;
const VALUE = 14;
const BAR = 4;
const BAR_GAP = 2;
/** Around the chosen head, in pixels: the same as in the style sheet. */
const FRAME = 4;

export class HeadRows {
  /**
   * @param {import("./common.js").Scope} scope @param {HTMLElement} root
   * @param {HTMLElement} scroller @param {(index: number) => Look} look
   * @param {() => void} onSight called when other lines are in sight
   */
  constructor(scope, root, scroller, look, onSight) {
    this.root = root;
    this.scroller = scroller;
    this.look = look;
    this.onSight = onSight;
    /** @type {Line[]} */
    this.lines = [];
    /** @type {Set<number>} */
    this.seen = new Set();
    /** The head that the tab key leads to. */
    this.active = 0;
    this.placeOf = new Int32Array(1);
    /** @type {Plan} */
    this.plan = {
      order: [],
      heads: 1,
      natural: true,
      cell: 0,
      lefts: [0],
      width: 0,
      place: 0,
      bars: false,
    };
    // What clips counts, too: the scrolled box, and the page around it.
    this.observer = new IntersectionObserver((entries) => this.notice(entries));
    scope.undo.push(() => this.observer.disconnect());
    this.refillSoon = scope.frame(() => this.refill());
  }

  get columns() {
    return this.plan.lefts.length;
  }

  get count() {
    return Math.ceil(this.plan.order.length / this.columns);
  }

  /** Height of a line's label, picture, bar and value, without the space between lines. */
  get heights() {
    const { natural, cell, bars } = this.plan;
    return {
      label: natural ? 0 : LABEL,
      picture: cell + (bars ? BAR_GAP + BAR : 0),
      value: natural ? 0 : VALUE,
      gap: natural ? (bars ? 6 : 3) : 8,
    };
  }

  get lineHeight() {
    const { label, picture, value, gap } = this.heights;
    return label + picture + value + gap;
  }

  /** @param {Plan} plan */
  arrange(plan) {
    this.plan = plan;
    this.placeOf = new Int32Array(plan.order.length);
    plan.order.forEach((index, place) => (this.placeOf[index] = place));
    const before = this.lines.length;
    while (this.lines.length < this.count) this.lines.push(this.makeLine());
    const height = this.lineHeight;
    this.lines.forEach(({ element, title, strip }, row) => {
      element.hidden = row >= this.count;
      element.style.height = `${height}px`;
      element.setAttribute("aria-rowindex", String(row + 1));
      title.hidden = !plan.natural;
      setText(title, plan.natural ? `L${row}` : "");
      strip.style.width = `${plan.width}px`;
    });
    for (const line of this.lines.slice(before)) this.observer.observe(line.element);
    for (const row of this.seen) if (row >= this.count) this.seen.delete(row);
    this.refill();
  }

  makeLine() {
    const element = node("div", "sv-heads-row", { role: "row" });
    element.dataset.row = String(this.lines.length);
    const title = node("div", "sv-heads-layer", { role: "rowheader" });
    const strip = node("div", "sv-heads-strip", { role: "presentation" });
    const canvas = /** @type {HTMLCanvasElement} */ (
      node("canvas", "sv-heads-picture", { "aria-hidden": "true", width: "0", height: "0" })
    );
    strip.append(canvas);
    element.append(title, strip);
    this.scroller.append(element);
    return { element, title, strip, canvas, cells: [], filled: false };
  }

  /** @param {IntersectionObserverEntry[]} entries */
  notice(entries) {
    for (const { target, isIntersecting } of entries) {
      const row = Number(/** @type {HTMLElement} */ (target).dataset.row);
      if (isIntersecting) this.seen.add(row);
      else this.seen.delete(row);
    }
    this.keepFilled(false);
    this.onSight();
  }

  /** First and last line in sight, or null. */
  get inSight() {
    return this.seen.size ? { first: Math.min(...this.seen), last: Math.max(...this.seen) } : null;
  }

  /** The lines that are kept filled: in sight, and those that scrolling will reach next. */
  near() {
    const sight = this.inSight;
    if (!sight) return { first: 0, last: -1 };
    const beyond = Math.ceil((sight.last - sight.first + 1) / 2);
    return {
      first: Math.max(0, sight.first - beyond),
      last: Math.min(this.count - 1, sight.last + beyond),
    };
  }

  /** What is filled, anew. */
  refill() {
    this.keepFilled(true);
  }

  /** @param {boolean} anew whether lines that are filled already change, too */
  keepFilled(anew) {
    const { first, last } = this.near();
    const active = this.lineOf(this.active);
    this.lines.forEach((line, row) => {
      const kept = (row >= first && row <= last) || row === active;
      if (!kept) release(line);
      else if (anew || !line.filled) this.fill(row);
    });
  }

  /** @param {number} index a head */
  lineOf(index) {
    return Math.floor(this.placeOf[index] / this.columns);
  }

  /** Lets the tab key lead to another head. @param {number} index */
  activate(index) {
    const before = this.active;
    this.active = index;
    this.renew(before, index);
  }

  /** Shows some heads anew, where they are shown. @param {...number} heads */
  renew(...heads) {
    for (const row of new Set([...heads, this.active].map((index) => this.lineOf(index)))) {
      if (this.lines[row]?.filled || row === this.lineOf(this.active)) this.fill(row);
    }
  }

  /** Shows some lines anew, where they are shown. @param {Iterable<number>} rows */
  renewLines(rows) {
    for (const row of rows) if (this.lines[row]?.filled) this.fill(row);
  }

  /** @param {number} row */
  fill(row) {
    const line = this.lines[row];
    const start = row * this.columns;
    const heads = this.plan.order.slice(start, start + this.columns);
    const looks = heads.map((index) => this.look(index));
    this.paint(line, looks);
    grow(line.cells, line.strip, heads.length, makeCell);
    heads.forEach((index, column) => this.show(line.cells[column], index, looks[column], column));
    line.filled = true;
  }

  /** @param {HTMLElement} cell @param {number} index @param {Look} look @param {number} column */
  show(cell, index, look, column) {
    const { lefts, natural, place } = this.plan;
    const { label, picture, value } = this.heights;
    cell.dataset.layer = String(Math.floor(index / this.plan.heads));
    cell.dataset.head = String(index % this.plan.heads);
    cell.style.left = `${lefts[column]}px`;
    cell.style.width = `${place}px`;
    cell.style.height = `${label + picture + value}px`;
    cell.setAttribute("aria-label", look.name);
    cell.setAttribute("aria-colindex", String(column + 1));
    cell.setAttribute("aria-selected", String(look.chosen));
    cell.tabIndex = index === this.active ? 0 : -1;
    const [name, number] = /** @type {HTMLElement[]} */ ([...cell.children]);
    setText(name, natural ? "" : look.label);
    setText(number, natural ? "" : look.value);
    name.hidden = number.hidden = natural;
  }

  /** @param {Line} line @param {Look[]} looks */
  paint(line, looks) {
    const { lefts, width, cell, place } = this.plan;
    const { label, picture } = this.heights;
    const ratio = window.devicePixelRatio || 1;
    const { canvas } = line;
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(picture * ratio));
    canvas.style.top = `${label}px`;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${picture}px`;
    const context = canvas.getContext("2d");
    if (!context) return;
    const image = new ImageData(canvas.width, canvas.height);
    const pixels = { data: new Uint32Array(image.data.buffer), width: canvas.width };
    const side = Math.max(1, Math.round(cell * ratio));
    const inset = (place - cell) / 2;
    const squares = looks.map((_, column) => ({
      left: Math.min(Math.round((lefts[column] + inset) * ratio), canvas.width - side),
      top: 0,
      side,
    }));
    looks.forEach(({ thumbnail, size, colors, diverging }, column) => {
      if (thumbnail) paintSquare(pixels, squares[column], thumbnail, size, colors, diverging);
    });
    context.putImageData(image, 0, 0);
    const track = themeColor(this.root, "--sv-line");
    const empty = themeColor(this.root, "--sv-soft");
    looks.forEach(({ thumbnail, share }, column) => {
      const { left } = squares[column];
      if (!thumbnail) {
        context.fillStyle = track;
        context.fillRect(left, 0, side, side);
        context.fillStyle = empty;
        context.fillRect(left + ratio, ratio, side - 2 * ratio, side - 2 * ratio);
      }
      if (!this.plan.bars || Number.isNaN(share)) return;
      // Its length says the same as its colour.
      const top = Math.round((cell + BAR_GAP) * ratio);
      const height = Math.round(BAR * ratio);
      context.fillStyle = track;
      context.fillRect(left, top, side, height);
      context.fillStyle = shareColor(share, this.root.dataset.theme ?? "light");
      context.fillRect(left, top, Math.max(share > 0 ? ratio : 0, share * side), height);
    });
  }

  /** The cell of a head, filled and scrolled into sight. @param {number} index */
  reveal(index) {
    const row = this.lineOf(index);
    const column = this.placeOf[index] % this.columns;
    if (!this.lines[row].filled) this.fill(row);
    this.scrollTo(this.lines[row], column);
    return this.lines[row].cells[column];
  }

  /** @param {Line} line @param {number} column */
  scrollTo({ element, strip }, column) {
    const box = this.scroller;
    const head = /** @type {HTMLElement} */ (box.firstElementChild);
    const above = head.hidden ? 0 : head.offsetHeight;
    const top = element.offsetTop - above - FRAME;
    const bottom = element.offsetTop + element.offsetHeight;
    if (box.scrollTop > top) box.scrollTop = top;
    else if (box.scrollTop + box.clientHeight < bottom) box.scrollTop = bottom - box.clientHeight;
    const left = this.plan.lefts[column];
    const right = strip.offsetLeft + left + this.plan.place + FRAME;
    if (box.scrollLeft > left) box.scrollLeft = left;
    else if (box.scrollLeft + box.clientWidth < right) {
      box.scrollLeft = Math.min(left, right - box.clientWidth);
    }
  }
}

/** Cells stay: one of them may hold the focus. @param {Line} line */
function release(line) {
  if (!line.filled) return;
  line.canvas.width = line.canvas.height = 0;
  for (const cell of line.cells) cell.tabIndex = -1;
  line.filled = false;
}

function makeCell() {
  const cell = node("div", "sv-heads-cell", { role: "gridcell" });
  cell.append(node("span", "sv-heads-name"), node("span", "sv-heads-value"));
  return cell;
}
