// @ts-check
/** The page around a BertViz view: unpacks and runs it, and adds what the view leaves out. */

/**
 * What the view itself does not know; positions are counted from the first one shown.
 * @typedef {{
 *   view: "head" | "model" | "neuron",
 *   layers: number[],
 *   heads: number[],
 *   labels: string[],
 *   segments: {start: number, stop: number, name: string}[],
 *   kvHeads: number[] | null,
 *   spans: [number, number][][] | null,
 * }} Facts
 */
/** @typedef {{scripts: string[], params: any, facts: Facts}} Packed */

const SVG = "http://www.w3.org/2000/svg";
const GUTTER = { bracket: -12, foot: -7, name: -18 };
/** What a horizontal scroll bar takes at most, in pixels. */
const SCROLL_BAR = 18;

/** @param {string} text gzipped JSON in base64 @returns {Promise<Packed>} */
async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** @param {string} source */
function run(source) {
  const script = document.createElement("script");
  script.textContent = source;
  document.head.append(script);
}

/**
 * @param {string} name @param {Record<string, string | number>} attributes @param {string} [text]
 */
function drawn(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/** @param {string} selector @param {number} count @param {ParentNode} [root] */
function found(selector, count, root = document) {
  const elements = [...root.querySelectorAll(selector)];
  if (elements.length !== count) {
    throw new Error(`${selector}: ${elements.length} elements in the view, not ${count}`);
  }
  return elements;
}

/** BertViz's squares are in the order of the heads and have no numbers. @param {Facts} facts */
function numberHeads({ heads }) {
  const squares = found("#vis > svg > g:last-child > rect", heads.length);
  squares.forEach((square, i) => {
    const [x, y, size] = ["x", "y", "width"].map((name) => Number(square.getAttribute(name)));
    const place = { x: x + size / 2, y: y + size / 2, class: "sv-number" };
    square.after(drawn("text", place, String(heads[i])));
    const help = "click to show or hide it, double-click to show it alone";
    square.append(drawn("title", {}, `head ${heads[i]}: ${help}`));
  });
}

/** BertViz numbers the choices from 0. @param {Facts} facts */
function numberChoices({ layers, heads }) {
  for (const [selector, numbers] of /** @type {const} */ ([
    ["#layer", layers],
    ["#att_head", heads],
  ])) {
    found(`${selector} > option`, numbers.length).forEach((option, i) => {
      option.textContent = String(numbers[i]);
    });
  }
}

/** The whole label where the view shows a shortened one. @param {string} texts @param {Facts} facts */
function explainLabels(texts, { labels }) {
  const shown = [...document.querySelectorAll(texts)];
  shown.forEach((text, i) => {
    const whole = labels[i % labels.length];
    if (text.childElementCount || text.textContent === whole) return;
    text.append(drawn("title", {}, whole));
  });
}

/** Brackets beside the tokens. @param {string} rows @param {Facts} facts */
function bracketSegments(rows, { segments, labels }) {
  const spans = found(rows, labels.length).map((row) => {
    const top = Number(row.getAttribute("y"));
    return { top, bottom: top + Number(row.getAttribute("height")) };
  });
  const group = drawn("g", { class: "sv-segments" });
  for (const { start, stop, name } of segments) {
    const [top, bottom] = [spans[start].top + 2, spans[stop - 1].bottom - 2];
    const { foot, bracket } = GUTTER;
    group.append(drawn("path", { d: `M${foot} ${top}H${bracket}V${bottom}H${foot}` }));
    const middle = (spans[start].top + spans[start].bottom) / 2;
    const short = name.length > 11 ? `${name.slice(0, 10)}…` : name;
    const label = drawn("text", { x: GUTTER.name, y: middle }, short);
    label.append(drawn("title", {}, `${name}: token positions ${start} to ${stop - 1}`));
    group.append(label);
  }
  found("#vis > svg", 1)[0].append(group);
}

/**
 * The products of masked keys take no part in the softmax. BertViz hides those behind the query,
 * or none; what the mask hides is neither.
 * @param {Facts} facts
 */
function hideMasked({ spans }) {
  if (!spans) return;
  document.addEventListener("mouseover", ({ target }) => {
    const row = target instanceof Element ? target.closest("#leftText > g") : null;
    if (!row) return;
    const query = [...(row.parentElement?.children ?? [])].indexOf(row);
    const layer = /** @type {HTMLSelectElement} */ (found("#layer", 1)[0]).value;
    const [first, stop] = spans[Number(layer)][query];
    for (const selector of ["#product > g > .vector", "#dotproducts > rect"]) {
      document.querySelectorAll(selector).forEach((element, key) => {
        const seen = first <= key && key < stop;
        /** @type {SVGElement} */ (element).style.visibility = seen ? "" : "hidden";
      });
    }
  });
}

/** One list of keys per query head, as the view wants them. @param {any} params @param {Facts} facts */
function spreadKeys(params, { kvHeads }) {
  if (!kvHeads) return;
  for (const attention of Object.values(params.attention)) {
    attention.keys = attention.keys.map((/** @type {any[]} */ layer) =>
      kvHeads.map((number) => layer[number]),
    );
  }
}

/** The frame as high as the page, where there is one that may be touched. */
function fitFrame() {
  const frame = /** @type {HTMLElement | null} */ (window.frameElement);
  if (!frame) return;
  const fit = () => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const bar = scrollWidth > clientWidth ? SCROLL_BAR : 0;
    frame.style.height = `${Math.ceil(document.body.offsetHeight) + bar}px`;
  };
  new ResizeObserver(fit).observe(document.body);
  fit();
}

/** @type {Record<Facts["view"], (facts: Facts) => void>} */
const FINISH = {
  head(facts) {
    numberHeads(facts);
    bracketSegments("#left rect.background", facts);
    explainLabels("#left text, #right text", facts);
  },
  model(facts) {
    explainLabels("text.token", facts);
  },
  neuron(facts) {
    bracketSegments("#collapsed #leftText rect.highlight", facts);
    explainLabels("text.token", facts);
  },
};

/** @param {Packed} packed */
function start({ scripts, params, facts }) {
  document.documentElement.dataset.view = facts.view;
  spreadKeys(params, facts);
  const page = /** @type {any} */ (window);
  page.bertviz_params = params;
  const [d3, jquery, require, view] = scripts;
  run(d3);
  run(jquery);
  run(require);
  page.define("d3", [], () => page.d3);
  page.define("jquery", [], () => page.jQuery);
  run(view);
  // Called after the view's own function, which waits for the same two.
  page.requirejs(["jquery", "d3"], () => shown(() => finish(facts)));
}

/** @param {Facts} facts */
function finish(facts) {
  if (facts.view === "neuron") numberChoices(facts);
  FINISH[facts.view](facts);
  hideMasked(facts);
  // The views draw themselves again for another layer or head; the model view adds a detail.
  const redrawn = facts.view === "model" ? "#vis > svg" : "#vis";
  new MutationObserver(() => FINISH[facts.view](facts)).observe(found(redrawn, 1)[0], {
    childList: true,
  });
  fitFrame();
  document.documentElement.dataset.state = "shown";
}

/** An error is shown in the page, too. @param {() => void | Promise<void>} work */
async function shown(work) {
  try {
    await work();
  } catch (error) {
    const place = document.createElement("pre");
    place.textContent = `This view cannot be shown: ${error}`;
    document.body.append(place);
    fitFrame();
    throw error;
  }
}

const packed = document.getElementById("sv-packed")?.textContent;
if (packed) shown(async () => start(await unpacked(packed)));
