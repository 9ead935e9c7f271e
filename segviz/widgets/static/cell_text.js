// @ts-check
/** A cell in words, and the line that shows it. */
import { isolated, node, quoted, setText } from "./common.js";
import { segmentAt } from "./segments.js";

/** @typedef {import("./matrix.js").Cell} Cell */

/** Tokens of a group that are named; of a larger one its segment has to do. */
const NAMED = 4;

/**
 * Names of both sides of a cell: positions, tokens and segments.
 * @param {Cell} cell @param {import("./common.js").Tokens|null} tokens
 * @param {import("./segments.js").Segment[]} segments
 */
export function cellText({ query, key, queryStop, keyStop }, tokens, segments) {
  return (
    `${sideText("query", query, queryStop, tokens, segments)} · ` +
    sideText("key", key, keyStop, tokens, segments)
  );
}

/**
 * @param {string} name @param {number} first @param {number|undefined} stop
 * @param {import("./common.js").Tokens|null} tokens
 * @param {import("./segments.js").Segment[]} segments
 */
export function sideText(name, first, stop, tokens, segments) {
  const many = stop !== undefined && stop > first + 1;
  const where = many ? `${name} ${first}–${stop - 1}` : `${name} ${first}`;
  const text = many ? groupText(tokens, first, stop) : quoted(tokens, first);
  const segment = segments[segmentAt(segments, first)];
  return `${where}${text}${segment ? ` (${segment.name})` : ""}`;
}

/** @param {import("./common.js").Tokens|null} tokens @param {number} first @param {number} stop */
function groupText(tokens, first, stop) {
  if (!tokens || stop - first > NAMED) return "";
  return ` “${isolated(tokens.labels.slice(first, stop).join(""))}”`;
}

/**
 * A line of two parts of which the second is always seen as a whole.
 * @param {HTMLElement} parent @param {string} hint what the line says while it is empty
 */
export function makeReadout(parent, hint) {
  const element = node("div", "sv-readout", { "aria-live": "polite" });
  const names = node("span", "sv-readout-names", { "data-hint": hint });
  const says = node("span", "sv-readout-says");
  element.append(names, says);
  parent.append(element);
  /** @param {string} text @param {string} [said] */
  return (text, said = "") => {
    setText(names, text);
    setText(says, said && ` · ${said}`);
    element.title = names.textContent + (says.textContent ?? "");
  };
}

/**
 * The labels of groups, their tokens joined.
 * @param {import("./common.js").Tokens|null} tokens @param {ArrayLike<number>} starts
 * @param {number} stop
 */
export function groupLabels(tokens, starts, stop) {
  return Array.from(starts, (start, index) => {
    const end = index + 1 < starts.length ? starts[index + 1] : stop;
    return tokens?.labels.slice(start, end).join("") ?? String(start);
  });
}
