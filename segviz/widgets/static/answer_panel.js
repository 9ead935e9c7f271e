// @ts-check
/** The answer under one mask: its tokens as they come, one of which may have the focus. */
import { chance, emptyWords, nextToken, placesAt, probabilityOf, unlikeliness } from "./answer_tokens.js";
import { grow, node, setText } from "./common.js";

/** @typedef {import("./answer_tokens.js").Answer} Answer */
/** @typedef {import("./answer_tokens.js").Likely} Likely */

const EMPTY = { labels: [], special: [], state: "waiting", note: "" };
/** The states of an answer of which more is to come. */
export const COMING = ["waiting", "running"];
/** Pixels from its end within which a text that grows is followed. */
const NEAR = 24;

/**
 * @param {import("./common.js").Scope} scope @param {string} mask
 * @param {{show: (token: HTMLElement, text: string, places: any[]) => void, hide: () => void,
 *   of: () => HTMLElement|null}} popover
 * @param {(index: number) => void} pick
 */
export function makePanel(scope, mask, popover, pick) {
  const element = node("div", "sv-answer", { "data-mask": mask });
  const state = node("span", "sv-state", { role: "status" });
  const head = node("div", "sv-answer-head");
  head.append(node("span", "sv-answer-name", {}, `${mask} mask`), state);
  const text = node("div", "sv-answer-text", {
    role: "group",
    dir: "auto",
    "aria-label": `answer under the ${mask} mask; arrow keys go from token to token`,
  });
  const empty = node("div", "sv-answer-empty");
  const note = node("div", "sv-hint");
  const spoken = node("div", "sv-spoken", { "aria-live": "polite" });
  element.append(head, text, empty, note, spoken);
  /** @type {HTMLElement[]} */ const tokens = [];
  /** What each token shows, so that a stream touches only what is new. @type {string[]} */
  const painted = [];
  /** @type {Answer} */ let answer = EMPTY;
  /** @type {Likely|null} */ let likely = null;
  let parting = -1;
  let picked = -1;
  let current = 0;

  function paint() {
    element.dataset.state = answer.state;
    setText(state, answer.state);
    setText(note, answer.note);
    note.hidden = !answer.note;
    setText(empty, emptyWords(answer.state));
    const count = answer.labels.length;
    empty.hidden = count > 0 || Boolean(answer.note);
    text.hidden = count === 0;
    setText(spoken, answer.state === "done" ? `${mask} mask: ${answer.labels.join("")}` : "");
    const specials = new Set(answer.special);
    grow(tokens, text, count, () => node("span", "sv-answer-token", { role: "button" }));
    current = Math.max(0, Math.min(current, count - 1));
    answer.labels.forEach((label, index) => paintToken(index, label, specials.has(index)));
    const shown = popover.of();
    if (shown && tokens.includes(shown)) {
      if (shown.hidden) popover.hide();
      else explain(shown);
    }
  }

  /** @param {number} index @param {string} label @param {boolean} special */
  function paintToken(index, label, special) {
    const probability = probabilityOf(likely, index, label);
    const marks = [special, index === parting, index === picked, index === current];
    const key = JSON.stringify([label, probability, ...marks]);
    if (painted[index] === key) return;
    painted[index] = key;
    const token = tokens[index];
    setText(token, label);
    token.dataset.special = String(special);
    token.dataset.parting = String(index === parting);
    token.setAttribute("aria-pressed", String(index === picked));
    token.tabIndex = index === current ? 0 : -1;
    token.classList.toggle("sv-known", !Number.isNaN(probability));
    token.style.setProperty("--sv-unlikely", `${unlikeliness(probability || 0)}%`);
    // Where there is a popover, a title would cover it.
    if (Number.isNaN(probability)) token.title = describe(index);
    else token.removeAttribute("title");
  }

  /** @param {number} index */
  function describe(index) {
    const parts = index === parting ? " · the answers part here" : "";
    return `token ${index}${parts} · click picks it: an explorer shows what it attends to`;
  }

  /** @param {EventTarget|null} target */
  const indexOf = (target) => tokens.indexOf(/** @type {HTMLElement} */ (target));

  /** @param {HTMLElement} token */
  function explain(token) {
    const index = indexOf(token);
    const places = placesAt(likely, index, answer.labels[index]);
    if (!places.length) return popover.hide();
    const own = chance(probabilityOf(likely, index, answer.labels[index]));
    const parts = index === parting ? " · the answers part here" : "";
    popover.show(token, `token ${index} · probability ${own}${parts}`, places);
  }

  /** @param {number} index */
  function focusOn(index) {
    current = index;
    paint();
    tokens[index]?.focus();
  }

  scope.dom(text, "pointerover", (event) => {
    if (indexOf(event.target) >= 0) explain(event.target);
  });
  scope.dom(text, "pointerleave", popover.hide);
  scope.dom(text, "focusin", (event) => {
    const index = indexOf(event.target);
    if (index < 0) return;
    current = index;
    paint();
    explain(event.target);
  });
  scope.dom(text, "focusout", popover.hide);
  scope.dom(text, "click", (event) => {
    if (indexOf(event.target) >= 0) pick(indexOf(event.target));
  });
  scope.dom(text, "keydown", (event) => {
    const index = indexOf(event.target);
    if (index < 0) return;
    const to = nextToken(event.key, index, answer.labels.length);
    if (to !== null) focusOn(to);
    else if (event.key === "Enter" || event.key === " ") pick(index);
    else if (event.key === "Escape") popover.hide();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    element,
    /** @param {Answer|undefined} next @param {number} part index of the token that differs, or -1 */
    update(next, part) {
      const before = COMING.includes(answer.state);
      answer = next ?? EMPTY;
      parting = part;
      const coming = COMING.includes(answer.state);
      // An answer that comes anew takes no room away: what stands below would jump.
      if (coming && !before) {
        const { height } = element.getBoundingClientRect();
        element.style.minHeight = `${height}px`;
      }
      const atEnd = coming && text.scrollHeight - text.scrollTop - text.clientHeight < NEAR;
      paint();
      if (atEnd) text.scrollTop = text.scrollHeight;
      if (!coming) element.style.minHeight = "";
    },
    /** @param {Likely} next */
    know(next) {
      likely = next;
      paint();
    },
    /** @param {number} index -1: none */
    mark(index) {
      picked = index;
      paint();
    },
    label: (/** @type {number} */ index) => answer.labels[index],
  };
}
