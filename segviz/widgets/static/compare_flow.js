// @ts-check
/** Segment × segment attention mass under both masks, the difference, and what moved in words. */
import { colorClass, node, onMessage, save, setText } from "./common.js";
import { busiest, hundredths, largestMoves, NAMES, signedHundredths } from "./compare_numbers.js";
import { choice } from "./controls.js";

/** @typedef {{names: string[], of: string[], pairs: Float32Array[]}} Flows */

const SHOWN = [
  { value: "head", text: "this head", title: "the mass of the chosen head" },
  { value: "layer", text: "layer mean", title: "the mean over the heads of its layer" },
  { value: "model", text: "all layers", title: "the mean over all heads of all layers" },
];
/** More segments than this leave no room for numbers. */
const MOST = 10;
const SENTENCES = 6;

/**
 * @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model
 * @param {HTMLElement} parent @param {() => void} onChange there is something to show, or nothing
 */
export function makeFlow(scope, model, parent, onChange) {
  const element = node("section", "sv-compare-part sv-flow", { "aria-label": "Mass between segments" });
  const head = node("div", "sv-compare-head");
  const picker = choice(scope, "mass of", SHOWN, (value) => {
    model.set("flow_of", value);
    save(model);
  });
  const title = node("div", "sv-heading", {}, "Mass between segments");
  const hint = node("span", "sv-hint");
  title.append(hint);
  head.append(title, picker.element);
  const tables = node("div", "sv-flow-tables");
  const movesTitle = node("div", "sv-moves-title", {}, "Moved most");
  const list = node("ul", "sv-moves", { "aria-label": "what moved most" });
  element.append(head, tables, movesTitle, list);
  parent.append(element);
  /** @type {Flows|null} */ let flows = null;

  function update() {
    element.hidden = flows === null;
    onChange();
    if (!flows) return;
    const { names, of } = flows;
    const index = Math.max(0, of.indexOf(model.get("flow_of")));
    picker.show(of[index]);
    picker.buttons.forEach((button, at) => (button.hidden = !of.includes(SHOWN[at].value)));
    picker.element.hidden = of.length < 2;
    const size = names.length;
    const pair = flows.pairs[index];
    const causal = pair.subarray(0, size * size);
    const segment = pair.subarray(size * size);
    const chosen = busiest(causal, segment, size, MOST);
    setText(
      hint,
      chosen.length < size
        ? `the ${MOST} of ${size} segments between which most moved`
        : "mean attention from query segment to key segment",
    );
    const change = segment.map((value, at) => value - causal[at]);
    tables.replaceChildren(
      ...[causal, segment, change].map((values, kind) =>
        flowTable(NAMES[kind], names, chosen, values, kind === 2),
      ),
    );
    const moved = largestMoves(causal, segment, size, SENTENCES);
    list.replaceChildren(
      ...(moved.length
        ? moved.map((move) => moveSentence(names, move))
        : [node("li", "sv-hint", {}, "nothing: every share stays within 0.005")]),
    );
  }

  onMessage(scope, model, "flows", (content, arrays) => {
    flows = content.clear
      ? null
      : { names: content.names, of: content.of, pairs: arrays.map(floats) };
    update();
  });
  scope.model(model, "change:flow_of", update);
  update();
  return element;
}

/** Float32 numbers of a buffer that may start anywhere.
 * @param {Uint8Array} buffer */
export function floats(buffer) {
  return new Float32Array(buffer.slice().buffer);
}

/**
 * @param {string} caption @param {string[]} names @param {number[]} chosen segments to show
 * @param {Float32Array} values [query segment, key segment] @param {boolean} diverging
 */
function flowTable(caption, names, chosen, values, diverging) {
  const box = node("div", "sv-flow-box", { tabindex: "0", role: "group", "aria-label": caption });
  const table = node("table", "sv-flow-table");
  table.append(node("caption", "", {}, caption));
  const header = node("tr");
  header.append(node("td", "sv-flow-corner", {}, "query ↓ key →"));
  for (const key of chosen) header.append(segmentName("th", names, key, { scope: "col" }));
  table.append(header);
  table.style.minWidth = `${78 + 39 * chosen.length}px`;
  const largest = Math.max(...values.map(Math.abs), 1e-9);
  for (const query of chosen) {
    const row = node("tr");
    row.append(segmentName("th", names, query, { scope: "row" }));
    for (const key of chosen) {
      const value = values[query * names.length + key];
      const text = diverging ? signedHundredths(value) : hundredths(value);
      const cell = node(
        "td",
        `${diverging ? direction(value) : ""} ${text === "0.00" ? "sv-none" : ""}`,
        { title: `${names[query]} → ${names[key]}: ${value.toFixed(4).replace("-", "−")}` },
        text,
      );
      // As in the pictures above: the square root tells small shares apart.
      const strength = Math.sqrt(Math.abs(value) / (diverging ? largest : 1));
      cell.style.setProperty("--sv-strength", `${Math.round(60 * strength)}%`);
      row.append(cell);
    }
    table.append(row);
  }
  box.append(table);
  return box;
}

/**
 * @param {string} tag @param {string[]} names @param {number} index
 * @param {Record<string, string>} [attributes]
 */
function segmentName(tag, names, index, attributes = {}) {
  return node(
    tag,
    `sv-segment-name ${colorClass(index)}`,
    { title: names[index], ...attributes },
    names[index],
  );
}

/** @param {number} change */
function direction(change) {
  return change < 0 ? "sv-less" : "sv-more";
}

/** @param {string[]} names @param {ReturnType<typeof largestMoves>[number]} move */
function moveSentence(names, { query, key, causal, segment, change }) {
  const item = node("li");
  item.append(
    segmentName("span", names, query),
    " → ",
    segmentName("span", names, key),
    `: ${hundredths(causal)} → ${hundredths(segment)} `,
    node("span", direction(change), {}, `(${signedHundredths(change)})`),
  );
  return item;
}
