// @ts-check
/** The prompt's source: messages or a text, edited in place; what is not taken stays to correct. */
import { grow, mount, node, onMessage, setText, tell } from "./common.js";
import { button } from "./controls.js";
import { movedMessage, rebased, same, withAnother, withChange, withoutMessage } from "./prompt_draft.js";
import { makeMessage } from "./prompt_message.js";

/** @typedef {import("./prompt_draft.js").Message} Message */

/** Milliseconds without typing after which an edit is sent. */
const PAUSE = 400;
/** Milliseconds after which an unanswered edit says why. */
const PATIENCE = 1500;
const BUSY = "sent; Python is busy and takes the edit when the running cell ends";
const TITLES = { tokens: "Tokens", text: "Text", chat: "Messages" };
const KEYS = {
  tokens: "",
  text: "Ctrl-Enter takes an edit at once",
  chat: "Ctrl-Enter takes an edit at once · Alt-↑ Alt-↓ move a message",
};
const UNKNOWN =
  "This prompt came as tokens; what they were made of is not known. Give a text or messages " +
  "to edit them here.";

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderPrompt({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-prompt");
  const heading = node("div", "sv-prompt-heading");
  const title = node("span", "sv-prompt-title");
  const note = node("span", "sv-hint sv-prompt-note", { role: "status" });
  const keys = node("span", "sv-hint sv-prompt-keys");
  heading.append(title, note, keys);
  const unknown = node("div", "sv-prompt-unknown", { role: "note" }, UNKNOWN);
  const tokens = node("div", "sv-message-parts", {
    tabindex: "0",
    role: "group",
    "aria-label": "text of the tokens, read-only",
  });
  const list = node("div", "sv-messages");
  const add = button(scope, "+ Add message", "add a message behind the others", addMessage);
  const said = node("span", "sv-prompt-said", { role: "status" });
  const takeBack = button(scope, "Take back", "go back to what the model runs", () => {
    draft = base;
    // Python clears what it had to say about the edit.
    send(true);
    focusOn(0);
  });
  const foot = node("div", "sv-controls sv-prompt-foot");
  foot.append(add, said, takeBack);
  body.append(heading, unknown, tokens, list, foot);

  /** @type {ReturnType<typeof makeMessage>[]} */ const rows = [];
  /** @type {HTMLElement[]} */ const elements = [];
  let kind = model.get("kind");
  /** What Python has, as of the last answer. */
  let base = current();
  let draft = base;
  /** The edit that Python has not answered. @type {{id: string, value: Message[]}|null} */
  let flight = null;
  /** The edit that Python did not take. @type {{value: Message[], why: string}|null} */
  let refusal = null;
  let timer = 0;
  let patience = 0;
  let waiting = false;
  let sent = 0;
  // One widget may be shown in several places, which all hear every answer.
  const sender = Math.random().toString(36).slice(2);

  /** @returns {Message[]} */
  function current() {
    if (model.get("kind") === "text") return [{ content: model.get("text") ?? "" }];
    return model.get("kind") === "chat" ? (model.get("messages") ?? []) : [];
  }

  function paint() {
    root.dataset.state = refusal ? "refused" : "";
    root.classList.toggle("sv-working", Boolean(model.get("busy")));
    setText(title, TITLES[/** @type {"text"} */ (kind)] ?? "");
    setText(note, model.get("note") ?? "");
    setText(keys, KEYS[/** @type {"text"} */ (kind)] ?? "");
    unknown.hidden = kind !== "tokens";
    setText(tokens, kind === "tokens" ? (model.get("text") ?? "") : "");
    tokens.hidden = !tokens.textContent;
    add.hidden = kind !== "chat";
    list.hidden = kind === "tokens";
    grow(elements, list, draft.length, (index) => {
      rows.push(makeMessage(scope, index, { edit, move, remove }));
      return rows[index].element;
    });
    const roles = model.get("roles") ?? [];
    draft.forEach((message, index) =>
      rows[index].show(message, draft.length, roles, kind === "text"),
    );
    draft.forEach((message, index) =>
      rows[index].element.classList.toggle("sv-edited", !same(message, base[index])),
    );
    takeBack.hidden = !refusal;
    setText(said, status());
    foot.hidden = add.hidden && !said.textContent;
  }

  function status() {
    if (refusal) return `not taken: ${refusal.why}`;
    const edited = kind !== "tokens" && !same(draft, base);
    if (model.static) return edited || sent ? "no Python behind this page: edits stay in it" : "";
    if (flight) return waiting ? BUSY : "sent …";
    return edited ? "edited …" : "";
  }

  // Edits

  /** @param {Message[]} next */
  function change(next) {
    draft = next;
    clearTimeout(timer);
    timer = window.setTimeout(send, PAUSE);
    paint();
  }

  /** @param {number} index @param {Message} part */
  function edit(index, part) {
    change(withChange(draft, index, part));
  }

  /** @param {number} index @param {number} by */
  function move(index, by) {
    const next = movedMessage(draft, index, by);
    if (next === draft) return;
    const focused = rows[index];
    const active = /** @type {Document|ShadowRoot} */ (root.getRootNode()).activeElement;
    const { selectionStart, selectionEnd } = focused.text;
    change(next);
    const row = rows[index + by];
    if (active === focused.text && !row.text.hidden) {
      row.text.focus();
      row.text.setSelectionRange(selectionStart, selectionEnd);
    } else {
      const [wanted, other] = by < 0 ? [row.up, row.down] : [row.down, row.up];
      (wanted.disabled ? other : wanted).focus();
    }
  }

  /** @param {number} index */
  function remove(index) {
    change(withoutMessage(draft, index));
    focusOn(Math.min(index, draft.length - 1));
  }

  function addMessage() {
    // Not sent yet: it waits for its text, or until it is left.
    draft = withAnother(draft, model.get("roles") ?? []);
    paint();
    focusOn(draft.length - 1);
  }

  /** @param {number} index */
  function focusOn(index) {
    const row = rows[index];
    if (row && index < draft.length) (row.text.hidden ? row.parts : row.text).focus();
  }

  function send(force = false) {
    clearTimeout(timer);
    timer = 0;
    if (scope.closed) return;
    const reached = refusal ? refusal.value : (flight?.value ?? base);
    if (!force && same(draft, reached)) return paint();
    const value = kind === "text" ? draft[0].content : draft;
    const id = `${sender} ${++sent}`;
    refusal = null;
    if (model.static) {
      base = draft;
      model.set(kind === "text" ? "text" : "messages", value);
    } else if (tell(model, { kind: "edit", of: kind, value, id })) {
      flight = { id, value: draft };
      wait();
    } else if (!same(draft, base)) {
      refusal = { value: draft, why: "the kernel is gone; run the cell again" };
    }
    paint();
  }

  function wait() {
    clearTimeout(patience);
    waiting = false;
    patience = window.setTimeout(() => {
      waiting = true;
      paint();
    }, PATIENCE);
  }

  onMessage(scope, model, "edited", (answer) => {
    if (!flight || answer.id !== flight.id) return;
    const { value } = flight;
    flight = null;
    clearTimeout(patience);
    refusal = answer.refused ? { value, why: answer.refused } : null;
    if (!refusal) draft = rebased(draft, value, current());
    base = current();
    paint();
  });

  /** Python has other messages now; what is being edited here stays. */
  function follow() {
    if (model.get("kind") !== kind) {
      kind = model.get("kind");
      clearTimeout(timer);
      flight = refusal = null;
      base = draft = current();
    } else if (!flight) {
      // Until an edit is answered these are its echo.
      draft = rebased(draft, base, current());
      base = current();
    }
    paint();
  }

  scope.dom(root, "keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    send(true);
    event.preventDefault();
    event.stopPropagation();
  });
  scope.dom(list, "focusout", (event) => {
    if (timer || event.target instanceof HTMLTextAreaElement) send();
  });
  for (const name of ["kind", "messages", "text"]) scope.model(model, `change:${name}`, follow);
  for (const name of ["roles", "note", "busy"]) scope.model(model, `change:${name}`, paint);
  scope.resize(list, scope.frame(() => rows.forEach((row) => row.fit())));
  scope.undo.push(() => [timer, patience].forEach(clearTimeout));
  paint();
  tell(model, { kind: "ready" });
  return () => {
    // What was typed last must not be lost with the view.
    if (timer) send();
    scope.close();
  };
}

export default { render: renderPrompt };
