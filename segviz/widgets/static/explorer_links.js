// @ts-check
/** Links between the views inside the page: what happens in one shows in the others at once. */
import { totalLength, withResponse } from "./segments.js";

/** @typedef {import("./common.js").Model} Model */
/** @typedef {import("./common.js").Scope} Scope */
/** @typedef {import("./common.js").Tokens} Tokens */
/** @typedef {import("./segments.js").Segment} Segment */
/** @typedef {Record<string, HTMLElement>} Places where the views stand, by name */

/** Views that show the same part of the matrix. */
const ZOOMED = ["mask", "attention", "compare"];
/** Views that mark what the pointer is on in another one. */
const POINTED = ["strip", ...ZOOMED];

/**
 * A drag in the strip moves the borders of mask and attention without a trip to Python.
 * @param {Scope} scope @param {Model} strip @param {Model[]} followers @param {() => void} moved
 */
export function linkSegments(scope, strip, followers, moved) {
  const follow = () => {
    if (!followers.every(covers)) return;
    for (const follower of followers) {
      const joined = withResponse(strip.get("segments"), follower.get("segments") ?? []);
      if (JSON.stringify(joined) !== JSON.stringify(follower.get("segments"))) {
        // Not saved: Python links its own side, and a late echo must not undo a drag.
        follower.set("segments", joined);
      }
    }
  };
  /** A run's segments that cover another prompt than the strip's are not touched.
   * @param {Model} follower */
  const covers = (follower) => {
    const labels = follower.get("tokens")?.labels ?? [];
    const prompt = strip.get("tokens")?.labels ?? [];
    return prompt.every(
      (/** @type {string} */ label, /** @type {number} */ at) => labels[at] === label,
    );
  };
  scope.model(strip, "change:segments", () => {
    follow();
    moved();
  });
  for (const follower of followers) scope.model(follower, "change:segments", follow);
  follow();
}

/**
 * Forwards what a view says of itself to the views it concerns.
 * @param {Scope} scope @param {HTMLElement} root @param {Places} places
 */
export function linkEvents(scope, root, places) {
  /** @param {string[]} names @param {Event} from @param {string} type @param {any} [detail] */
  const pass = (names, from, type, detail) => {
    for (const name of names) {
      if (places[name].contains(/** @type {Node} */ (from.target))) continue;
      places[name].dispatchEvent(new CustomEvent(type, { detail }));
    }
  };
  scope.dom(root, "segviz-hover", (event) => {
    pass(POINTED, event, "segviz-highlight", event.detail);
  });
  scope.dom(root, "segviz-zoom", (event) => {
    // What a view was told does not come back: only bubbling events are its own.
    if (event.bubbles) pass(ZOOMED, event, "segviz-zoom", event.detail);
  });
  scope.dom(root, "segviz-pin", (event) => {
    pass(["strip"], event, "segviz-shade", event.detail);
    if (!event.detail) pass(["answer"], event, "segviz-unpin");
  });
  scope.dom(root, "segviz-unpin", (event) => {
    // What a view was told does not come back: only bubbling events are its own.
    if (event.bubbles) pass(["attention", "answer"], event, "segviz-unpin");
  });
}

/**
 * Without a kernel: another head or view shows what the page holds of it, or that it holds nothing.
 * @param {Scope} scope @param {HTMLElement} root @param {Model} model
 * @param {Record<string, Model>} views @param {HTMLElement} receipt where the check of the first
 * head stands
 */
export function linkStored(scope, root, model, views, receipt) {
  const { strip, answer, mask, attention, grid, compare } = views;
  const head = () => (model.get("reduce") === "head" ? model.get("head") : model.get("reduce"));
  const key = () => `${model.get("layer")} ${head()}`;
  const whole = () => `${model.get("view")} ${key()}`;
  const first = whole();
  const saved = JSON.stringify(strip.get("segments"));
  let known = true;

  function say() {
    const edited = JSON.stringify(strip.get("segments")) !== saved;
    for (const computed of [attention, compare]) computed.set("stale", edited);
    const page = edited ? "saved page: only the mask follows your edits" : "saved page";
    model.set("status", known ? page : missing());
  }

  function missing() {
    const reduce = model.get("reduce");
    if (reduce !== "head") return `this page holds no ${reduce} of the layer's heads`;
    return "this page holds that head as a thumbnail only: “All heads” shows it";
  }

  function recall() {
    known = Boolean(attention.recall?.(whole()));
    compare.recall?.(key());
    receipt.hidden = whole() !== first;
    say();
    if (!known) attention.clear?.("attention");
  }
  for (const name of ["view", "layer", "head", "reduce"]) {
    scope.model(model, `change:${name}`, recall);
  }
  scope.model(model, "change:view", () => grid.recall?.(model.get("view")));
  scope.model(strip, "change:segments", say);
  // The answers differ, and with them the positions that a run covers.
  scope.model(attention, "msg:custom", (content) => {
    if (content?.kind !== "attention" || content.clear) return;
    const run = answer.get(model.get("view") === "causal" ? "causal" : "segment");
    const tokens = joinedTokens(strip.get("tokens"), run, content.size[1]);
    const segments = withAnswer(strip.get("segments"), content.size[1]);
    for (const one of [attention, mask]) {
      one.set("tokens", tokens);
      one.set("segments", segments);
    }
  });
  scope.dom(root, "segviz-pick", ({ detail }) => {
    model.set("view", detail.mask);
    attention.set("pinned", strip.get("tokens").labels.length + detail.index);
  });
}

/**
 * The first tokens of a prompt and its answer.
 * @param {Tokens} prompt @param {Tokens} answer @param {number} length @returns {Tokens}
 */
export function joinedTokens(prompt, answer, length) {
  const before = prompt.labels.length;
  const special = [...prompt.special, ...answer.special.map((index) => index + before)];
  return {
    labels: [...prompt.labels, ...answer.labels].slice(0, length),
    special: special.filter((index) => index < length),
  };
}

/**
 * A prompt's segments, and one for what was generated up to a length.
 * @param {Segment[]} prompt @param {number} length @returns {Segment[]}
 */
function withAnswer(prompt, length) {
  const start = totalLength(prompt);
  if (length <= start) return prompt;
  return [...prompt, { start, stop: length, name: "response", attention: "causal" }];
}
