// @ts-check
/** The controls of all views: they look alike, have a name, and work by keyboard. */
import { node, setText } from "./common.js";

/** @typedef {import("./common.js").Scope} Scope */

/**
 * A push button. Without a visible text give `label`, which is spoken.
 * @param {Scope} scope @param {string} text @param {string} title what it does, shown on hover
 * @param {() => void} action
 * @param {{label?: string, className?: string}} [options]
 */
export function button(scope, text, title, action, options = {}) {
  const element = /** @type {HTMLButtonElement} */ (
    node(
      "button",
      `sv-button ${options.className ?? ""}`,
      { type: "button", title, "aria-label": options.label ?? (text.length > 1 ? text : title) },
      text,
    )
  );
  scope.dom(element, "click", action);
  return element;
}

/**
 * A button that is on or off.
 * @param {Scope} scope @param {string} text @param {string} title @param {(on: boolean) => void} action
 */
export function toggle(scope, text, title, action) {
  const element = button(scope, text, title, () =>
    action(element.getAttribute("aria-pressed") !== "true"),
  );
  element.setAttribute("aria-pressed", "false");
  return { element, show: (/** @type {boolean} */ on) => press(element, on) };
}

/** @param {HTMLElement} element @param {boolean} on */
function press(element, on) {
  element.setAttribute("aria-pressed", String(on));
}

/** Not `disabled`: that would take the focus from a button that was just used.
 * @param {HTMLElement} element @param {boolean} allowed */
export function allow(element, allowed) {
  element.setAttribute("aria-disabled", String(!allowed));
}

/**
 * A drop-down with its name in front of it.
 * @param {Scope} scope @param {string} name @param {string} title
 * @param {{value: string, text: string, title?: string}[]} options
 * @param {(value: string) => void} action
 */
export function select(scope, name, title, options, action) {
  const element = node("label", "sv-select", { title });
  const box = /** @type {HTMLSelectElement} */ (node("select", "", { "aria-label": name }));
  element.append(node("span", "sv-control-name", {}, name), box);
  /** @param {{value: string, text: string, title?: string}[]} next */
  const fill = (next) => {
    box.replaceChildren(
      ...next.map(({ value, text, title: hint }) =>
        node("option", "", { value, ...(hint ? { title: hint } : {}) }, text),
      ),
    );
  };
  fill(options);
  scope.dom(box, "change", () => action(box.value));
  const show = (/** @type {string} */ value) => {
    if (box.value !== value) box.value = value;
  };
  return { element, box, show, fill };
}

/**
 * A few choices of which one holds, as joined buttons; arrow keys move between them.
 * @param {Scope} scope @param {string} name @param {{value: string, text: string, title?: string}[]} options
 * @param {(value: string) => void} action
 */
export function choice(scope, name, options, action) {
  const element = node("div", "sv-choice", { role: "radiogroup", "aria-label": name });
  const buttons = options.map(({ value, text, title }) =>
    node(
      "button",
      "",
      { type: "button", role: "radio", "data-value": value, ...(title ? { title } : {}) },
      text,
    ),
  );
  element.append(...buttons);
  buttons.forEach((one, index) => {
    scope.dom(one, "click", () => action(options[index].value));
    scope.dom(one, "keydown", (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[
        /** @type {string} */ (event.key)
      ];
      if (!by) return;
      const to = (index + by + options.length) % options.length;
      action(options[to].value);
      buttons[to].focus();
      event.preventDefault();
      event.stopPropagation();
    });
  });
  const show = (/** @type {string} */ value) => {
    buttons.forEach((one, index) => {
      const chosen = options[index].value === value;
      one.setAttribute("aria-checked", String(chosen));
      one.tabIndex = chosen ? 0 : -1;
    });
  };
  return { element, buttons, show };
}

/**
 * A number field with its name; calls `action` with the number when it is a valid one, and shows
 * the last valid one again when it is not.
 * @param {Scope} scope @param {string} name @param {string} title
 * @param {{min: number, max: number, step: number|"any", empty?: string}} range `empty`: what an
 * empty field means, if it is allowed; `action` then gets null
 * @param {(value: number|null) => void} action
 */
export function numberField(scope, name, title, range, action) {
  const element = node("label", "sv-number", { title });
  const box = /** @type {HTMLInputElement} */ (
    node("input", "", {
      type: "number",
      "aria-label": name,
      min: String(range.min),
      max: String(range.max),
      step: String(range.step),
      ...(range.empty ? { placeholder: range.empty } : {}),
    })
  );
  element.append(node("span", "sv-control-name", {}, name), box);
  /** @type {number|null} */ let last = null;
  const show = (/** @type {number|null} */ value) => {
    last = value;
    const text = value === null ? "" : String(value);
    if (box.value !== text) box.value = text;
    setInvalid(false);
  };
  /** @param {boolean} invalid */
  const setInvalid = (invalid) => box.setAttribute("aria-invalid", String(invalid));
  scope.dom(box, "input", () => setInvalid(!box.validity.valid));
  scope.dom(box, "change", () => {
    const empty = box.value === "" && box.validity.valid;
    if (!box.validity.valid || (empty && !range.empty)) return show(last);
    action(empty ? null : Number(box.value));
  });
  return { element, box, show };
}

/**
 * A section that can be folded away: its heading is a button.
 * @param {Scope} scope @param {string} title @param {(open: boolean) => void} action
 */
export function fold(scope, title, action) {
  const element = node("div", "sv-fold");
  const heading = node("button", "sv-fold-heading", { type: "button", "aria-expanded": "false" });
  heading.append(node("span", "sv-fold-mark", { "aria-hidden": "true" }, "▸"));
  const text = node("span", "sv-fold-title", {}, title);
  const hint = node("span", "sv-hint");
  heading.append(text, hint);
  const content = node("div", "sv-fold-content");
  content.hidden = true;
  element.append(heading, content);
  scope.dom(heading, "click", () => action(content.hidden));
  const show = (/** @type {boolean} */ open) => {
    content.hidden = !open;
    heading.setAttribute("aria-expanded", String(open));
    element.classList.toggle("sv-open", open);
  };
  return { element, content, show, setHint: (/** @type {string} */ say) => setText(hint, say) };
}
