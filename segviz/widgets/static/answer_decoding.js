// @ts-check
/** How answers are decoded: greedy or sampled, and how long they may get. */
import { node, save } from "./common.js";
import { button, choice, numberField } from "./controls.js";

const GREEDY = { value: "greedy", text: "greedy", title: "always the likeliest token" };
const SAMPLE = { value: "sample", text: "sample", title: "tokens drawn by their probability" };
const SEEDS = 2 ** 31;

/** @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model */
export function makeDecoding(scope, model) {
  const element = node("div", "sv-decoding", { role: "group", "aria-label": "Decoding" });

  /** @param {Record<string, any>} changes */
  function set(changes) {
    model.set("decoding", { ...model.get("decoding"), ...changes });
    save(model);
  }

  const kind = choice(scope, "decoding", [GREEDY, SAMPLE], (value) =>
    set({ do_sample: value === SAMPLE.value }),
  );
  /** @param {string} name @param {string} title @param {string} setting @param {any} range */
  const field = (name, title, setting, range) => ({
    setting,
    ...numberField(scope, name, title, range, (value) => set({ [setting]: value })),
  });
  const length = field("max tokens", "how long the answers may get; 0: none", "max_new_tokens", {
    min: 0,
    max: 1e6,
    step: 1,
  });
  const sampling = [
    field("temperature", "above 1 evens the probabilities out, below 1 sharpens them", "temperature", {
      min: 0.01,
      max: 100,
      step: "any",
    }),
    field("top-p", "draw from the likeliest tokens that reach this probability together", "top_p", {
      min: 0.01,
      max: 1,
      step: "any",
    }),
    field("seed", "the same seed draws the same tokens", "seed", {
      min: 0,
      max: SEEDS,
      step: 1,
      empty: "any",
    }),
  ];
  const dice = button(scope, "new seed", "draw other tokens", () =>
    set({ seed: Math.floor(Math.random() * SEEDS) }),
  );
  element.append(kind.element, length.element, ...sampling.map((one) => one.element), dice);

  function update() {
    const settings = model.get("decoding") ?? {};
    kind.show(settings.do_sample ? SAMPLE.value : GREEDY.value);
    for (const one of [...sampling, length]) one.show(settings[one.setting] ?? null);
    for (const one of [...sampling.map((part) => part.element), dice]) {
      one.hidden = !settings.do_sample;
    }
  }

  scope.model(model, "change:decoding", update);
  update();
  return { element };
}
