import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { source } from "./source.mjs";

const { StaticModel, decode } = await source("page.js");

/** @param {number[]} bytes */
const packed = (bytes) => gzipSync(Uint8Array.from(bytes)).toString("base64");
const message = (kind, ...bytes) => ({ content: { kind, seq: 70 }, buffers: [packed(bytes)] });

function listening(stored) {
  const model = new StaticModel({ state: {}, messages: [], kept: {}, ...stored });
  const heard = [];
  model.on("msg:custom", (content, [buffer]) => heard.push([content, buffer.getUint8(0)]));
  return { model, heard };
}

test("changes are told once", () => {
  const { model } = listening({ state: { layer: 0 } });
  const seen = [];
  const listen = () => seen.push(model.get("layer"));
  model.on("change:layer", listen);
  model.set("layer", 1);
  model.set("layer", 1);
  model.off("change:layer", listen);
  model.set("layer", 2);
  assert.deepEqual(seen, [1]);
});

test("messages are replayed to a view that is ready, and not for anything else", async () => {
  const { model, heard } = listening({ messages: [message("x", 3), message("y", 4)] });
  model.send({ kind: "ping" });
  await model.shown;
  assert.equal(heard.length, 0);
  model.send({ kind: "ready" });
  await model.shown;
  assert.deepEqual(heard.map(([content, byte]) => [content.kind, byte]), [["x", 3], ["y", 4]]);
});

test("what was kept under a key can be recalled, again and in any order", async () => {
  const { model, heard } = listening({ kept: { a: [message("x", 1)], b: [message("x", 2)] } });
  assert.equal(model.recall("c"), false);
  for (const key of ["a", "b", "a"]) {
    assert.equal(model.recall(key), true);
    await model.shown;
  }
  assert.deepEqual(heard.map(([, byte]) => byte), [1, 2, 1]);
  // Views drop what is older than what they show.
  const numbers = heard.map(([content]) => content.seq);
  assert.deepEqual(numbers, [...numbers].sort((one, other) => one - other));
  assert.equal(new Set(numbers).size, 3);
});

test("of two recalls in a row the later one is shown", async () => {
  const { model, heard } = listening({ kept: { a: [message("x", 1)], b: [message("x", 2)] } });
  model.recall("a");
  model.recall("b");
  await model.shown;
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(heard.map(([, byte]) => byte), [2]);
});

test("buffers are unpacked", async () => {
  const view = await decode(packed([1, 2, 255]));
  assert.deepEqual([view.byteLength, view.getUint8(2)], [3, 255]);
});
