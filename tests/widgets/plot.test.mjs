import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const { cellAt, format, pool, span, tickStep } = await source("plot.js");

test("a cell under the pointer: rows go down, columns across", () => {
  const box = { width: 300, height: 100 };
  assert.deepEqual(cellAt(299, 10, box, 2, 3), { row: 0, column: 2 });
  assert.deepEqual(cellAt(0, 99, box, 2, 3), { row: 1, column: 0 });
  assert.equal(cellAt(300, 10, box, 2, 3), null);
  assert.equal(cellAt(10, -1, box, 2, 3), null);
  assert.deepEqual(cellAt(150, 75, box, 2, 3, { row: 4, column: 7.5 }), { row: 5, column: 9 });
});

test("ticks are round and have room", () => {
  assert.equal(tickStep(30, 600, 12), 1);
  assert.equal(tickStep(300, 400, 22), 20);
  assert.equal(tickStep(1000, 400, 34), 100);
});

test("a segment's part of an axis that starts late", () => {
  assert.deepEqual(span({ start: 2, stop: 6 }, 4, 4, 100), { start: 0, length: 50 });
  assert.equal(span({ start: 0, stop: 3 }, 4, 4, 100).length, 0);
});

test("pooling keeps the largest, and the furthest from zero where data diverge", () => {
  const data = Uint8Array.from([1, 200, 3, 0, 5, 6, 0, 0]); // 2 × 4
  assert.deepEqual([...pool(data, 2, 4, 2, 2, false).data], [200, 3, 6, 0]);
  const signed = Uint8Array.from([10, 200, 128, 0]); // 1 × 4: -118, 72, zero, masked
  assert.deepEqual([...pool(signed, 1, 4, 1, 2, true).data], [10, 128]);
  assert.equal(pool(data, 2, 4, 2, 4, false).data, data);
});

test("numbers are short", () => {
  assert.deepEqual([0, 1, 0.25, 0.01234, 0.00123, 0.00001, -0.5].map(format), [
    "0",
    "1",
    "0.25",
    "0.0123",
    "0.00123",
    "1.0e-5",
    "−0.5",
  ]);
});
