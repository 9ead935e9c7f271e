// @ts-check
/** One head's attention as a heat map; the bytes come from Python, exact numbers on demand. */
import { makeBar } from "./attention_bar.js";
import { makeAttentionControls } from "./attention_controls.js";
import { Now } from "./attention_now.js";
import { hasAll, hatch, mergedPicture, paintable, pictureOf } from "./attention_picture.js";
import { makePin } from "./attention_pin.js";
import { makeReading } from "./attention_reading.js";
import { makeTiles } from "./attention_tiles.js";
import { groupLabels, makeReadout } from "./cell_text.js";
import { mount, node, onMessage, setText, tell, tellHover, themeColor } from "./common.js";
import { shadingOf } from "./heatmap.js";
import { Matrix } from "./matrix.js";
import { makeZoom } from "./matrix_zoom.js";
import { totalLength } from "./segments.js";

/** @typedef {import("./attention_picture.js").Picture} Picture */
/** @typedef {import("./heatmap.js").Part} Part */

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderAttention({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-attention", () => {
    matrix.imageSoon();
    matrix.overlaySoon();
  });
  const head = node("div", "sv-matrix-head");
  const heading = node("div", "sv-heading");
  body.append(head);
  const label = "Attention pattern, query down, key across";
  const matrix = new Matrix(scope, body, el, label, paint, { zoomable: true });
  const nothing = model.static ? "not in this page" : "no attention yet";
  const waiting = node("div", "sv-waiting", {}, nothing);
  matrix.plot.append(waiting);
  const now = new Now(model, matrix);
  const bar = makeBar(body);
  const say = makeReadout(body, "point at a cell to read it · click to pin its query");
  const controls = makeAttentionControls(scope, model);
  body.append(controls.element);

  const me = Math.random().toString(36).slice(2);
  const tiles = makeTiles(scope, model, me, () => matrix.imageSoon());
  const reading = makeReading(scope, now, me, read);
  const pin = makePin(scope, now, el, me, read);
  /** @type {number|null} what was pinned before a click that became a double-click */
  let before = null;
  const zoom = makeZoom(scope, matrix, el, {
    click: (cell) => {
      before = model.get("pinned");
      pin.toggle(cell);
    },
    undo: () => pin.set(before),
  });
  head.append(heading, pin.chip, zoom.element);
  /** As it came. @type {Picture|null} */ let given = null;
  /** @type {import("./heatmap.js").Shading} */ let shading;
  /** @type {WeakMap<Part, ReturnType<typeof paintable>>} */ let painters = new WeakMap();

  /** Another picture, or other groups: everything anew. */
  function rebuild() {
    const { segments, hideFirst } = now;
    now.picture = given && mergedPicture(given, model.get("merge"), segments, hideFirst);
    now.part = now.picture?.all ?? null;
    reshade();
    update();
    pin.follow();
  }

  /** Other colours for the same cells. */
  function reshade() {
    painters = new WeakMap();
    const { picture } = now;
    if (picture) {
      const starts = picture.columnStarts;
      // Where the first column is more than the first token, what it shows is without it already.
      const hides = now.hideFirst && (!starts || starts[1] === 1);
      shading = shadingOf(picture.all, picture.kind === "diverging", now.look, hides);
    }
    bar.show(picture, shading, picture?.all === picture?.base);
    controls.show();
    matrix.imageSoon();
  }

  function update() {
    const { picture, segments } = now;
    const keys = picture ? picture.size[1] : totalLength(segments);
    const rows = picture ? picture.size[0] : keys;
    const { rowStarts = null, columnStarts = null } = picture ?? {};
    matrix.setAxes({
      rows: rowStarts?.length ?? rows,
      columns: columnStarts?.length ?? keys,
      rowStarts,
      columnStarts,
      stop: keys,
      segments,
      promptLength: model.get("prompt_length") ?? null,
      tokens: labels(),
    });
    setText(heading, picture?.title || "Attention");
    heading.title = heading.textContent ?? "";
    waiting.hidden = picture !== null;
    root.classList.toggle("sv-stale", Boolean(model.get("stale")));
    const mergeable = !given || hasAll(given) || !model.static;
    controls.allow(mergeable && now.tokens !== null, mergeable && segments.length > 0);
    zoom.update();
    pin.show();
    read();
  }

  /** Of the columns. @returns {import("./common.js").Tokens|null} */
  function labels() {
    const { picture, tokens, segments } = now;
    if (!picture?.columnStarts) return tokens;
    const names =
      model.get("merge") === "segments"
        ? segments.map((segment) => segment.name)
        : groupLabels(tokens, picture.columnStarts, picture.size[1]);
    return { labels: names, special: [] };
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height
   * @param {import("./zoom.js").Sight} sight */
  function paint(context, width, height, sight) {
    const { picture } = now;
    if (!picture) return;
    // Masked cells let it show through.
    hatch(context, width, height, width / matrix.box.width, themeColor(root, "--sv-hatch"));
    if (shading.hides && sight.column < 1) {
      context.fillStyle = themeColor(root, "--sv-bg");
      const first = Math.round(((picture.all.factor - sight.column) * width) / sight.columns);
      context.fillRect(0, 0, first, height);
    }
    const { rows, columns } = matrix.axes;
    const whole = { rows, columns, factor: picture.all.factor };
    const part = tiles.tile(sight, Math.max(width, height), whole) ?? picture.all;
    const painter = painters.get(part) ?? paintable(part, shading, picture.table);
    painters.set(part, painter);
    painter(context, width, height, sight);
    bar.note(part.factor);
    if (now.part === part) return;
    now.part = part;
    if (now.hovered) matrix.hover(now.hovered);
  }

  /** The cell under the pointer, or else the pinned query. */
  function read() {
    const [text, number] = reading.read() ?? pin.read() ?? ["", ""];
    say(text, number);
  }

  matrix.hover = (cell) => {
    now.hovered = cell;
    const mark = reading.cell();
    matrix.highlight(mark);
    tellHover(el, mark);
    read();
  };

  onMessage(scope, model, "attention", (content, arrays) => {
    given = content.clear ? null : pictureOf(content, arrays);
    tiles.reset(given ? given.seq : -1);
    rebuild();
    matrix.drawImage();
    matrix.drawOverlay();
  });
  scope.dom(root, "keydown", (event) => {
    if (event.key !== "Escape" || typeof model.get("pinned") !== "number") return;
    pin.set(null);
    event.stopPropagation();
  });
  for (const name of ["merge", "hide_first"]) scope.model(model, `change:${name}`, rebuild);
  for (const name of ["scale", "normalize"]) scope.model(model, `change:${name}`, reshade);
  scope.model(model, "change:segments", () => {
    if (model.get("merge") === "tokens") update();
    else rebuild();
  });
  for (const name of ["tokens", "prompt_length", "stale"]) {
    scope.model(model, `change:${name}`, update);
  }
  rebuild();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderAttention };
