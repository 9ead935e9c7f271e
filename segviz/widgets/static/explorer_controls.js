// @ts-check
/** The explorer's header: which layer, which head, which mask. */
import { node, setText } from "./common.js";
import { choice } from "./controls.js";

/** @typedef {import("./common.js").Model} Model */
/** @typedef {import("./common.js").Scope} Scope */
/** @typedef {(changes: Record<string, any>) => void} Choose */

const VIEWS = [
  { value: "causal", text: "causal", title: "attention under the causal mask" },
  { value: "segment", text: "segment", title: "attention under the segment mask" },
  { value: "difference", text: "difference", title: "segment minus causal" },
];

/** What a head select offers besides the heads. */
const REDUCED = [
  { value: "mean", text: "mean", title: "the mean over the layer's heads" },
  { value: "max", text: "max", title: "the largest value of any of the layer's heads" },
];

/**
 * @param {Scope} scope @param {Model} model @param {Choose} choose
 */
export function makeToolbar(scope, model, choose) {
  const element = node("div", "sv-toolbar", { role: "toolbar", "aria-label": "What is shown" });
  const layer = stepper(scope, model, choose, "layer");
  const head = stepper(scope, model, choose, "head");
  const views = choice(scope, "Attention under which mask", VIEWS, (view) => choose({ view }));
  element.append(layer.element, head.element, views.element);
  const update = () => {
    layer.update();
    head.update();
    views.show(model.get("view"));
  };
  return { element, update, stepLayer: layer.step, stepHead: head.step };
}

/**
 * A number with a step back and a step on.
 * @param {Scope} scope @param {Model} model @param {Choose} choose @param {"layer"|"head"} name
 */
function stepper(scope, model, choose, name) {
  const total = () => Number(model.get(`${name}s`));
  const element = node("div", "sv-stepper", { role: "group", "aria-label": `Choose the ${name}` });
  const select = /** @type {HTMLSelectElement} */ (node("select", "", { "aria-label": name }));
  /** @param {string} which @param {string} sign @param {string} key */
  const arrow = (which, sign, key) => {
    const label = `${which} ${name}`;
    const title = `${label} (${key}, with the focus on the attention view)`;
    return node("button", "", { type: "button", title, "aria-label": label }, sign);
  };
  const keys = name === "head" ? ["←", "→"] : ["↑", "↓"];
  const back = arrow("previous", "‹", keys[0]);
  const next = arrow("next", "›", keys[1]);
  const extra = node("span", "sv-hint");
  element.append(node("span", "sv-stepper-name", {}, name), back, select, next, extra);

  /** @param {number} value */
  const set = (value) => choose(name === "head" ? { head: value, reduce: "head" } : { layer: value });
  /** @param {number} by */
  const step = (by) => {
    const value = model.get(name) + by;
    if (value >= 0 && value < total()) set(value);
  };
  scope.dom(back, "click", () => step(-1));
  scope.dom(next, "click", () => step(1));
  scope.dom(select, "change", () => {
    if (REDUCED.some(({ value }) => value === select.value)) choose({ reduce: select.value });
    else set(Number(select.value));
  });

  /** @param {string} value @param {string} text @param {string} [title] */
  const option = (value, text, title) => node("option", "", title ? { value, title } : { value }, text);
  function fill() {
    const numbers = Array.from({ length: total() }, (_, at) => option(String(at), String(at)));
    const more = name === "head" ? REDUCED.map((one) => option(one.value, one.text, one.title)) : [];
    select.replaceChildren(...numbers, ...more);
  }

  function update() {
    const extras = name === "head" ? REDUCED.length : 0;
    if (select.options.length !== total() + extras) fill();
    const reduced = name === "head" && model.get("reduce") !== "head";
    select.value = reduced ? model.get("reduce") : String(model.get(name));
    back.toggleAttribute("disabled", model.get(name) <= 0);
    next.toggleAttribute("disabled", model.get(name) >= total() - 1);
    const groups = model.get("kv_heads");
    const shared = name === "head" && !reduced && groups && groups < total();
    setText(extra, shared ? `KV ${Math.floor((model.get(name) * groups) / total())}` : "");
    extra.title = shared ? `${total() / groups} query heads share one KV head` : "";
  }
  return { element, update, step };
}
