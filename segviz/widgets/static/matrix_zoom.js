// @ts-check
/** Zoom, pan and a cell cursor for a matrix; another matrix on the page may follow. */
import { node, setText } from "./common.js";
import { button } from "./controls.js";
import {
  cellOf,
  movedSight,
  sightAround,
  sightToTell,
  sightTold,
  sightWith,
  wholeSight,
  zoomedSight,
} from "./zoom.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {import("./matrix.js").Cell} Cell */

const STEP = 1.6;
/** Pixels that a press may move and still be a click. */
const SLACK = 4;
const ARROWS = /** @type {Record<string, [number, number]>} */ ({
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
});

/**
 * @param {import("./common.js").Scope} scope @param {Matrix} matrix @param {HTMLElement} el
 * @param {{click?: (cell: Cell) => void, undo?: () => void}} [actions] `click`: a cell was clicked,
 * or chosen by Enter; `undo`: it was the first half of a double-click
 */
export function makeZoom(scope, matrix, el, actions = {}) {
  const { plot } = matrix;
  plot.tabIndex = 0;
  plot.setAttribute("role", "application");
  plot.setAttribute(
    "aria-description",
    `Arrow keys move from cell to cell${actions.click ? ", Enter pins the query" : ""}; ` +
      "plus, minus and 0 zoom",
  );
  const element = node("div", "sv-zoom", { role: "group", "aria-label": "Zoom" });
  const minus = button(scope, "−", "zoom out (−)", () => zoom(1 / STEP), { label: "Zoom out" });
  const reset = button(scope, "1×", "show everything (0)", () => show(whole()), {
    className: "sv-zoom-times",
  });
  const plus = button(
    scope,
    "+",
    "zoom in (+); also Ctrl and the wheel, or a double-click. Drag to move, Shift and drag to zoom in on a box",
    () => zoom(STEP),
    { label: "Zoom in" },
  );
  element.append(minus, reset, plus);
  const rubber = node("div", "sv-rubber");
  rubber.hidden = true;
  plot.append(rubber);
  const whole = () => wholeSight(matrix.axes.rows, matrix.axes.columns);

  /** @param {import("./zoom.js").Sight} sight */
  function show(sight) {
    if (!matrix.axes.rows) return;
    matrix.setSight(sight);
    update();
    const detail = sightToTell(sight, matrix.down, matrix.across);
    el.dispatchEvent(new CustomEvent("segviz-zoom", { bubbles: true, detail }));
  }

  function update() {
    const { times } = matrix;
    const text = times < 9.95 ? `${Number(times.toFixed(1))}×` : `${Math.round(times)}×`;
    setText(reset, Number.isFinite(times) ? text : "1×");
    reset.setAttribute("aria-label", `Show everything; shown ${reset.textContent}`);
    const zoomed = times > 1.001;
    reset.toggleAttribute("disabled", !zoomed);
    minus.toggleAttribute("disabled", !zoomed);
    plot.classList.toggle("sv-zoomed", zoomed);
  }

  /** @param {number} factor @param {{x: number, y: number}} [at] in the plot, 0 to 1 */
  function zoom(factor, at = { x: 0.5, y: 0.5 }) {
    const { rows, columns } = matrix.axes;
    show(zoomedSight(matrix.sight, factor, at.x, at.y, rows, columns));
  }

  /** Where in the plot, 0 to 1. @param {{clientX: number, clientY: number}} event */
  function place({ clientX, clientY }) {
    const box = plot.getBoundingClientRect();
    return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
  }

  scope.dom(el, "segviz-zoom", (event) => {
    if (event.bubbles || !matrix.axes.rows) return;
    matrix.setSight(sightTold(event.detail, matrix.down, matrix.across));
    update();
  });
  scope.dom(
    plot,
    "wheel",
    (event) => {
      // Without a key the wheel scrolls the page; a pinch on a touch pad arrives as Ctrl.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
      zoom(Math.exp(-Math.max(-100, Math.min(100, pixels)) / 180), place(event));
    },
    { passive: false },
  );

  /** @type {Map<number, {x: number, y: number}>} */ const fingers = new Map();
  /** @type {{x: number, y: number, box: boolean, moved: boolean}|null} */ let press = null;
  scope.dom(plot, "pointerdown", (event) => {
    if (event.button !== 0) return;
    const at = place(event);
    fingers.set(event.pointerId, at);
    press = fingers.size === 1 ? { ...at, box: event.shiftKey, moved: false } : null;
  });
  scope.dom(plot, "pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const at = place(event);
    if (fingers.size === 2) {
      const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, one]) => one);
      const apart = (/** @type {{x: number, y: number}} */ one) =>
        Math.hypot(one.x - other.x, one.y - other.y) || 1e-3;
      fingers.set(event.pointerId, at);
      return zoom(apart(at) / apart(before), { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
    }
    if (!press) return;
    const { width, height } = matrix.box;
    if (!press.moved) {
      if (Math.hypot((at.x - press.x) * width, (at.y - press.y) * height) < SLACK) return;
      press.moved = true;
      plot.setPointerCapture(event.pointerId);
      plot.classList.toggle("sv-moving", !press.box);
    }
    if (press.box) return drawRubber(press, at);
    fingers.set(event.pointerId, at);
    const { rows, columns } = matrix.axes;
    if (matrix.times > 1.001) {
      show(movedSight(matrix.sight, before.x - at.x, before.y - at.y, rows, columns));
    }
  });
  /** @param {PointerEvent} event */
  const release = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    plot.classList.remove("sv-moving");
    if (press?.box && press.moved && event.type === "pointerup") zoomBox(press, place(event));
    rubber.hidden = true;
    // Kept until the click that follows has seen whether the pointer moved.
    if (event.type === "pointercancel") press = null;
  };
  scope.dom(plot, "pointerup", release);
  scope.dom(plot, "pointercancel", release);
  scope.dom(plot, "click", (event) => {
    const moved = !press || press.moved;
    press = null;
    if (moved || event.detail > 1) return;
    const cell = matrix.cellUnder(event);
    if (cell) actions.click?.(cell);
  });
  scope.dom(plot, "dblclick", (event) => {
    actions.undo?.();
    zoom(2, place(event));
  });

  /** @param {{x: number, y: number}} from @param {{x: number, y: number}} to */
  function drawRubber(from, to) {
    const { width, height } = matrix.box;
    rubber.hidden = false;
    Object.assign(rubber.style, {
      left: `${Math.max(0, Math.min(from.x, to.x)) * width}px`,
      top: `${Math.max(0, Math.min(from.y, to.y)) * height}px`,
      width: `${Math.abs(to.x - from.x) * width}px`,
      height: `${Math.abs(to.y - from.y) * height}px`,
    });
  }

  /** @param {{x: number, y: number}} from @param {{x: number, y: number}} to */
  function zoomBox(from, to) {
    const { sight, axes } = matrix;
    const cells = {
      row: sight.row + Math.min(from.y, to.y) * sight.rows,
      column: sight.column + Math.min(from.x, to.x) * sight.columns,
      rows: Math.abs(to.y - from.y) * sight.rows,
      columns: Math.abs(to.x - from.x) * sight.columns,
    };
    show(sightAround(cells, axes.rows, axes.columns));
  }

  /** The cell of the keyboard. @type {{row: number, column: number}|null} */ let cursor = null;
  const pointed = () => {
    const { mark, down, across, axes } = matrix;
    const inside = typeof mark?.query === "number" && typeof mark?.key === "number";
    if (cursor) return cursor;
    if (!inside) return { row: Math.floor(matrix.sight.row), column: Math.floor(matrix.sight.column) };
    const row = Math.floor(cellOf(down, Number(mark.query)));
    const column = Math.floor(cellOf(across, Number(mark.key)));
    return {
      row: Math.max(0, Math.min(axes.rows - 1, row)),
      column: Math.max(0, Math.min(axes.columns - 1, column)),
    };
  };
  scope.dom(plot, "keydown", (event) => {
    const { rows, columns } = matrix.axes;
    if (!rows || event.target !== plot || event.altKey || event.ctrlKey || event.metaKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) {
      const from = pointed();
      const by = event.shiftKey ? 10 : 1;
      // The first press shows where the cursor is.
      const [down, across] = cursor || matrix.mark ? arrow : [0, 0];
      cursor = {
        row: Math.max(0, Math.min(rows - 1, from.row + by * down)),
        column: Math.max(0, Math.min(columns - 1, from.column + by * across)),
      };
      if (matrix.times > 1.001) show(sightWith(matrix.sight, cursor.row, cursor.column));
      matrix.hover(matrix.cellFor(cursor.row, cursor.column));
    } else if (event.key === "+" || event.key === "=") zoom(STEP);
    else if (event.key === "-") zoom(1 / STEP);
    else if (event.key === "0") show(whole());
    else if (event.key === "Enter" && actions.click) {
      const { row, column } = pointed();
      actions.click(matrix.cellFor(row, column));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  for (const name of ["pointermove", "blur"]) {
    scope.dom(plot, name, () => {
      if (cursor && name === "blur") matrix.hover(null);
      cursor = null;
    });
  }
  update();
  return { element, update };
}
