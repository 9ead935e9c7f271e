// @ts-check
/** Where the answers part: both next-token distributions there, and the divergence everywhere. */
import { grow, node, onMessage, quoted, setText } from "./common.js";
import { makeDivergence } from "./compare_chart.js";
import { floats } from "./compare_flow.js";
import { klSentence, likelihood, partingSentence } from "./compare_numbers.js";

/**
 * @typedef {{label: string, special: boolean, causal: number|null, segment: number|null}} Row
 * @typedef {{position: number, parted: boolean, exact: boolean, kl: number|null, answer: string[],
 *   rows: Row[]}} Parting
 */

const MASKS = /** @type {const} */ (["causal", "segment"]);

/**
 * @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model
 * @param {HTMLElement} parent @param {HTMLElement} el
 * @param {() => void} onChange there is something to show, or nothing
 */
export function makeParting(scope, model, parent, el, onChange) {
  const element = node("section", "sv-compare-part sv-parting", {
    "aria-label": "Where the answers part",
  });
  const title = node("div", "sv-heading", {}, "Where the answers part");
  const sentence = node("div", "sv-parting-sentence");
  const kl = node("div", "sv-parting-kl");
  const columns = node("div", "sv-parting-columns");
  const left = node("div", "sv-parting-side");
  const right = node("div", "sv-parting-side");
  const table = node("table", "sv-likely");
  const caption = node("caption");
  const header = node("tr");
  header.append(
    node("th", "", { scope: "col" }, "next token"),
    ...MASKS.map((mask) => node("th", "", { scope: "col" }, `${mask} mask`)),
  );
  table.append(caption, header);
  left.append(table);
  const chart = makeDivergence(scope, model, right, el);
  columns.append(left, right);
  element.append(title, sentence, kl, columns);
  parent.append(element);
  /** @type {Parting|null} */ let parting = null;
  /** @type {HTMLElement[]} */ const rows = [];

  function update() {
    element.hidden = parting === null;
    onChange();
    if (!parting) return;
    const tokens = model.get("tokens");
    const token = quoted(tokens, parting.position);
    setText(title, parting.parted ? "Where the answers part" : "The answers are the same");
    setText(sentence, partingSentence(parting, token));
    setText(kl, parting.kl === null ? "" : klSentence(parting.kl, parting.exact));
    setText(caption, `Probability of what follows position ${parting.position}${token}`);
    const largest = Math.max(
      ...parting.rows.flatMap(({ causal, segment }) => [causal ?? 0, segment ?? 0]),
      1e-9,
    );
    grow(rows, table, parting.rows.length, likelyRow);
    parting.rows.forEach((row, index) => fillRow(rows[index], row, largest));
  }

  onMessage(scope, model, "parting", (content, [divergence]) => {
    parting = content.clear ? null : content;
    chart.show(parting && divergence ? floats(divergence) : null, parting);
    update();
  });
  scope.model(model, "change:tokens", update);
  update();
  return { element, redraw: chart.redraw };
}

function likelyRow() {
  const row = node("tr");
  row.append(node("th", "", { scope: "row" }));
  for (const mask of MASKS) {
    const cell = node("td");
    cell.append(node("span", `sv-likely-bar sv-likely-${mask}`), node("span", "sv-likely-number"));
    row.append(cell);
  }
  return row;
}

/** @param {HTMLElement} element @param {Row} row @param {number} largest */
function fillRow(element, row, largest) {
  const [name, ...cells] = /** @type {HTMLElement[]} */ ([...element.children]);
  setText(name, row.label);
  name.title = row.label;
  name.dataset.special = String(row.special);
  MASKS.forEach((mask, index) => {
    const [bar, number] = /** @type {HTMLElement[]} */ ([...cells[index].children]);
    const value = row[mask];
    // The number stands behind the longest bar, too.
    bar.style.width = `calc((100% - 46px) * ${(value ?? 0) / largest})`;
    setText(number, likelihood(value));
    number.title = value === null ? "less likely than the tokens that were kept" : String(value);
  });
}
