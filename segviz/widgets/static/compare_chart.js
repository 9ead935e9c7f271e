// @ts-check
/** The divergence of the two runs at every token position, as a strip of bars. */
import { colorClass, grow, node, quoted, setText, tellHover, themeColor } from "./common.js";
import { columnsOf, inNats } from "./compare_numbers.js";
import { span } from "./plot.js";

/** @typedef {import("./segments.js").Segment} Segment */

const HEIGHT = 92;
const STEPS = /** @type {Record<string, number>} */ ({
  ArrowRight: 1,
  ArrowLeft: -1,
  PageDown: 10,
  PageUp: -10,
  End: Infinity,
  Home: -Infinity,
});

/**
 * @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model
 * @param {HTMLElement} parent @param {HTMLElement} el
 */
export function makeDivergence(scope, model, parent, el) {
  const element = node("div", "sv-divergence");
  const head = node("div", "sv-divergence-head");
  const legend = node("span", "sv-hint");
  head.append(node("span", "", {}, "KL divergence at every position"), legend);
  const plot = node("div", "sv-divergence-plot", {
    tabindex: "0",
    role: "slider",
    "aria-label": "divergence at a token position",
  });
  const canvas = /** @type {HTMLCanvasElement} */ (node("canvas", "", { "aria-hidden": "true" }));
  const top = node("span", "sv-divergence-top");
  const bars = node("div", "sv-divergence-bars", { "aria-hidden": "true" });
  plot.append(canvas, top);
  const readout = node("div", "sv-readout");
  element.append(head, plot, bars, readout);
  parent.append(element);
  /** @type {Float32Array|null} */ let values = null;
  /** @type {{position: number, parted: boolean}|null} */ let parting = null;
  /** @type {number|null} */ let at = null;
  /** @type {HTMLElement[]} */ const pool = [];
  const redraw = scope.frame(draw);

  /** @param {Float32Array|null} divergence @param {{position: number, parted: boolean}|null} where */
  function show(divergence, where) {
    values = divergence;
    parting = where;
    at = null;
    element.hidden = values === null;
    if (!values || !parting) return;
    plot.setAttribute("aria-valuemin", "0");
    plot.setAttribute("aria-valuemax", String(values.length - 1));
    setText(top, inNats(Math.max(...values)));
    setText(legend, `▾ ${parting.parted ? "here they part" : "the largest"}`);
    say();
    placeSegments();
    redraw();
  }

  function say() {
    if (!values || !parting) return;
    const position = at ?? parting.position;
    const text = `position ${position}${quoted(model.get("tokens"), position)} · ${inNats(values[position])}`;
    plot.setAttribute("aria-valuenow", String(position));
    plot.setAttribute("aria-valuetext", text);
    setText(readout, text);
  }

  function placeSegments() {
    /** @type {Segment[]} */ const segments = model.get("segments") ?? [];
    const width = plot.clientWidth;
    if (!values || !width) return;
    grow(pool, bars, segments.length, () => node("div"));
    for (const [index, segment] of segments.entries()) {
      const part = span(segment, 0, values.length, width);
      pool[index].className =
        `sv-bar sv-bar-x ${colorClass(index)} sv-${segment.attention}`;
      pool[index].hidden = part.length <= 0;
      setText(pool[index], part.length >= 22 ? segment.name : "");
      pool[index].title = segment.name;
      pool[index].style.transform = `translate(${part.start}px, 0)`;
      pool[index].style.width = `${Math.max(1, part.length - 1)}px`;
    }
  }

  function draw() {
    const context = canvas.getContext("2d");
    const width = plot.clientWidth;
    if (!context || !values || !parting || !width) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    const columns = columnsOf(values, canvas.width);
    const largest = Math.max(...columns, 1e-9);
    const step = canvas.width / columns.length;
    const gap = step >= 4 * ratio ? ratio : 0;
    const head = 14 * ratio;
    context.fillStyle = themeColor(element, "--sv-accent");
    columns.forEach((value, column) => {
      const height = Math.max(value > 0 ? 1 : 0, ((canvas.height - head) * value) / largest);
      const left = Math.round(column * step);
      const right = Math.max(left + 1, Math.round((column + 1) * step - gap));
      context.fillRect(left, canvas.height - height, right - left, height);
    });
    const middle = (/** @type {number} */ position) =>
      ((position + 0.5) * canvas.width) / /** @type {Float32Array} */ (values).length;
    if (at !== null) {
      context.fillStyle = themeColor(element, "--sv-muted");
      context.fillRect(Math.round(middle(at)), 0, Math.max(1, ratio), canvas.height);
    }
    const x = middle(parting.position);
    top.classList.toggle("sv-right", x < canvas.width / 4);
    const bar = ((canvas.height - head) * values[parting.position]) / largest;
    const tip = canvas.height - bar - 2 * ratio;
    context.fillStyle = themeColor(element, "--sv-mark");
    context.beginPath();
    context.moveTo(x - 5 * ratio, tip - 8 * ratio);
    context.lineTo(x + 5 * ratio, tip - 8 * ratio);
    context.lineTo(x, tip);
    context.fill();
  }

  /** @param {number|null} position */
  function point(position) {
    if (at === position) return;
    at = position;
    say();
    redraw();
  }

  scope.dom(plot, "pointermove", (event) => {
    if (!values) return;
    const box = plot.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    const position = Math.max(0, Math.min(values.length - 1, Math.floor(part * values.length)));
    point(position);
    tellHover(el, { query: position, key: null });
  });
  scope.dom(plot, "pointerleave", () => {
    point(null);
    tellHover(el, null);
  });
  scope.dom(plot, "keydown", (event) => {
    const by = STEPS[event.key];
    if (by === undefined || !values || !parting) return;
    const from = at ?? parting.position;
    point(Math.max(0, Math.min(values.length - 1, from + by)));
    tellHover(el, { query: /** @type {number} */ (at), key: null });
    event.preventDefault();
    event.stopPropagation();
  });
  scope.dom(plot, "blur", () => {
    point(null);
    tellHover(el, null);
  });
  scope.dom(el, "segviz-highlight", (event) => {
    const query = event.detail?.query;
    point(typeof query === "number" && values && query < values.length ? query : null);
  });
  scope.resize(plot, () => {
    placeSegments();
    redraw();
  });
  for (const name of ["segments", "tokens"]) {
    scope.model(model, `change:${name}`, () => {
      placeSegments();
      say();
    });
  }
  element.hidden = true;
  return { redraw, show };
}
