import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const {
  busiest,
  columnsOf,
  hundredths,
  inNats,
  klSentence,
  largestMoves,
  likelihood,
  partingSentence,
  signed,
  signedHundredths,
} = await source("compare_numbers.js");

test("numbers with their sign", () => {
  assert.deepEqual([0.298, -0.298, 0].map(signed), ["+0.298", "−0.298", "0"]);
  assert.deepEqual([0.106, -0.106, 0.001, -0.001].map(signedHundredths), [
    "+0.11",
    "−0.11",
    "0.00",
    "0.00",
  ]);
  assert.deepEqual([0.42, 1, 0.999].map(hundredths), ["0.42", "1.00", "1.00"]);
  assert.deepEqual([0.9654, 0.0004, 0, null].map(likelihood), ["0.965", "<0.001", "<0.001", "–"]);
  assert.deepEqual([6.4321, 0.83, 0.0421, 0.996, 0].map(inNats), [
    "6.43 nats",
    "0.83 nats",
    "0.042 nats",
    "1.00 nats",
    "0 nats",
  ]);
});

test("moves: the largest change first, whatever its sign; none that would read as equal", () => {
  const causal = [1, 0, 0, 0.42, 0.58, 0, 0.1, 0.2, 0.7];
  const segment = [0.996, 0.004, 0, 0.31, 0.69, 0, 0.1, 0.5, 0.4];
  const moves = largestMoves(causal, segment, 3, 3);
  assert.deepEqual(
    moves.map(({ query, key, change }) => [query, key, Number(change.toFixed(2))]),
    [
      [2, 1, 0.3],
      [2, 2, -0.3],
      [1, 0, -0.11],
    ],
  );
  assert.equal(largestMoves(causal, segment, 3, 9).length, 4);
});

test("a table without room shows the segments between which most moved, in order", () => {
  const causal = new Array(16).fill(0.25);
  const segment = [...causal];
  segment[3 * 4 + 1] += 0.2; // query 3, key 1
  segment[0] += 0.01;
  assert.deepEqual(busiest(causal, segment, 4, 2), [1, 3]);
  assert.deepEqual(busiest(causal, segment, 4, 9), [0, 1, 2, 3]);
});

test("a chart with fewer columns than positions keeps the largest", () => {
  assert.deepEqual([...columnsOf([1, 5, 2, 0, 0, 3], 2)], [5, 3]);
  assert.deepEqual([...columnsOf([1, 2], 100)], [1, 2]);
});

test("sentences", () => {
  const parting = { position: 41, parted: true, answer: [" Lena", " is"] };
  assert.equal(
    partingSentence(parting, " “ is”"),
    "Both answers begin with “ Lena is” and part after position 41 “ is”.",
  );
  assert.equal(
    partingSentence({ ...parting, answer: [] }, ""),
    "The answers part at their first token, after position 41.",
  );
  assert.equal(
    partingSentence({ ...parting, parted: false }, ""),
    "Both masks give the same answer, “ Lena is”. Most different is what would follow position 41.",
  );
  const long = partingSentence({ ...parting, answer: new Array(50).fill("a") }, "");
  assert.match(long, /“…a{40}”/);
  assert.equal(klSentence(0.83, true), "KL(segment ‖ causal) = 0.83 nats");
  assert.equal(
    klSentence(0.83, false),
    "KL(segment ‖ causal): at least 0.83 nats (two saved traces keep only the likeliest tokens)",
  );
});
