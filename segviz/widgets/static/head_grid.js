// @ts-check
/** All heads of all layers: a picture each, sorted and coloured by what they do; choose one. */
import { mount, node, save, setText, tell } from "./common.js";
import { select } from "./controls.js";
import { HeadData } from "./head_data.js";
import { makeDetail, makeScaleLegend, makeShareLegend } from "./head_detail.js";
import { makeHeadings } from "./head_headings.js";
import { HeadRows } from "./head_rows.js";
import { amount, lineOf, moved, NATURAL, placesOf, ranked, SUMMARIES, summaryOf } from "./heads.js";

const TITLE_WIDTH = 34;
/** Beside a line: the frame of the chosen head on either side, and a scroll bar. */
const MARGIN = 22;
const BETWEEN = 6;
/** The detail stands beside the grid where that leaves room for it. */
const DETAIL = 214;
const BESIDE = 640;
const PLACE = 60;
const RANKED_CELL = 52;
const DEBOUNCE = 120;

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderHeadGrid({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-heads", () => changed());
  const changedSoon = scope.frame(changed);
  const arrivedSoon = scope.frame(arrived);
  /** Layers that came since the last frame. @type {Set<number>} */
  const arrivals = new Set();
  const data = new HeadData(scope, model, (layer) => {
    if (layer === undefined) return changedSoon();
    arrivals.add(layer);
    arrivedSoon();
  });
  /** @type {number|null} */ let pointed = null;
  let focused = false;
  let width = 0;
  /** The largest value of the summary that colours. */
  let most = NaN;

  const toolbar = node("div", "sv-controls", {
    role: "toolbar",
    "aria-label": "Order and colours of the heads",
  });
  const names = SUMMARIES.map(({ name, about }) => ({ value: name, text: name, title: about }));
  const inOrder = { value: NATURAL, text: "layer" };
  const sort = select(scope, "sort by", "", [inOrder, ...names], (value) => put({ sort: value }));
  const plain = { value: "", text: "nothing" };
  const color = select(scope, "colour by", "", [plain, ...names], (value) => put({ color: value }));
  const shares = makeShareLegend();
  const scale = makeScaleLegend();
  toolbar.append(sort.element, color.element, shares.element, scale.element);
  const line = node("div", "sv-heads-line");
  const progress = node("div", "sv-heads-progress", { role: "progressbar", "aria-valuemin": "0" });
  const said = node("span");
  line.append(progress, said);
  const main = node("div", "sv-heads-main");
  const scroller = node("div", "sv-heads-scroller", {
    role: "grid",
    "aria-label": "All heads; arrow keys move, Enter chooses one",
  });
  main.append(scroller);
  const detail = makeDetail(main);
  body.append(toolbar, line, main);
  const headings = makeHeadings(scroller);
  const rows = new HeadRows(scope, root, scroller, look, sighted);

  const layers = () => Number(model.get("layers") ?? 0);
  const chosen = () => model.get("layer") * data.heads + model.get("head");
  const natural = () => model.get("sort") === NATURAL;

  /** What is known, or how it is shown, has changed. */
  function changed() {
    most = data.most(model.get("color"));
    arrange();
    showControls();
    showProgress();
    showDetail();
  }

  /** Layers came: where nothing else changes by that, only their lines are shown anew. */
  function arrived() {
    const before = most;
    most = data.most(model.get("color"));
    if (!natural() || !Object.is(most, before)) changed();
    else {
      rows.renewLines(arrivals);
      showControls();
      showProgress();
      showDetail();
    }
    arrivals.clear();
  }

  function arrange() {
    width ||= main.clientWidth;
    if (!width) return;
    const first = !rows.count;
    const room = width >= BESIDE ? width - DETAIL : width;
    scroller.style.maxWidth = `${room}px`;
    const held = focused;
    const { heads, kvHeads, count } = data;
    const bars = Boolean(model.get("color"));
    /** @type {Omit<import("./head_rows.js").Plan, "heads"|"bars">} */ let plan;
    if (natural()) {
      const { cell, lefts, width: whole } = lineOf(room - TITLE_WIDTH - MARGIN, heads, kvHeads);
      const order = Array.from({ length: count }, (_, index) => index);
      plan = { order, natural: true, cell, lefts, width: whole, place: cell };
    } else {
      const order = ranked(count, (index) => data.valueOf(index, model.get("sort")));
      const lefts = placesOf(room - MARGIN, PLACE, BETWEEN);
      const whole = lefts[lefts.length - 1] + PLACE;
      plan = { order, natural: false, cell: RANKED_CELL, lefts, width: whole, place: PLACE };
    }
    if (rows.active >= count) rows.active = 0;
    headings.show(plan, heads / kvHeads);
    rows.arrange({ ...plan, heads, bars });
    scroller.setAttribute("aria-rowcount", String(rows.count));
    scroller.setAttribute("aria-colcount", String(rows.columns));
    // Where ranks change the focus stays with its head.
    if (held) rows.reveal(rows.active).focus();
    else if (first && natural()) rows.reveal(chosen());
  }

  /** How a head is shown in the grid. @param {number} index */
  function look(index) {
    const { layer, head } = data.at(index);
    const color = model.get("color");
    const by = natural() ? color : model.get("sort");
    const value = by ? data.valueOf(index, by) : NaN;
    const number = Number.isNaN(value) ? "" : `, ${by} ${amount(value)}`;
    return {
      ...data.picture(index),
      name: [`layer ${layer}`, `head ${head}`, ...group(head)].join(", ") + number,
      label: `L${layer} H${head}`,
      value: amount(value),
      share: color ? data.valueOf(index, color) / (most || 1) : NaN,
      chosen: index === chosen(),
    };
  }

  /** The KV head, where heads share one. @param {number} head */
  function group(head) {
    const { heads, kvHeads } = data;
    return kvHeads < heads ? [`KV ${Math.floor((head * kvHeads) / heads)}`] : [];
  }

  function showDetail() {
    const index = pointed ?? (focused ? rows.active : chosen());
    const { layer, head } = data.at(index);
    const picture = data.picture(index);
    detail.show({
      ...picture,
      title: `layer ${layer}, head ${head}`,
      hint: [...group(head), ...(index === chosen() ? ["chosen"] : [])].join(" · "),
      note: picture.diverging ? "numbers of the segment run" : "",
      valueOf: (name) => data.valueOf(index, name),
    });
  }

  function showControls() {
    for (const [control, name] of /** @type {[typeof sort, string][]} */ ([
      [sort, "sort"],
      [color, "color"],
    ])) {
      control.show(model.get(name));
      control.element.title = summaryOf(model.get(name))?.about ?? "";
      for (const option of control.box.options) {
        const unknown = summaryOf(option.value) && Number.isNaN(data.most(option.value));
        option.disabled = data.layers.size > 0 && Boolean(unknown);
      }
    }
    shares.show(summaryOf(model.get("color")), most, root.dataset.theme ?? "light");
    scale.show(data.scale);
  }

  function showProgress() {
    const missing = data.known < layers();
    const text = `${data.known} of ${layers()} layers`;
    progress.hidden = !missing;
    progress.setAttribute("aria-valuenow", String(data.known));
    progress.setAttribute("aria-valuemax", String(layers()));
    progress.setAttribute("aria-valuetext", text);
    progress.style.setProperty("--sv-done", String(data.known / Math.max(1, layers())));
    setText(said, missing ? text : hint());
  }

  function hint() {
    const summary = summaryOf(model.get("sort")) ?? summaryOf(model.get("color"));
    if (!summary) return "point at a head to enlarge it, click to choose it";
    return `${summary.name}${natural() ? "" : ", highest first"}: ${summary.about}`;
  }

  /** Tells Python which layers are in sight, once scrolling has come to rest. */
  let timer = 0;
  let told = "";
  function sighted() {
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      const sight = rows.inSight;
      if (!sight) return;
      // A ranking needs all layers, whichever are in sight.
      const range = natural() ? sight : { first: 0, last: layers() - 1 };
      if (told === JSON.stringify(range)) return;
      told = JSON.stringify(range);
      tell(model, { kind: "visible", ...range });
    }, DEBOUNCE);
  }
  scope.undo.push(() => clearTimeout(timer));

  /** @param {Record<string, any>} values */
  function put(values) {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    save(model);
  }

  /** @param {number} index */
  function choose(index) {
    const head = data.at(index);
    put(head);
    el.dispatchEvent(new CustomEvent("segviz-choose", { bubbles: true, detail: head }));
  }

  /** @param {number} index */
  function focus(index) {
    rows.activate(index);
    rows.reveal(index).focus();
  }

  /** The head of the cell that an event is about, or null. @param {Event} event */
  function headOf(event) {
    const cell = /** @type {Element} */ (event.target).closest("[role=gridcell]");
    if (!(cell instanceof HTMLElement)) return null;
    return Number(cell.dataset.layer) * data.heads + Number(cell.dataset.head);
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    const index = headOf(event);
    if (index === null || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") choose(index);
    else {
      const page = Math.max(1, Math.floor(scroller.clientHeight / rows.lineHeight) - 1);
      const grid = { count: data.count, columns: rows.columns, page, wraps: !natural() };
      const place = moved(event, rows.placeOf[index], grid);
      if (place === null) return;
      focus(rows.plan.order[place]);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  scope.dom(scroller, "keydown", press);
  scope.dom(scroller, "click", (event) => {
    const index = headOf(event);
    if (index === null) return;
    focus(index);
    choose(index);
  });
  /** @param {number|null} index @param {boolean} [inside] */
  const attend = (index, inside = focused) => {
    pointed = index;
    focused = inside;
    showDetail();
  };
  scope.dom(scroller, "pointerover", (event) => attend(headOf(event)));
  scope.dom(scroller, "pointerleave", () => attend(null));
  scope.dom(scroller, "focusin", () => attend(pointed, true));
  scope.dom(scroller, "focusout", () => attend(pointed, false));

  let framed = chosen();
  const follow = scope.frame(() => {
    if (!width) return;
    // Chosen elsewhere: bring it into sight, but never away from where somebody works.
    if (!focused) {
      rows.activate(chosen());
      rows.reveal(chosen());
    }
    rows.renew(framed, chosen());
    framed = chosen();
    showDetail();
  });
  for (const name of ["layer", "head"]) scope.model(model, `change:${name}`, follow);
  for (const name of ["layers", "heads", "kv_heads", "color", "stale", "revision"]) {
    scope.model(model, `change:${name}`, changedSoon);
  }
  scope.model(model, "change:sort", () => {
    scroller.scrollTop = scroller.scrollLeft = 0;
    changedSoon();
    sighted();
  });
  // Measured at once: in the next frame a host may have the view out of the page for a moment.
  scope.resize(main, () => {
    if (main.clientWidth === width) return;
    width = main.clientWidth;
    changedSoon();
  });
  rows.active = chosen();
  changed();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderHeadGrid };
