import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const answers = await source("answer_tokens.js");
const { besides, chance, emptyWords, nextToken, placesAt, probabilityOf, readLikely } = answers;

/** @param {any} array */
const bytes = (array) => new Uint8Array(array.buffer);

// Two tokens with up to three likely ones: "b" is behind its three, the place of "a" holds two.
const likely = readLikely(
  { labels: ["a", "b", "c", "d"], special: [3], arrays: [{}, {}, { shape: [2, 3] }, {}] },
  [
    bytes(Uint32Array.of(0, 1)),
    bytes(Float32Array.of(0.5, 0.125)),
    bytes(Uint32Array.of(0, 2, 0, 0, 2, 3)),
    bytes(Float32Array.of(0.5, 0.25, NaN, 0.5, 0.25, 0.125)),
  ],
);

test("the likeliest tokens in place of one", () => {
  assert.deepEqual(
    placesAt(likely, 0, "a").map((place) => [place.label, place.probability, place.chosen]),
    [["a", 0.5, true], ["c", 0.25, false]],
  );
  const second = placesAt(likely, 1, "b");
  assert.deepEqual(second.map((place) => place.label), ["a", "c", "d", "b"]);
  assert.deepEqual(second.map((place) => place.chosen), [false, false, false, true]);
  assert.deepEqual(second.map((place) => place.special), [false, false, true, false]);
});

test("numbers of other tokens are not shown", () => {
  assert.equal(probabilityOf(likely, 1, "b"), 0.125);
  assert.ok(Number.isNaN(probabilityOf(likely, 1, "a")));
  assert.ok(Number.isNaN(probabilityOf(likely, 2, "a")));
  assert.ok(Number.isNaN(probabilityOf(null, 0, "a")));
  assert.deepEqual(placesAt(likely, 1, "a"), []);
  assert.deepEqual(placesAt(likely, 2, "a"), []);
});

test("a probability that stands alone", () => {
  const alone = readLikely({ labels: ["a"], special: [], arrays: [{}, {}, { shape: [1, 0] }, {}] }, [
    bytes(Uint32Array.of(0)),
    bytes(Float32Array.of(0.25)),
    new Uint8Array(),
    new Uint8Array(),
  ]);
  assert.deepEqual(placesAt(alone, 0, "a"), [
    { label: "a", special: false, probability: 0.25, chosen: true },
  ]);
});

test("bytes that do not begin at a multiple of four", () => {
  const shifted = new Uint8Array([9, ...bytes(Float32Array.of(0.5)), 9]).subarray(1, 5);
  const read = readLikely({ labels: ["a"], special: [], arrays: [{}, {}, { shape: [1, 0] }, {}] }, [
    bytes(Uint32Array.of(0)),
    shifted,
    new Uint8Array(),
    new Uint8Array(),
  ]);
  assert.equal(probabilityOf(read, 0, "a"), 0.5);
});

test("probabilities in words", () => {
  assert.equal(chance(0.5), "0.500");
  assert.equal(chance(1), "1.000");
  assert.equal(chance(0.99999), ">0.999");
  assert.equal(chance(0.0001), "<0.001");
  assert.equal(chance(NaN), "–");
});

test("the colour grows as the probability falls", () => {
  const shares = [1, 0.9, 0.5, 0.1, 0].map(answers.unlikeliness);
  assert.deepEqual(shares, [...shares].sort((a, b) => a - b));
  assert.equal(shares[0], 6);
  assert.equal(shares[4], 60);
});

test("a popover goes below, above where there is no room, and stays inside", () => {
  const page = { width: 500, height: 400 };
  const box = { width: 290, height: 200 };
  assert.deepEqual(besides({ left: 20, top: 40, bottom: 60 }, box, page), { left: 20, top: 65 });
  assert.deepEqual(besides({ left: 400, top: 300, bottom: 320 }, box, page), { left: 204, top: 95 });
  // No room above, either: below, where one can scroll to.
  assert.deepEqual(besides({ left: 0, top: 150, bottom: 270 }, box, page), { left: 6, top: 275 });
});

test("keys among tokens", () => {
  assert.equal(nextToken("ArrowRight", 1, 3), 2);
  assert.equal(nextToken("ArrowRight", 2, 3), 2);
  assert.equal(nextToken("ArrowLeft", 0, 3), 0);
  assert.equal(nextToken("End", 0, 3), 2);
  assert.equal(nextToken("Home", 2, 3), 0);
  assert.equal(nextToken("x", 1, 3), null);
});

test("words for each state without tokens", () => {
  const words = ["waiting", "running", "done", "cancelled", "failed"].map(emptyWords);
  assert.equal(new Set(words).size, 5);
  assert.ok(words.every(Boolean));
});
