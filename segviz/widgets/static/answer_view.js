// @ts-check
/** The answers under both masks, as they come; marks the first token at which they part. */
import { makeDecoding } from "./answer_decoding.js";
import { COMING, makePanel } from "./answer_panel.js";
import { makePopover } from "./answer_popover.js";
import { firstDifference, readLikely } from "./answer_tokens.js";
import { mount, node, onMessage, save, setText, tell } from "./common.js";
import { allow, button, toggle } from "./controls.js";

const NAMES = /** @type {const} */ (["causal", "segment"]);

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderAnswers({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-answers");
  const stop = button(scope, "■ Stop", "stop the answers that are coming in", () => {
    if (coming()) tell(model, { kind: "stop" });
  });
  const again = button(scope, "↻ Run again", "run the model again", () =>
    tell(model, { kind: "run" }),
  );
  const decoding = makeDecoding(scope, model);
  const color = toggle(
    scope,
    "Colour by probability",
    "the less likely the model found a token, the stronger its colour",
    (on) => {
      model.set("colored", on);
      save(model);
    },
  );
  const legend = node("span", "sv-answer-legend", { title: color.element.title });
  legend.append("probability 1", node("span", "sv-answer-ramp", { "aria-hidden": "true" }), "0");
  const coloring = node("span", "sv-answer-coloring");
  coloring.append(legend, color.element);
  const bar = node("div", "sv-controls", { role: "toolbar", "aria-label": "Answers" });
  const heading = node("span", "sv-answer-heading", {}, "Answers");
  bar.append(heading, again, stop, decoding.element, coloring);
  const notice = node("div", "sv-notice", { role: "note" });
  const columns = node("div", "sv-answer-columns");
  body.append(bar, notice, columns);
  const popover = makePopover(scope, root);
  /** @type {{mask: string, index: number}|null} */ let picked = null;
  let known = false;

  const panels = NAMES.map((mask) => {
    const panel = makePanel(scope, mask, popover, (index) => pick(mask, index));
    columns.append(panel.element);
    onMessage(scope, model, `top ${mask}`, (content, arrays) => {
      const likely = readLikely(content, arrays);
      known ||= likely.own.length > 0;
      panel.know(likely);
      update();
    });
    return panel;
  });

  /** @param {string} mask @param {number} index */
  function pick(mask, index) {
    if (picked?.mask === mask && picked.index === index) {
      el.dispatchEvent(new CustomEvent("segviz-unpin", { bubbles: true }));
      return mark(null);
    }
    mark({ mask, index });
    el.dispatchEvent(
      new CustomEvent("segviz-pick", { bubbles: true, detail: { mask, index } }),
    );
  }

  /** @param {{mask: string, index: number}|null} next */
  function mark(next) {
    picked = next;
    NAMES.forEach((mask, side) => panels[side].mark(next?.mask === mask ? next.index : -1));
  }

  const coming = () => NAMES.some((name) => COMING.includes(model.get(name)?.state));

  function update() {
    const live = !model.static;
    const answers = NAMES.map((name) => model.get(name));
    const masks = model.get("masks") ?? NAMES;
    const both = masks.length > 1 && answers.every(Boolean);
    const parting = both ? firstDifference(answers[0], answers[1]) : -1;
    setText(notice, model.get("untuned") ?? "");
    notice.hidden = !notice.textContent;
    setText(heading, masks.length > 1 ? "Answers" : "Answer");
    NAMES.forEach((name, side) => {
      panels[side].element.hidden = !masks.includes(name);
      panels[side].update(answers[side], parting);
    });
    stop.hidden = !(live && model.get("can_stop"));
    // In its place all the time: a button that comes and goes moves those beside it.
    allow(stop, coming());
    again.hidden = decoding.element.hidden = !(live && model.get("can_run"));
    const colored = Boolean(model.get("colored"));
    root.classList.toggle("sv-colored", colored);
    color.show(colored);
    // Numbers come when an answer is done: the toggle must not come and go with each run.
    coloring.hidden = !known;
    legend.hidden = !colored;
  }

  /** A picked token that is another one now is picked no more. */
  function changed() {
    const side = NAMES.findIndex((name) => name === picked?.mask);
    const before = picked && panels[side].label(picked.index);
    update();
    if (picked && panels[side].label(picked.index) !== before) mark(null);
  }

  for (const name of NAMES) scope.model(model, `change:${name}`, changed);
  for (const name of ["untuned", "masks", "colored", "can_run", "can_stop"]) {
    scope.model(model, `change:${name}`, update);
  }
  scope.dom(el, "segviz-unpin", () => mark(null));
  update();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderAnswers };
