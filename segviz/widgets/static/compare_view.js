// @ts-check
/** Causal, segment and difference: one head's patterns, the mass that moves, the answers' parting. */
import { mount, node, setText, tell } from "./common.js";
import { makeFlow } from "./compare_flow.js";
import { makeMatrices } from "./compare_matrices.js";
import { makeParting } from "./compare_parting.js";

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderCompare({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-compare", () => {
    matrices.redraw();
    parting.redraw();
  });
  const notice = node("div", "sv-notice", { role: "note" });
  const waiting = node("div", "sv-compare-waiting", {}, "no comparison yet: it needs both runs");
  body.append(notice, waiting);
  /** @type {HTMLElement[]} */ const parts = [];
  const onChange = () => {
    waiting.hidden = parts.some((part) => !part.hidden);
  };
  const matrices = makeMatrices(scope, model, body, el, onChange);
  const flow = makeFlow(scope, model, body, onChange);
  const parting = makeParting(scope, model, body, el, onChange);
  parts.push(matrices.element, flow, parting.element);
  onChange();

  function update() {
    setText(notice, model.get("untuned") ?? "");
    notice.hidden = !notice.textContent;
    root.classList.toggle("sv-stale", Boolean(model.get("stale")));
  }

  // What is pointed at in one part is marked in all.
  scope.dom(el, "segviz-hover", (event) => {
    el.dispatchEvent(new CustomEvent("segviz-highlight", { detail: event.detail }));
  });
  for (const name of ["untuned", "stale"]) scope.model(model, `change:${name}`, update);
  update();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderCompare };
