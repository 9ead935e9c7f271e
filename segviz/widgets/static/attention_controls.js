// @ts-check
/** The attention view's controls: how numbers become colours, and what a row and a column is. */
import { node, save, setText } from "./common.js";
import { button, select, toggle } from "./controls.js";

const SCALES = [
  { value: "sqrt", text: "square root", title: "small probabilities keep their differences" },
  { value: "linear", text: "linear", title: "twice the number, twice as far on the colour bar" },
  { value: "log", text: "logarithmic", title: "four powers of ten" },
  { value: "clipped", text: "clipped", title: "linear up to the 99th percentile" },
];
const MERGES = [
  { value: "tokens", text: "tokens" },
  { value: "words", text: "words", title: "columns summed, rows averaged" },
  { value: "segments", text: "segments", title: "columns summed, rows averaged" },
];

/**
 * @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model
 */
export function makeAttentionControls(scope, model) {
  /** @param {string} name @param {any} value */
  const choose = (name, value) => {
    model.set(name, value);
    save(model);
  };
  const element = node("div", "sv-controls", { role: "toolbar", "aria-label": "Attention view" });
  const scale = select(scope, "Scale", "how a number becomes a colour", SCALES, (value) =>
    choose("scale", value),
  );
  const merge = select(scope, "Merge", "what a row and a column is", MERGES, (value) =>
    choose("merge", value),
  );
  const hide = toggle(
    scope,
    "Hide first token",
    "leave out the first key, which often takes most of the attention",
    (on) => choose("hide_first", on),
  );
  const rows = toggle(
    scope,
    "Normalise rows",
    "each row relative to its own largest value",
    (on) => choose("normalize", on),
  );
  element.append(scale.element, merge.element, hide.element, rows.element);

  function show() {
    scale.show(model.get("scale"));
    merge.show(model.get("merge"));
    hide.show(Boolean(model.get("hide_first")));
    rows.show(Boolean(model.get("normalize")));
  }

  /** What may be merged. @param {boolean} words @param {boolean} segments */
  function allow(words, segments) {
    const [, toWords, toSegments] = merge.box.options;
    toWords.disabled = !words;
    toSegments.disabled = !segments;
  }
  return { element, show, allow };
}

/**
 * The pinned query, with the way out.
 * @param {import("./common.js").Scope} scope @param {() => void} unpin
 */
export function makeChip(scope, unpin) {
  const element = button(scope, "", "show no query's attention on the tokens any more (Escape)", unpin, {
    className: "sv-unpin",
    label: "Unpin",
  });
  const mark = node("span", "sv-unpin-mark", { "aria-hidden": "true" }, "✕");
  const text = node("span");
  element.append(text, mark);
  /** @param {string|null} query its position; null where none is pinned */
  const show = (query) => {
    element.hidden = query === null;
    setText(text, `Unpin ${query ?? ""}`);
    element.setAttribute("aria-label", `${text.textContent}, the query`);
  };
  show(null);
  return { element, show };
}
