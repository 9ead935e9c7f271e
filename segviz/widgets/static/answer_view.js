// @ts-check
/** The answers under both masks, as they come; marks the first token at which they part. */
import { grow, mount, node, setText, tell } from "./common.js";

/** @typedef {{labels: string[], special: number[], state: string, note: string}} Answer */

/**
 * Where two answers part: the first token that differs, or that one has and the other, complete,
 * has not. -1 while they agree.
 * @param {Answer} a @param {Answer} b
 */
export function firstDifference(a, b) {
  const shorter = Math.min(a.labels.length, b.labels.length);
  for (let index = 0; index < shorter; index++) {
    if (a.labels[index] !== b.labels[index]) return index;
  }
  if (a.labels.length === b.labels.length) return -1;
  const short = a.labels.length < b.labels.length ? a : b;
  return short.state === "done" ? shorter : -1;
}

const EMPTY = { labels: [], special: [], state: "waiting", note: "" };
const NAMES = /** @type {const} */ (["causal", "segment"]);

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderAnswers({ model, el }) {
  const { scope, body } = mount(model, el, "sv-answers");
  const notice = node("div", "sv-notice", { role: "note" });
  const heading = node("div", "sv-heading", {}, "Answers");
  const columns = node("div", "sv-answer-columns");
  body.append(heading, notice, columns);
  const panels = NAMES.map((name) => {
    const panel = node("div", "sv-answer", { "data-mask": name });
    const state = node("span", "sv-state");
    const head = node("div", "sv-answer-head");
    head.append(node("span", "sv-answer-name", {}, `${name} mask`), state);
    const text = node("div", "sv-answer-text", {
      "aria-live": "polite",
      "aria-label": `answer under the ${name} mask`,
    });
    const note = node("div", "sv-hint");
    panel.append(head, text, note);
    columns.append(panel);
    return { panel, state, text, note, tokens: /** @type {HTMLElement[]} */ ([]) };
  });

  function update() {
    setText(notice, model.get("untuned") ?? "");
    notice.hidden = !notice.textContent;
    /** @type {Answer[]} */
    const answers = NAMES.map((name) => model.get(name) ?? EMPTY);
    const parting = firstDifference(answers[0], answers[1]);
    answers.forEach((answer, side) => {
      const { panel, state, text, note, tokens } = panels[side];
      panel.dataset.state = answer.state;
      setText(state, answer.state);
      setText(note, answer.note);
      note.hidden = !answer.note;
      const specials = new Set(answer.special);
      grow(tokens, text, answer.labels.length, () => node("span", "sv-answer-token"));
      answer.labels.forEach((label, index) => {
        setText(tokens[index], label);
        tokens[index].dataset.special = String(specials.has(index));
        tokens[index].dataset.parting = String(index === parting);
        tokens[index].title = index === parting ? "the answers part here" : `token ${index}`;
      });
    });
  }

  for (const name of [...NAMES, "untuned"]) scope.model(model, `change:${name}`, update);
  update();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderAnswers };
