// @ts-check
/** One head's attention as a heat map; the bytes come from Python, exact numbers on demand. */
import {
  mount,
  node,
  onMessage,
  pixel,
  quoted,
  setText,
  tell,
  tellHover,
  themeColor,
} from "./common.js";
import { Matrix } from "./matrix.js";
import { barPosition, barTicks, format, MASKED, pool, valueOf } from "./plot.js";
import { totalLength } from "./segments.js";

/**
 * @typedef {{data: Uint8Array, rows: number, columns: number, size: [number, number],
 *   table: Uint8Array, scale: string, maximum: number, factor: number, title: string,
 *   seq: number}} Picture
 */

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderAttention({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-attention", () => {
    matrix.imageSoon();
    matrix.overlaySoon();
  });
  const heading = node("div", "sv-heading", {}, "Attention");
  body.append(heading);
  const matrix = new Matrix(scope, body, el, "Attention pattern, query down, key across", paint);
  const waiting = node("div", "sv-waiting", {}, "no attention yet");
  matrix.plot.append(waiting);
  const bar = makeBar();
  const readout = node("div", "sv-readout", { "aria-live": "off" });
  body.append(bar.element, readout);
  /** @type {Picture|null} */ let picture = null;
  /** @type {{query: number, key: number}|null} */ let hovered = null;
  /** @type {{id: string, query: number, key: number, since: number}|null} */ let asked = null;
  /** @type {{seq: number, query: number, key: number, value: number|null}|null} */ let exact =
    null;
  const me = Math.random().toString(36).slice(2);
  let questions = 0;

  function update() {
    const keys = picture ? picture.size[1] : totalLength(model.get("segments") ?? []);
    const rows = picture ? picture.size[0] : keys;
    const tokens = model.get("tokens");
    matrix.setAxes({
      rows,
      columns: keys,
      segments: model.get("segments") ?? [],
      promptLength: model.get("prompt_length") ?? null,
      tokens: tokens?.labels.length ? tokens : null,
    });
    waiting.hidden = picture !== null;
    root.classList.toggle("sv-stale", Boolean(model.get("stale")));
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  function paint(context, width, height) {
    if (!picture) return;
    hatch(context, width, height);
    const { data, rows, columns } = pool(
      picture.data,
      picture.rows,
      picture.columns,
      height,
      width,
      picture.scale === "diverging",
    );
    const colors = new Uint32Array(256);
    for (let byte = 1; byte < 256; byte++) {
      const [r, g, b] = picture.table.subarray(3 * byte, 3 * byte + 3);
      colors[byte] = pixel(r, g, b);
    }
    colors[MASKED] = 0;
    const pixels = new Uint32Array(rows * columns);
    for (let index = 0; index < pixels.length; index++) pixels[index] = colors[data[index]];
    const canvas = new OffscreenCanvas(columns, rows);
    canvas
      .getContext("2d")
      ?.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), columns, rows), 0, 0);
    context.drawImage(canvas, 0, 0, width, height);
  }

  /** Masked cells let this show through.
   * @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  function hatch(context, width, height) {
    const ratio = width / matrix.box.width;
    context.strokeStyle = themeColor(root, "--sv-hatch");
    context.lineWidth = ratio;
    context.beginPath();
    for (let at = -height; at < width; at += 6 * ratio) {
      context.moveTo(at, height);
      context.lineTo(at + height, 0);
    }
    context.stroke();
  }

  onMessage(scope, model, "attention", (content, [data, table]) => {
    if (content.clear) picture = null;
    else {
      const [rows, columns] = content.arrays[0].shape;
      picture = { ...content, rows, columns, data, table };
    }
    exact = null;
    setText(heading, picture?.title || "Attention");
    if (picture && picture.factor > 1) {
      heading.append(
        node(
          "span",
          "sv-hint",
          {},
          `each cell is the largest of ${picture.factor} × ${picture.factor}`,
        ),
      );
    }
    bar.show(picture);
    update();
    matrix.drawImage();
    matrix.drawOverlay();
    if (hovered) read();
  });

  /** The picture's cell under a pair of positions.
   * @param {{query: number, key: number}} cell */
  function byteAt({ query, key }) {
    if (!picture) return MASKED;
    const row = Math.floor((query - matrix.offset) / picture.factor);
    const column = Math.floor(key / picture.factor);
    return picture.data[row * picture.columns + column];
  }

  function read() {
    if (!hovered || !picture) return setText(readout, "");
    const { query, key } = hovered;
    const tokens = model.get("tokens");
    const byte = byteAt(hovered);
    const known = exact && exact.seq === picture.seq && exact.query === query && exact.key === key;
    let number = "masked";
    if (byte !== MASKED) {
      number =
        known && exact?.value !== null && exact
          ? format(/** @type {number} */ (exact.value))
          : `≈ ${format(valueOf(byte, picture.scale, picture.maximum))}`;
      if (!known) ask();
    }
    setText(
      readout,
      `query ${query}${quoted(tokens, query)} · key ${key}${quoted(tokens, key)} · ${number}`,
    );
    readout.title = readout.textContent ?? "";
  }

  /** One question at a time; the next is about where the pointer is then. */
  function ask() {
    if (!hovered || !picture || model.static) return;
    if (asked && performance.now() - asked.since < 2000) return;
    asked = { id: `${me}-${questions++}`, ...hovered, since: performance.now() };
    const { factor } = picture;
    tell(model, {
      kind: "value",
      id: asked.id,
      seq: picture.seq,
      query: Math.floor((asked.query - matrix.offset) / factor) * factor,
      key: Math.floor(asked.key / factor) * factor,
    });
  }

  scope.model(model, "msg:custom", (content) => {
    if (content?.kind !== "value" || !asked || content.id !== asked.id) return;
    const { query, key } = asked;
    asked = null;
    if (content.seq === picture?.seq)
      exact = { seq: content.seq, query, key, value: content.value };
    if (hovered) read();
  });

  matrix.hover = (cell) => {
    hovered = picture ? cell : null;
    matrix.highlight(cell);
    tellHover(el, cell);
    read();
  };

  for (const name of ["segments", "tokens", "prompt_length", "stale"]) {
    scope.model(model, `change:${name}`, update);
  }
  update();
  bar.show(null);
  tell(model, { kind: "ready" });
  return () => scope.close();
}

function makeBar() {
  const element = node("div", "sv-colorbar");
  const canvas = /** @type {HTMLCanvasElement} */ (node("canvas", "", { "aria-hidden": "true" }));
  canvas.width = 255;
  canvas.height = 1;
  const numbers = node("div", "sv-colorbar-numbers");
  const masked = node("span", "sv-legend-item");
  masked.append(node("span", "sv-swatch sv-swatch-masked"), node("span", "", {}, "masked"));
  const scaleBox = node("div", "sv-colorbar-scale");
  scaleBox.append(canvas, numbers);
  element.append(scaleBox, masked);
  /** @param {Picture|null} picture */
  const show = (picture) => {
    element.style.visibility = picture ? "" : "hidden";
    if (!picture) return;
    const image = new ImageData(255, 1);
    for (let byte = 1; byte < 256; byte++) {
      image.data.set([...picture.table.subarray(3 * byte, 3 * byte + 3), 255], 4 * (byte - 1));
    }
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    numbers.replaceChildren(
      ...barTicks(picture.scale, picture.maximum).map((value) => {
        const at = barPosition(value, picture.scale, picture.maximum);
        const tick = node("span", "", {}, format(value));
        tick.style.left = `${100 * at}%`;
        tick.style.transform = `translateX(${-100 * at}%)`;
        return tick;
      }),
    );
  };
  return { element, show };
}

export default { render: renderAttention };
