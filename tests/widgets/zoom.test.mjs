import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const zoom = await source("zoom.js");
const heat = await source("heatmap.js");
const { maskSpans, maskStripes } = await source("mask_rows.js");
const { cellState } = await source("segments.js");
const { covers, tileFor } = await source("attention_tiles.js");
const { rowValues } = await source("attention_pin.js");
const { mergedPicture, pictureOf } = await source("attention_picture.js");

test("zooming keeps what is under the pointer, and stays inside", () => {
  const whole = zoom.wholeSight(50, 100);
  const closer = zoom.zoomedSight(whole, 4, 0.25, 0.5, 50, 100);
  assert.deepEqual([closer.rows, closer.columns], [12.5, 25]);
  assert.equal(closer.column + 0.25 * closer.columns, 25);
  assert.equal(closer.row + 0.5 * closer.rows, 25);
  assert.deepEqual(zoom.zoomedSight(closer, 1 / 9, 1, 1, 50, 100), whole);
  const corner = zoom.zoomedSight(whole, 1000, 1, 1, 50, 100);
  assert.deepEqual(corner, { row: 47, column: 94, rows: 3, columns: 6 });
  assert.deepEqual(zoom.movedSight(corner, 9, -0.5, 50, 100), { ...corner, row: 45.5 });
  assert.equal(zoom.magnification(closer, 100), 4);
});

test("a box is in sight as a whole, in the matrix' own shape", () => {
  const sight = zoom.sightAround({ row: 10, column: 60, rows: 5, columns: 20 }, 50, 100);
  assert.deepEqual(sight, { row: 7.5, column: 60, rows: 10, columns: 20 });
  assert.deepEqual(zoom.sightWith(sight, 30, 61), { ...sight, row: 21 });
  assert.deepEqual(zoom.sightWith(sight, 9, 61), sight);
});

// 8 keys, the last 5 of them queries, in groups that start at 0, 2, 5.
const across = { first: 0, count: 3, stop: 8, starts: [0, 2, 5] };
const down = { first: 3, count: 2, stop: 8, starts: [3, 5] };
const tokens = { first: 3, count: 5, stop: 8, starts: null };

test("positions and cells of tokens and of groups", () => {
  assert.deepEqual(zoom.positionsOf(across, 1), [2, 5]);
  assert.deepEqual(zoom.positionsOf(across, 2), [5, 8]);
  assert.deepEqual(zoom.positionsOf(tokens, 1), [4, 5]);
  assert.equal(zoom.cellOf(across, 5), 2);
  assert.equal(zoom.cellOf(across, 3.5), 1.5);
  assert.equal(zoom.cellOf(across, 8), 3);
  assert.equal(zoom.cellOf(down, 4), 0.5);
  assert.ok(zoom.cellOf(down, 1) < 0);
  assert.equal(zoom.cellOf(tokens, 2), -1);
  for (let at = 0; at < 8; at++) assert.ok([0, 2, 5][zoom.groupAt([0, 2, 5], at)] <= at);
});

test("a sight told to another view and back", () => {
  assert.equal(zoom.sightToTell(zoom.wholeSight(2, 3), down, across), null);
  const told = zoom.sightToTell({ row: 0.5, column: 1, rows: 1, columns: 1.5 }, down, across);
  assert.deepEqual(told, { rows: [4, 6.5], columns: [2, 6.5] });
  const square = { first: 0, count: 8, stop: 8, starts: null };
  const sight = zoom.sightTold({ rows: [2, 8], columns: [1, 4] }, square, square);
  assert.deepEqual(sight, { row: 2, column: 0, rows: 6, columns: 6 });
  assert.deepEqual(zoom.sightTold(null, down, across), zoom.wholeSight(2, 3));
});

const LOOK = { scale: "linear", normalize: false };
/** @param {number[][]} values NaN: masked */
function part(values, diverging = false, maximum = 1) {
  const data = Uint8Array.from(values.flat(), (value) =>
    Number.isNaN(value) ? 0 : heat.fineByte(value, diverging, maximum),
  );
  const [rows, columns] = [values.length, values[0].length];
  return { data, rows, columns, row: 0, column: 0, factor: 1, peaks: null };
}
const shaded = (values, look, hides = false, diverging = false) => {
  const one = part(values, diverging);
  return [...heat.shades(one, heat.shadingOf(one, diverging, { ...LOOK, ...look }, hides))];
};
const near = (got, wanted, by) =>
  got.forEach((value, at) => assert.ok(Math.abs(value - wanted[at]) <= by, `${got} is ${wanted}`));

test("bytes without their masked ends", () => {
  const data = heat.unpack(Uint16Array.from([1, 3, 0, 0, 0, 2]), Uint8Array.from([7, 0, 8, 9]), 3, 4);
  assert.deepEqual([...data], [0, 7, 0, 0, 0, 0, 0, 0, 8, 9, 0, 0]);
});

test("scales: masked stays apart, zero is the first colour, the maximum the last", () => {
  const values = [[NaN, 0, 0.01, 0.25, 1]];
  near(shaded(values, { scale: "linear" }), [0, 1, 4, 65, 255], 1);
  near(shaded(values, { scale: "sqrt" }), [0, 1, 26, 128, 255], 1);
  near(shaded(values, { scale: "log" }), [0, 1, 128, 217, 255], 2);
  near(shaded([[-1, -0.25, 0, 0.25, 1]], {}, false, true), [1, 96, 128, 160, 255], 1);
});

test("a hidden first token gives its colours to the others", () => {
  near(shaded([[1, 0.01, 0.1], [1, 0.05, NaN]], {}, true), [0, 26, 255, 0, 128, 0], 3);
});

test("normalised rows each end at their own largest", () => {
  near(shaded([[0.1, 0.05], [0, 0], [1, 0.5]], { normalize: true }), [255, 128, 1, 1, 255, 128], 2);
  near(shaded([[1, 0.05, 0.1]], { normalize: true }, true), [0, 128, 255], 2);
  near(shaded([[-0.1, 0.05]], { normalize: true }, false, true), [1, 192], 2);
});

test("a tile's rows are relative to whole rows, not to what it shows of them", () => {
  const whole = part([[0.8, 0.4, 0.2], [0.1, 0.1, 0.05]]);
  const shading = heat.shadingOf(whole, false, { ...LOOK, normalize: true }, false);
  const peaks = Uint8Array.from([0.8, 0.1, 0.4, 0.1], (value) => heat.fineByte(value, false, 1));
  const tile = { ...part([[0.4, 0.2], [0.1, 0.05]]), column: 1, peaks };
  near([...heat.shades(tile, shading)], [128, 65, 255, 128], 3);
});

test("the clipped scale ends where one cell in a hundred lies above", () => {
  const values = [Array.from({ length: 1000 }, (_, at) => (at < 995 ? 0.1 : 1))];
  const { top } = heat.shadingOf(part(values), false, { ...LOOK, scale: "clipped" }, false);
  assert.ok(Math.abs(top ** 4 - 0.1) < 0.005);
  assert.equal(shaded(values, { scale: "clipped" })[0], 255);
  const zeros = heat.shadingOf(part([[0, 0]]), false, { ...LOOK, scale: "clipped" }, false);
  assert.ok(zeros.top > 0);
});

test("what falls on one pixel: the largest, or the furthest from zero", () => {
  const data = Uint8Array.from([1, 200, 3, 0, 5, 6, 0, 0]); // 2 × 4
  const sight = { row: 0, column: 0, rows: 2, columns: 4 };
  assert.deepEqual([...heat.pooledSight(data, 2, 4, sight, 2, 2, false)], [200, 3, 6, 0]);
  const signed = Uint8Array.from([10, 200, 128, 0]);
  const line = { row: 0, column: 0, rows: 1, columns: 4 };
  assert.deepEqual([...heat.pooledSight(signed, 1, 4, line, 1, 2, true)], [10, 128]);
  const right = { row: 0, column: 2, rows: 1, columns: 2 };
  assert.deepEqual([...heat.pooledSight(signed, 1, 4, right, 1, 1, true)], [128]);
});

test("the colour bar says what its ends mean", () => {
  const texts = (look, diverging = false, top = 1) =>
    heat.barLabels({ top, diverging, look: { ...LOOK, ...look }, hides: false }, 0.5).map((one) => one.text);
  assert.deepEqual(texts({ scale: "sqrt" }), ["0", "0.02", "0.1", "0.5"]);
  assert.deepEqual(texts({ scale: "log" }), ["≤ 5.0e-5", "0.005", "0.5"]);
  assert.deepEqual(texts({ scale: "clipped" }, true, 0.5), [
    "≤ −0.031",
    "−0.02",
    "0",
    "0.02",
    "≥ 0.031",
  ]);
  assert.deepEqual(texts({ scale: "linear", normalize: true }), ["0", "50 %", "100 %"]);
  assert.deepEqual(texts({ scale: "linear" }, false, 0.9), ["0", "0.2", "≈ 0.33"]);
  const at = heat.barLabels({ top: 1, diverging: true, look: LOOK, hides: false }, 1).map((one) => one.at);
  assert.deepEqual(at, [0, 0.25, 0.5, 0.75, 1]);
});

test("merged in the page: columns summed, rows averaged", () => {
  const values = part([[0.5, 0.5, NaN], [0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]);
  const read = ({ part: one, maximum }) =>
    [...one.data].map((byte) => (byte ? heat.fineValue(byte, false, maximum) : NaN));
  const merged = heat.mergedPart(values, false, 1, [0, 1], [0, 2], false);
  near(read(merged).slice(2), [0.35, 0.65], 0.01);
  assert.equal(merged.part.data[1], 0);
  const hidden = heat.mergedPart(values, false, 1, [0, 1], [0, 1], true);
  assert.equal(hidden.part.data[2], 0);
  near(read(hidden).slice(3), [0.85], 0.01);
});

test("words end at segment borders, and rows begin where the queries do", () => {
  const one = part([[0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25]]);
  const content = { shape: [2, 4], size: [2, 4], factor: 1, maximum: 1, words: [0, 3], scale: "sequential" };
  const spans = new Uint8Array(Uint16Array.from([0, 4, 0, 4]).buffer);
  const picture = pictureOf(content, [spans, one.data, new Uint8Array(768)]);
  const segments = [{ start: 0, stop: 2 }, { start: 2, stop: 4 }];
  const words = mergedPicture(picture, "words", segments, false);
  assert.deepEqual(words.columnStarts, [0, 2, 3]);
  assert.deepEqual(words.rowStarts, [2, 3]);
  assert.deepEqual([words.all.rows, words.all.columns], [2, 3]);
  assert.equal(mergedPicture(words, "tokens", segments, false).all, picture.base);
  near([...rowValues(picture, 0, 2)], [0.375, 0.375, 0.125, 0.125], 0.01);
});

test("tiles: about a cell for a pixel, a little beyond what is in sight", () => {
  const sight = { row: 1000, column: 2000, rows: 500, columns: 500 };
  const wanted = tileFor(sight, 500, 8192, 8192);
  assert.equal(wanted.factor, 1);
  assert.ok(wanted.rows[0] < 1000 && wanted.rows[1] > 1500);
  const wide = tileFor({ row: 7000, column: 0, rows: 3000, columns: 3000 }, 1200, 8192, 8192);
  assert.equal(wide.factor, 8);
  assert.deepEqual([wide.rows[1], wide.columns[0]], [8192, 0]);
  assert.ok(wide.rows.every((at) => at % 8 === 0));
  const tile = { row: 928, column: 1930, rows: 640, columns: 640, factor: 1, peaks: null };
  assert.ok(covers(tile, sight, 1, 8192, 8192));
  assert.ok(!covers({ ...tile, factor: 2 }, sight, 1, 8192, 8192));
  assert.ok(!covers({ ...tile, column: 2001 }, sight, 1, 8192, 8192));
});

test("the mask's stripes are its cells", () => {
  const segments = [
    { start: 0, stop: 2, name: "a", attention: "causal" },
    { start: 2, stop: 5, name: "b", attention: "bidirectional" },
    { start: 5, stop: 9, name: "c", attention: "bidirectional" },
  ];
  for (const mask of ["segment", "causal"]) {
    for (const window of [null, 1, 3]) {
      for (let query = 0; query < 9; query++) {
        const { added, causal } = maskSpans(segments, query, { mask, window });
        const inside = ([first, stop], key) => first <= key && key < stop;
        for (let key = 0; key < 9; key++) {
          const state = inside(causal, key) ? 1 : added && inside(added, key) ? 2 : 0;
          assert.equal(state, cellState(segments, query, key, { mask, window }));
        }
      }
    }
  }
  const all = maskStripes(9, zoom.wholeSight(9, 9), 90);
  assert.deepEqual(all[3], { query: 3, top: 30, bottom: 40 });
  const part = maskStripes(9, { row: 2.5, column: 0, rows: 3, columns: 3 }, 90);
  assert.deepEqual([part[0], part.length], [{ query: 2, top: 0, bottom: 15 }, 4]);
  const few = maskStripes(8192, zoom.wholeSight(8192, 8192), 512);
  assert.equal(few.length, 512);
  assert.equal(few[511].query, 8184);
});
