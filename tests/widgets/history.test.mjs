import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const { STEPS, historyOf, noted, recorded, redone, sameSegments, undone } =
  await source("history.js");

/** Two segments of ten tokens. */
const cut = (at) => [
  { start: 0, stop: at, name: "system", attention: "causal" },
  { start: at, stop: 10, name: "user", attention: "bidirectional" },
];
const cuts = (history) =>
  ["past", "future"].map((side) => history[side].map(([first]) => first.stop));
const at = (history) => history.present[0].stop;

test("steps back and forth", () => {
  let history = historyOf(cut(1));
  for (const next of [2, 3, 4]) history = recorded(history, cut(next));
  assert.deepEqual([at(history), ...cuts(history)], [4, [1, 2, 3], []]);
  history = undone(undone(history));
  assert.deepEqual([at(history), ...cuts(history)], [2, [1], [3, 4]]);
  history = redone(history);
  assert.deepEqual([at(history), ...cuts(history)], [3, [1, 2], [4]]);
});

test("there is nothing before the first step and behind the last", () => {
  const history = historyOf(cut(1));
  assert.equal(undone(history), history);
  assert.equal(redone(history), history);
});

test("an edit after an undo drops what was undone", () => {
  const history = recorded(undone(recorded(historyOf(cut(1)), cut(2))), cut(5));
  assert.deepEqual([at(history), ...cuts(history)], [5, [1], []]);
});

test("an edit that changes nothing is no step and drops nothing", () => {
  const history = undone(recorded(historyOf(cut(1)), cut(2)));
  assert.equal(recorded(history, cut(1)), history);
  assert.equal(noted(history, cut(1)), history);
});

test("what goes on is one step", () => {
  let history = recorded(historyOf(cut(1)), cut(2));
  for (const next of [3, 4, 5]) history = recorded(history, cut(next), true);
  assert.deepEqual([at(history), ...cuts(history)], [5, [1], []]);
  // The first of a kind that goes on has nothing to go on with.
  assert.deepEqual(cuts(recorded(historyOf(cut(1)), cut(2), true)), [[1], []]);
});

test("only so many steps are kept, the last ones", () => {
  let history = historyOf(cut(1));
  for (let step = 0; step < STEPS + 5; step++) history = recorded(history, cut(2 + (step % 7)));
  assert.equal(history.past.length, STEPS);
  assert.deepEqual(history.past.at(-1), cut(2 + ((STEPS + 3) % 7)));
});

test("a change from outside is a step", () => {
  const history = noted(recorded(historyOf(cut(1)), cut(2)), cut(7));
  assert.deepEqual([at(history), ...cuts(history)], [7, [1, 2], []]);
});

test("a change from outside that takes the last edit back is an undo", () => {
  const history = noted(recorded(historyOf(cut(1)), cut(2)), cut(1));
  assert.deepEqual([at(history), ...cuts(history)], [1, [], [2]]);
});

test("a drag in another view that comes back to where it began undoes nothing", () => {
  const history = noted(noted(historyOf(cut(4)), cut(5)), cut(4), true);
  assert.deepEqual([at(history), ...cuts(history)], [4, [4], []]);
});

test("segments differ in any of their parts, and in their number", () => {
  assert.ok(sameSegments(cut(3), cut(3)));
  const [first, second] = cut(3);
  for (const change of [{ start: 4 }, { stop: 9 }, { name: "users" }, { attention: "causal" }]) {
    assert.ok(!sameSegments(cut(3), [first, { ...second, ...change }]), JSON.stringify(change));
  }
  assert.ok(!sameSegments(cut(3), [first]));
  assert.ok(!sameSegments([first], cut(3)));
});
