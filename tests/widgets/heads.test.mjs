import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const heads = await source("heads.js");
const { amount, largest, lineOf, moved, paintSquare, pixelsOf, placesOf, ranked, shareColor } = heads;

test("the highest first, equal ones as they were, unknown ones last", () => {
  const values = [0.2, NaN, 0.7, 0, 0.7, NaN, -1];
  assert.deepEqual(
    ranked(values.length, (index) => values[index]),
    [2, 4, 0, 3, 6, 1, 5],
  );
  assert.deepEqual(ranked(0, () => 1), []);
});

test("the largest of what is known", () => {
  assert.equal(largest([0.2, NaN, 0.7, 0.1]), 0.7);
  assert.equal(largest([-2, -1]), -1);
  assert.ok(Number.isNaN(largest([NaN])));
  assert.ok(Number.isNaN(largest([])));
});

test("heads of one KV head stand together and fill the line", () => {
  const { cell, lefts, width } = lineOf(400, 6, 2);
  // Four gaps of 2 inside the groups, one of 7 between them.
  assert.equal(cell, Math.floor((400 - 15) / 6));
  const gaps = lefts.slice(1).map((left, at) => left - lefts[at] - cell);
  assert.deepEqual(gaps, [2, 2, 7, 2, 2]);
  assert.equal(lefts[0], 0);
  assert.equal(lefts[5] + cell, width);
  assert.ok(width <= 400);
});

test("a head for each KV head: no groups", () => {
  const { cell, lefts } = lineOf(400, 5, 5);
  assert.deepEqual(
    lefts.slice(1).map((left, at) => left - lefts[at] - cell),
    [2, 2, 2, 2],
  );
});

test("cells are neither too small to see nor larger than they have to be", () => {
  const many = lineOf(300, 64, 8);
  assert.equal(many.cell, 20);
  assert.ok(many.width > 300);
  assert.equal(lineOf(2000, 2, 1).cell, 96);
});

test("as many places as fit, at least one", () => {
  assert.deepEqual(placesOf(200, 60, 6), [0, 66, 132]);
  assert.equal(placesOf(192, 60, 6).length, 3);
  assert.equal(placesOf(191, 60, 6).length, 2);
  assert.deepEqual(placesOf(10, 60, 6), [0]);
});

test("keys move in a grid of layers", () => {
  // Three layers of four heads.
  const grid = { count: 12, columns: 4, page: 2, wraps: false };
  const to = (key, place, more = {}) => moved({ key, ...more }, place, grid);
  assert.equal(to("ArrowRight", 5), 6);
  assert.equal(to("ArrowRight", 7), 7);
  assert.equal(to("ArrowLeft", 4), 4);
  assert.equal(to("ArrowDown", 5), 9);
  assert.equal(to("ArrowDown", 9), 9);
  assert.equal(to("ArrowUp", 5), 1);
  assert.equal(to("PageDown", 1), 9);
  assert.equal(to("PageUp", 9), 1);
  assert.equal(to("Home", 6), 4);
  assert.equal(to("End", 5), 7);
  assert.equal(to("Home", 6, { ctrlKey: true }), 0);
  assert.equal(to("End", 5, { metaKey: true }), 11);
  assert.equal(to("x", 5), null);
});

test("keys move in a list that wraps", () => {
  // Lines of four, the last of two.
  const grid = { count: 10, columns: 4, page: 9, wraps: true };
  const to = (key, place) => moved({ key }, place, grid);
  assert.equal(to("ArrowRight", 3), 4);
  assert.equal(to("ArrowLeft", 4), 3);
  assert.equal(to("ArrowRight", 9), 9);
  assert.equal(to("ArrowLeft", 0), 0);
  assert.equal(to("ArrowDown", 7), 9);
  assert.equal(to("ArrowUp", 9), 5);
  assert.equal(to("PageDown", 1), 9);
  assert.equal(to("End", 8), 9);
});

test("colours of shares go steadily away from the background", () => {
  const light = (color) => color.match(/\d+/g).map(Number).reduce((a, b) => a + b);
  for (const [theme, sign] of [
    ["light", -1],
    ["dark", 1],
  ]) {
    const steps = Array.from({ length: 21 }, (_, at) => light(shareColor(at / 20, theme)));
    for (let at = 1; at < steps.length; at++) assert.ok(sign * (steps[at] - steps[at - 1]) > 0);
  }
  assert.equal(shareColor(7, "light"), shareColor(1, "light"));
  assert.equal(shareColor(-7, "dark"), shareColor(0, "dark"));
});

const table = Uint8Array.from({ length: 768 }, (_, at) => Math.floor(at / 3));
const colors = pixelsOf(table);

/** The red parts of a picture. */
const reds = ({ data }) => [...data].map((pixel) => pixel & 255);

test("a pixel holds its colour and its opacity", () => {
  const one = new Uint8Array(768);
  one.set([10, 20, 30], 6);
  assert.equal(pixelsOf(one)[2], 0xff1e140a);
  assert.equal(pixelsOf(one, 0.4)[2] >>> 24, 102);
});

test("a thumbnail grows by whole cells, where it belongs", () => {
  const picture = { data: new Uint32Array(5 * 4), width: 5 };
  const thumbnail = Uint8Array.from([1, 2, 3, 4]);
  paintSquare(picture, { left: 1, top: 0, side: 4 }, thumbnail, 2, colors, false);
  assert.deepEqual(reds(picture), [0, 1, 1, 2, 2, 0, 1, 1, 2, 2, 0, 3, 3, 4, 4, 0, 3, 3, 4, 4]);
});

test("a thumbnail shrinks to what tells most", () => {
  const thumbnail = new Uint8Array(16).fill(100);
  thumbnail[1] = 250;
  thumbnail[14] = 3;
  const picture = { data: new Uint32Array(4), width: 2 };
  paintSquare(picture, { left: 0, top: 0, side: 2 }, thumbnail, 4, colors, false);
  assert.deepEqual(reds(picture), [250, 100, 100, 100]);
  paintSquare(picture, { left: 0, top: 0, side: 2 }, thumbnail, 4, colors, true);
  assert.deepEqual(reds(picture), [250, 100, 100, 3]);
});

test("numbers in three digits", () => {
  assert.deepEqual([0, 0.12345, 1, 1.2345, 12.345, 123.45, NaN].map(amount), [
    "0.000",
    "0.123",
    "1.000",
    "1.23",
    "12.3",
    "123",
    "–",
  ]);
});

const { HeadData } = await source("head_data.js");
const { Scope } = await source("common.js");

/** What the view knows, over a model that replays messages as a page does. */
function opened(traits = {}) {
  const listeners = [];
  const state = { layers: 3, heads: 2, kv_heads: null, stale: false, revision: 0, ...traits };
  const model = { get: (name) => state[name], on: (_, callback) => listeners.push(callback) };
  let changes = 0;
  const data = new HeadData(new Scope(), model, () => changes++);
  const say = (content, ...buffers) => {
    for (const listener of listeners) listener(content, buffers);
  };
  const begin = (seq) => say({ kind: "grid", seq }, ...[0, 1].map((one) => dataView(768, one)));
  const layer = (at, byte, seq, more = {}) =>
    say(
      {
        kind: `layer ${at}`,
        seq,
        scale: "sequential",
        names: ["entropy", "distance"],
        revision: 0,
        arrays: [{ shape: [2, 1, 1] }, { shape: [2, 2] }],
        ...more,
      },
      dataView(2, byte),
      new DataView(Float32Array.from([at, at + 1, 10 * at, NaN]).buffer),
    );
  return { data, state, begin, layer, say, changes: () => changes };
}

/** A part of a larger buffer, as a front end hands it over. */
function dataView(length, byte) {
  const whole = new Uint8Array(length + 3).fill(byte);
  return new DataView(whole.buffer, 3, length);
}

test("layers as they come", () => {
  const { data, begin, layer, changes } = opened();
  begin(1);
  layer(2, 7, 2);
  assert.equal(data.known, 1);
  assert.equal(data.count, 6);
  assert.deepEqual(data.at(5), { layer: 2, head: 1 });
  assert.equal(data.valueOf(5, "entropy"), 3);
  assert.equal(data.valueOf(4, "distance"), 20);
  assert.ok(Number.isNaN(data.valueOf(5, "distance")));
  assert.ok(Number.isNaN(data.valueOf(0, "entropy")));
  assert.equal(data.most("distance"), 20);
  assert.deepEqual([...data.picture(5).thumbnail], [7]);
  assert.equal(data.picture(1).thumbnail, null);
  assert.equal(changes(), 2);
});

test("a replay for another page changes nothing, whatever its order", () => {
  const { data, begin, layer } = opened();
  begin(1);
  layer(0, 7, 2);
  layer(1, 8, 3);
  begin(1);
  assert.equal(data.known, 2);
  layer(0, 9, 2);
  assert.deepEqual([...data.picture(0).thumbnail], [9]);
});

test("another view that is recalled replaces all layers", () => {
  const { data, begin, layer, say } = opened();
  begin(1);
  [0, 1, 2].forEach((at) => layer(at, 7, 1));
  begin(2);
  layer(1, 9, 2, { scale: "diverging" });
  assert.equal(data.known, 1);
  assert.equal(data.scale.diverging, true);
  assert.equal(data.picture(0).thumbnail, null);
  say({ kind: "grid", clear: true });
  assert.equal(data.known, 0);
  assert.equal(data.scale, null);
});

test("what was shown before the state changed is outdated", () => {
  const { data, state, begin, layer } = opened();
  begin(1);
  layer(0, 7, 2);
  layer(1, 7, 3);
  Object.assign(state, { stale: true, revision: 1 });
  layer(1, 8, 4, { revision: 1 });
  assert.equal(data.known, 1);
  assert.notEqual(data.picture(0).colors, data.picture(2).colors);
  state.stale = false;
  assert.equal(data.known, 2);
  assert.equal(data.picture(0).colors, data.picture(2).colors);
});
