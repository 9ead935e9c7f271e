import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const {
  ADDED,
  CAUSAL,
  HIDDEN,
  canSplit,
  cellState,
  maskStates,
  mergeAt,
  moveBoundary,
  splitAt,
  toggleAttention,
  withResponse,
} = await source("segments.js");

const segment = (start, stop, name, attention = "bidirectional") => ({
  start,
  stop,
  name,
  attention,
});
const chat = [segment(0, 1, "bos", "causal"), segment(1, 4, "system"), segment(4, 9, "user")];

test("a boundary stops at its neighbours", () => {
  const starts = (segments) => segments.map(({ start }) => start);
  assert.deepEqual(starts(moveBoundary(chat, 1, 6)), [0, 1, 6]);
  assert.deepEqual(starts(moveBoundary(chat, 1, -5)), [0, 1, 2]);
  assert.deepEqual(starts(moveBoundary(chat, 1, 99)), [0, 1, 8]);
  assert.equal(moveBoundary(chat, 1, 4), chat);
  assert.equal(moveBoundary(chat, 7, 4), chat);
});

test("split and merge are inverse but for the kind and name of the second half", () => {
  const split = splitAt(chat, 6);
  assert.deepEqual(split.slice(2), [segment(4, 6, "user"), segment(6, 9, "user 2")]);
  assert.deepEqual(mergeAt(split, 2), chat);
  assert.equal(splitAt(chat, 4), chat);
  assert.deepEqual(
    [0, 1, 2, 9].map((at) => canSplit(chat, at)),
    [false, false, true, false],
  );
});

test("toggling changes one segment's kind", () => {
  assert.deepEqual(toggleAttention(chat, 0)[0], segment(0, 1, "bos"));
  assert.deepEqual(toggleAttention(toggleAttention(chat, 1), 1), chat);
});

test("an edited prompt keeps its response", () => {
  const response = segment(9, 11, "response", "causal");
  assert.deepEqual(withResponse(mergeAt(chat, 1), [...chat, response]), [
    ...mergeAt(chat, 1),
    response,
  ]);
  assert.deepEqual(withResponse(chat, [segment(0, 5, "other")]), chat);
});

test("the mask by hand: query down, key across", () => {
  const states = maskStates([
    segment(0, 1, "bos", "causal"),
    segment(1, 3, "user"),
    segment(3, 4, "response", "causal"),
  ]);
  assert.deepEqual(
    [...states],
    [
      CAUSAL,
      HIDDEN,
      HIDDEN,
      HIDDEN,
      CAUSAL,
      CAUSAL,
      ADDED,
      HIDDEN,
      CAUSAL,
      CAUSAL,
      CAUSAL,
      HIDDEN,
      CAUSAL,
      CAUSAL,
      CAUSAL,
      CAUSAL,
    ],
  );
});

test("a window hides what is far, not what is in the same block", () => {
  const options = { window: 1 };
  assert.equal(cellState(chat, 3, 1, options), ADDED);
  assert.equal(cellState(chat, 4, 1, options), HIDDEN);
  assert.equal(cellState(chat, 3, 1, { ...options, mask: "causal" }), HIDDEN);
});

test("sampling agrees with the cells it samples, also where rows and columns differ", () => {
  const long = [
    segment(0, 700, "system"),
    segment(700, 1500, "user", "causal"),
    segment(1500, 2500, "user 2"),
  ];
  for (const options of [{}, { window: 300 }, { mask: "causal" }]) {
    const [rows, columns] = [61, 97];
    const states = maskStates(long, { ...options, rows, columns });
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const query = Math.floor(((row + 0.5) * 2500) / rows);
        const key = Math.floor(((column + 0.5) * 2500) / columns);
        assert.equal(
          states[row * columns + column],
          cellState(long, query, key, options),
          `${row} ${column}`,
        );
      }
    }
  }
});
