// @ts-check
/** Links between the views inside the page: what happens in one shows in the others at once. */
import { withResponse } from "./segments.js";

/** @typedef {import("./common.js").Model} Model */
/** @typedef {import("./common.js").Scope} Scope */
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
 * @param {Scope} scope @param {Model} model @param {Record<string, Model>} views
 * @param {HTMLElement} receipt where the check of the first head stands
 */
export function linkStored(scope, model, { attention, grid, compare }, receipt) {
  const head = () => (model.get("reduce") === "head" ? model.get("head") : model.get("reduce"));
  const first = [model.get("view"), model.get("layer"), head()].join(" ");
  const recall = () => {
    const key = `${model.get("layer")} ${head()}`;
    const whole = `${model.get("view")} ${key}`;
    const known = attention.recall?.(whole);
    compare.recall?.(key);
    receipt.hidden = whole !== first;
    const missing = "this page holds that head as a thumbnail only: “All heads” shows it";
    model.set("status", known ? "saved page" : missing);
    if (!known) attention.clear?.("attention");
  };
  for (const name of ["view", "layer", "head", "reduce"]) {
    scope.model(model, `change:${name}`, recall);
  }
  scope.model(model, "change:view", () => grid.recall?.(model.get("view")));
}
