// @ts-check
/** One message: its role, its text, and buttons that move or remove it. */
import { node, setText } from "./common.js";
import { button } from "./controls.js";
import { partsText, rolesFor, same } from "./prompt_draft.js";

/** @typedef {import("./prompt_draft.js").Message} Message */
/**
 * What the hand did to a message.
 * @typedef {{
 *   edit: (index: number, change: Message) => void, move: (index: number, by: number) => void,
 *   remove: (index: number) => void
 * }} Actions
 */

/**
 * @param {import("./common.js").Scope} scope @param {number} index @param {Actions} actions
 */
export function makeMessage(scope, index, actions) {
  const element = node("div", "sv-message", { role: "group" });
  const role = /** @type {HTMLSelectElement} */ (node("select", "sv-message-role"));
  const text = /** @type {HTMLTextAreaElement} */ (
    node("textarea", "sv-message-text", { rows: "1", spellcheck: "false", dir: "auto" })
  );
  const parts = node("div", "sv-message-parts", {
    tabindex: "0",
    title: "this content has several parts; it is kept as it is",
  });
  const up = button(scope, "↑", "move up (Alt-↑)", () => actions.move(index, -1));
  const down = button(scope, "↓", "move down (Alt-↓)", () => actions.move(index, 1));
  const remove = button(scope, "✕", "remove this message", () => actions.remove(index));
  const buttons = node("div", "sv-message-buttons");
  buttons.append(up, down, remove);
  const kind = node("label", "sv-select");
  kind.append(role);
  element.append(kind, text, parts, buttons);
  /** @type {string[]} */ let offered = [];

  scope.dom(role, "change", () => actions.edit(index, { role: role.value }));
  scope.dom(text, "input", () => {
    fit();
    actions.edit(index, { content: text.value });
  });
  scope.dom(element, "keydown", (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[/** @type {string} */ (event.key)];
    if (!by || !event.altKey || buttons.hidden) return;
    actions.move(index, by);
    event.preventDefault();
    event.stopPropagation();
  });

  /** As high as its text, up to where it scrolls. */
  function fit() {
    if (!text.clientWidth) return;
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + 2}px`;
  }

  /**
   * @param {Message} message @param {number} count of all messages
   * @param {string[]} roles @param {boolean} plain a text, which has no role
   */
  function show(message, count, roles, plain) {
    const name = plain ? "prompt text" : `message ${index + 1}, ${message.role}`;
    element.setAttribute("aria-label", name);
    const own = message.role ?? "";
    const offer = rolesFor(roles, own);
    if (!same(offer, offered)) {
      offered = offer;
      role.replaceChildren(...offer.map((one) => node("option", "", { value: one }, one)));
    }
    if (role.value !== own) role.value = own;
    role.setAttribute("aria-label", `role of message ${index + 1}`);
    kind.hidden = buttons.hidden = plain;
    const editable = typeof message.content === "string";
    text.hidden = !editable;
    parts.hidden = editable;
    text.setAttribute("aria-label", name);
    parts.setAttribute("aria-label", `${name}, read-only`);
    if (editable) write(message.content);
    else setText(parts, partsText(message.content));
    up.disabled = index === 0;
    down.disabled = index === count - 1;
    remove.disabled = count === 1;
    remove.title = count === 1 ? "a chat has at least one message" : "remove this message";
    for (const [one, what] of /** @type {[HTMLElement, string][]} */ ([
      [up, "move up"],
      [down, "move down"],
      [remove, "remove"],
    ])) {
      one.setAttribute("aria-label", `${what}: ${name}`);
    }
  }

  /** The caret stays where it is. @param {string} content */
  function write(content) {
    // A text field has its own line ends; a value that differs only there is the same text.
    if (text.value !== content.replace(/\r\n?/g, "\n")) {
      const { selectionStart, selectionEnd, selectionDirection } = text;
      text.value = content;
      if (/** @type {Document|ShadowRoot} */ (text.getRootNode()).activeElement === text) {
        text.setSelectionRange(selectionStart, selectionEnd, selectionDirection);
      }
    }
    fit();
  }

  return { element, show, fit, text, role, parts, up, down };
}
