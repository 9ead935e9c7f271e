// Reads cases as JSON, answers with what the page's pure functions make of them.
import { readFileSync } from "node:fs";
import { source } from "./source.mjs";

const { maskStates, mergeAt, moveBoundary, splitAt, toggleAttention } = await source("segments.js");
const { valueOf } = await source("plot.js");

const answers = JSON.parse(readFileSync(0, "utf8")).map((given) => {
  if (given.bytes) return given.bytes.map((byte) => valueOf(byte, given.scale, given.maximum));
  const { segments, index, position, options } = given;
  return {
    states: Array.from(maskStates(segments, options)),
    moved: moveBoundary(segments, index, position),
    split: splitAt(segments, position),
    merged: mergeAt(segments, index),
    toggled: toggleAttention(segments, index),
  };
});
process.stdout.write(JSON.stringify(answers));
