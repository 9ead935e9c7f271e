import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const {
  ADDED,
  CAUSAL,
  HIDDEN,
  canSplit,
  cellState,
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
  const segments = [
    segment(0, 1, "bos", "causal"),
    segment(1, 3, "user"),
    segment(3, 4, "response", "causal"),
  ];
  const row = (query) => [0, 1, 2, 3].map((key) => cellState(segments, query, key));
  assert.deepEqual(row(0), [CAUSAL, HIDDEN, HIDDEN, HIDDEN]);
  assert.deepEqual(row(1), [CAUSAL, CAUSAL, ADDED, HIDDEN]);
  assert.deepEqual(row(2), [CAUSAL, CAUSAL, CAUSAL, HIDDEN]);
  assert.deepEqual(row(3), [CAUSAL, CAUSAL, CAUSAL, CAUSAL]);
});

test("a window hides what is far, not what is in the same block", () => {
  const options = { window: 1 };
  assert.equal(cellState(chat, 3, 1, options), ADDED);
  assert.equal(cellState(chat, 4, 1, options), HIDDEN);
  assert.equal(cellState(chat, 3, 1, { ...options, mask: "causal" }), HIDDEN);
});
