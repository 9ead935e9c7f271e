// Reads cases as JSON, answers with what the page's pure functions make of them.
import { readFileSync } from "node:fs";
import { source } from "./source.mjs";

const segments = await source("segments.js");
const { shades, shadingOf } = await source("heatmap.js");
const { mergedPicture, pictureOf } = await source("attention_picture.js");

function edited({ segments: given, index, position, options }) {
  const positions = Array.from({ length: segments.totalLength(given) }, (_, at) => at);
  return {
    states: positions.map((query) =>
      positions.map((key) => segments.cellState(given, query, key, options)),
    ),
    moved: segments.moveBoundary(given, index, position),
    split: segments.splitAt(given, position),
    merged: segments.mergeAt(given, index),
    toggled: segments.toggleAttention(given, index),
  };
}

function drawn({ content, buffers, merge, segments: given, hideFirst, look }) {
  const arrays = buffers.map((text) => new Uint8Array(Buffer.from(text, "base64")));
  const picture = mergedPicture(pictureOf(content, arrays), merge, given, hideFirst);
  const { all, kind, maximum, rowStarts, columnStarts } = picture;
  const hides = hideFirst && (!columnStarts || columnStarts[1] === 1);
  const shading = shadingOf(all, kind === "diverging", look, hides);
  return { data: [...shades(all, shading)], maximum, rowStarts, columnStarts };
}

const answers = JSON.parse(readFileSync(0, "utf8")).map((given) =>
  given.content ? drawn(given) : edited(given),
);
process.stdout.write(JSON.stringify(answers));
