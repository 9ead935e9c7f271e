import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const draft = await source("prompt_draft.js");
const { movedMessage, partsText, rebased, rolesFor, withAnother, withChange, withoutMessage } = draft;

/** @param {string[]} texts */
const chat = (...texts) => texts.map((content) => ({ role: "user", content }));

test("what was not edited follows", () => {
  const base = chat("a", "b");
  assert.deepEqual(rebased(base, base, chat("x", "y", "z")), chat("x", "y", "z"));
});

test("what was edited stays, field by field", () => {
  const base = chat("a", "b");
  const edited = withChange(base, 1, { content: "mine" });
  const incoming = [
    { role: "system", content: "theirs" },
    { role: "tool", content: "lost", name: "n" },
  ];
  assert.deepEqual(rebased(edited, base, incoming), [
    { role: "system", content: "theirs" },
    { role: "tool", content: "mine", name: "n" },
  ]);
});

test("an edited message is found where others came or went", () => {
  const base = chat("a", "b", "c");
  const edited = withChange(base, 1, { content: "mine" });
  assert.deepEqual(rebased(edited, base, chat("new", "a", "b", "c")), chat("new", "a", "mine", "c"));
  assert.deepEqual(rebased(edited, base, chat("b")), chat("mine"));
  assert.deepEqual(rebased(edited, base, chat("other")), chat("other", "mine"));
});

test("messages added or taken out in the page stay so", () => {
  const base = chat("a", "b");
  const added = withAnother(base, ["user", "assistant"]);
  assert.deepEqual(rebased(added, base, chat("x", "y")), added);
});

test("a message is added with the other role", () => {
  assert.equal(withAnother(chat("a"), ["user", "assistant"]).at(-1).role, "assistant");
  assert.equal(withAnother([{ role: "system", content: "s" }], ["user"]).at(-1).role, "user");
  assert.equal(withAnother(chat("a"), ["human", "bot"]).at(-1).role, "human");
});

test("moved and taken out", () => {
  const base = chat("a", "b", "c");
  assert.deepEqual(movedMessage(base, 0, 1), chat("b", "a", "c"));
  assert.equal(movedMessage(base, 2, 1), base);
  assert.equal(movedMessage(base, 0, -1), base);
  assert.deepEqual(withoutMessage(base, 1), chat("a", "c"));
  assert.deepEqual(base, chat("a", "b", "c"));
});

test("an unknown role can be kept", () => {
  assert.deepEqual(rolesFor(["user"], "wizard"), ["user", "wizard"]);
  assert.deepEqual(rolesFor(["user", "tool"], "user"), ["user", "tool"]);
});

test("contents that are no plain text", () => {
  assert.equal(partsText([{ type: "image", url: "x" }, { type: "text", text: "hi" }]), "[image]\nhi");
  assert.equal(partsText(null), "(no text)");
  assert.equal(partsText(["plain"]), '["plain"]');
});
