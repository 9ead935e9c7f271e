// @ts-check
/** Messages while they are edited: what Python has, what the page has, and both at once. Pure. */

/** A plain text is one message without a role. @typedef {Record<string, any>} Message */

/** @param {any} a @param {any} b */
export function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * The draft of messages on top of others than it began with: what was edited in the page stays,
 * the rest follows.
 * @param {Message[]} draft @param {Message[]} base what the draft began with
 * @param {Message[]} incoming what is there now
 * @returns {Message[]}
 */
export function rebased(draft, base, incoming) {
  if (same(draft, base)) return incoming;
  // Messages were added, moved or taken out in the page: their places mean nothing elsewhere.
  if (draft.length !== base.length) return draft;
  if (incoming.length === base.length) {
    return incoming.map((message, index) => merged(draft[index], base[index], message));
  }
  const next = [...incoming];
  draft.forEach((message, index) => {
    if (same(message, base[index])) return;
    const at = incoming.findIndex((one) => same(one, base[index]));
    if (at < 0) next.push(message);
    else next[at] = message;
  });
  return next;
}

/** @param {Message} draft @param {Message} base @param {Message} incoming @returns {Message} */
function merged(draft, base, incoming) {
  const edited = ["role", "content"].filter((field) => !same(draft[field], base[field]));
  return { ...incoming, ...Object.fromEntries(edited.map((field) => [field, draft[field]])) };
}

/** @param {Message[]} messages @param {number} index @param {number} by */
export function movedMessage(messages, index, by) {
  const to = index + by;
  if (to < 0 || to >= messages.length) return messages;
  const next = [...messages];
  [next[index], next[to]] = [next[to], next[index]];
  return next;
}

/** @param {Message[]} messages @param {number} index */
export function withoutMessage(messages, index) {
  return messages.filter((_, at) => at !== index);
}

/** With an empty message behind the others: of the assistant behind the user's, else the user's.
 * @param {Message[]} messages @param {string[]} roles those to choose from */
export function withAnother(messages, roles) {
  const wanted = messages.at(-1)?.role === "user" ? "assistant" : "user";
  const role = roles.includes(wanted) ? wanted : (roles[0] ?? wanted);
  return [...messages, { role, content: "" }];
}

/** @param {Message[]} messages @param {number} index @param {Message} change */
export function withChange(messages, index, change) {
  return messages.map((message, at) => (at === index ? { ...message, ...change } : message));
}

/** The roles a message may have: those on offer, and its own. @param {string[]} roles @param {string} own */
export function rolesFor(roles, own) {
  return roles.includes(own) ? roles : [...roles, own];
}

/** What a content that is no plain string says. @param {any} content */
export function partsText(content) {
  if (content === null || content === undefined) return "(no text)";
  const parts = Array.isArray(content) ? content : [content];
  return parts.map((part) => part?.text ?? `[${part?.type ?? JSON.stringify(part)}]`).join("\n");
}
