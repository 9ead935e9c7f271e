// @ts-check
/** The receipt: a line that says whether the mask is really applied, and how it was checked. */
import { grow, mount, node, save, setText, tell } from "./common.js";

/** @typedef {{label: string, value: string, ok: boolean|null}} Detail */

const SIGNS = /** @type {Record<string, string>} */ ({
  unknown: "–",
  checking: "…",
  ok: "✓",
  failed: "✗",
});
const SPOKEN = { true: "passed", false: "failed", null: "nothing to check" };
let receipts = 0;

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderReceipt({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-receipt");
  const line = node("div", "sv-receipt-line");
  const said = node("div", "sv-receipt-said", { role: "status" });
  const sign = node("span", "sv-receipt-sign", { "aria-hidden": "true" });
  const summary = node("span", "sv-receipt-summary");
  said.append(sign, summary);
  const list = node("ul", "sv-receipt-details", {
    id: `sv-receipt-${receipts++}`,
    "aria-label": "what was checked",
  });
  const more = node("button", "sv-receipt-more", {
    type: "button",
    title: "what was checked, and how",
    "aria-controls": list.id,
  });
  line.append(said, more);
  body.append(line, list);
  /** @type {HTMLElement[]} */ const items = [];

  function update() {
    const state = model.get("state");
    /** @type {Detail[]} */ const details = model.get("details") ?? [];
    root.dataset.state = state;
    setText(sign, SIGNS[state] ?? "");
    setText(summary, model.get("summary") ?? "");
    const open = Boolean(model.get("unfolded")) && details.length > 0;
    more.hidden = details.length === 0;
    setText(more, open ? "hide details" : "details");
    more.setAttribute("aria-expanded", String(open));
    line.classList.toggle("sv-receipt-opens", details.length > 0);
    list.hidden = !open;
    grow(items, list, details.length, receiptItem);
    details.forEach(({ label, value, ok }, index) => {
      const [mark, spoken, text] = /** @type {HTMLElement[]} */ ([...items[index].children]);
      const [name, number] = /** @type {HTMLElement[]} */ ([...text.children]);
      items[index].dataset.ok = String(ok);
      setText(mark, ok === null ? SIGNS.unknown : ok ? SIGNS.ok : SIGNS.failed);
      setText(spoken, `${SPOKEN[/** @type {"true"} */ (String(ok))]}: `);
      setText(name, `${label}: `);
      setText(number, value);
    });
  }

  // The whole line opens for the pointer; the button inside it is for the keyboard.
  scope.dom(line, "click", () => {
    if (more.hidden) return;
    model.set("unfolded", !model.get("unfolded"));
    save(model);
  });
  for (const name of ["state", "summary", "details", "unfolded"]) {
    scope.model(model, `change:${name}`, update);
  }
  update();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

function receiptItem() {
  const item = node("li", "sv-receipt-item");
  const text = node("span", "sv-receipt-text");
  text.append(node("span", "sv-receipt-label"), node("span", "sv-receipt-value"));
  item.append(
    node("span", "sv-receipt-sign", { "aria-hidden": "true" }),
    node("span", "sv-spoken"),
    text,
  );
  return item;
}

export default { render: renderReceipt };
