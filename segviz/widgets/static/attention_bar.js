// @ts-check
/** The colour bar of the attention view: what the colours mean, and what their ends are. */
import { node, setText } from "./common.js";
import { barLabels } from "./heatmap.js";

/** @param {HTMLElement} parent */
export function makeBar(parent) {
  const element = node("div", "sv-colorbar");
  const canvas = /** @type {HTMLCanvasElement} */ (node("canvas", "", { "aria-hidden": "true" }));
  canvas.width = 255;
  canvas.height = 1;
  const numbers = node("div", "sv-colorbar-numbers");
  const box = node("div", "sv-colorbar-scale");
  box.append(canvas, numbers);
  const legend = node("div", "sv-colorbar-legend");
  const unit = node("span", "sv-colorbar-unit");
  const masked = node("span", "sv-legend-item");
  masked.append(node("span", "sv-swatch sv-swatch-masked"), node("span", "", {}, "masked"));
  legend.append(masked, unit);
  element.append(box, legend);
  parent.append(element);
  /** @type {string[]} how numbers become what is drawn */ let notes = [];

  /**
   * @param {Pick<import("./attention_picture.js").Picture, "table"|"maximum"|"columnStarts">|null} picture
   * @param {import("./heatmap.js").Shading} shading
   * @param {boolean} [exact] whether the picture's maximum is
   */
  function show(picture, shading, exact = true) {
    element.style.visibility = picture ? "" : "hidden";
    if (!picture) return;
    const image = new ImageData(255, 1);
    for (let byte = 1; byte < 256; byte++) {
      image.data.set([...picture.table.subarray(3 * byte, 3 * byte + 3), 255], 4 * (byte - 1));
    }
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    numbers.replaceChildren(
      ...barLabels(shading, picture.maximum, exact).map(({ at, text }) => {
        const tick = node("span", "", {}, text);
        tick.style.left = `${100 * at}%`;
        tick.style.transform = `translateX(${-100 * at}%)`;
        return tick;
      }),
    );
    notes = [];
    if (shading.look.normalize) notes.push("of the row's largest");
    if (picture.columnStarts) notes.push("rows: mean, columns: sum");
  }

  /** What the cells that are painted are. @param {number} factor cells on a side that became one */
  function note(factor) {
    const pooled = factor > 1 ? [`largest of ${factor} × ${factor} cells`] : [];
    setText(unit, [...notes, ...pooled].join(" · "));
    unit.title = unit.textContent ?? "";
  }
  return { show, note };
}
