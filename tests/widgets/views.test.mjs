import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const { boundaryAt, placeLabels } = await source("geometry.js");
const { firstDifference } = await source("answer_view.js");
const { isolated, lightness, pixel, quoted } = await source("common.js");

// Two lines: tokens 0 to 2, then 3 and 4.
const boxes = [
  { left: 0, top: 0, width: 20, height: 20 },
  { left: 20, top: 0, width: 40, height: 20 },
  { left: 60, top: 0, width: 30, height: 20 },
  { left: 0, top: 36, width: 50, height: 20 },
  { left: 50, top: 36, width: 10, height: 20 },
];

test("the boundary nearest to a point, line by line", () => {
  assert.equal(boundaryAt(boxes, 18, 5), 1);
  assert.equal(boundaryAt(boxes, 45, 5), 2);
  assert.equal(boundaryAt(boxes, 500, 5), 3);
  assert.equal(boundaryAt(boxes, 2, 44), 3);
  assert.equal(boundaryAt(boxes, 54, 44), 4);
  assert.equal(boundaryAt(boxes, 500, 500), 5);
  assert.equal(boundaryAt(boxes, -10, -10), 0);
  assert.equal(boundaryAt([], 3, 3), 0);
});

test("labels end before the next one, and move left at the end of a line", () => {
  const places = placeLabels(boxes, [0, 2, 3], [30, 60, 20], 100);
  assert.deepEqual(places[0], { left: 0, width: 55 });
  assert.deepEqual(places[1], { left: 40, width: 60 });
  assert.deepEqual(places[2], { left: 0, width: 100 });
});

test("answers part at the first token that differs", () => {
  const answer = (labels, state = "done") => ({ labels, special: [], state, note: "" });
  assert.equal(firstDifference(answer(["a", "b"]), answer(["a", "c"])), 1);
  assert.equal(firstDifference(answer(["a"]), answer(["a", "c"])), 1);
  assert.equal(firstDifference(answer(["a"], "running"), answer(["a", "c"])), -1);
  assert.equal(firstDifference(answer(["a"]), answer(["a"])), -1);
});

test("colours", () => {
  assert.ok(lightness([255, 255, 255, 255]) > 0.99);
  assert.ok(lightness([0, 200, 0, 200]) > lightness([200, 0, 0, 200])); // green is brighter
  assert.equal(lightness([255, 255, 255, 100]), null);
  assert.equal(pixel(1, 2, 3), 0xff030201);
});

test("what runs from right to left is set apart, and nothing else", () => {
  for (const plain of [" Anna", "日本", "👩‍👩‍👧", "é", "⏎", ""]) assert.equal(isolated(plain), plain);
  for (const turning of ["שלום", "x مرحبا", "\u202ex", "\u2067", "ﷺ", "𞤀"]) {
    assert.equal(isolated(turning), `\u2068${turning}\u2069`);
  }
  const tokens = { labels: [" Ben", "שלום"], special: [] };
  assert.deepEqual(
    [0, 1, 2].map((at) => quoted(tokens, at)),
    [" “ Ben”", " “\u2068שלום\u2069”", ""],
  );
});
