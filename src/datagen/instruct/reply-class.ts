/** What may come of an item: each reply is of exactly one class, and only the first two become rows. */
export const replyClasses = {
  ok: "a row",
  trimmed: "cut at the longest reply, the turns before are a row",
  truncated: "cut at the longest reply before a turn was whole",
  empty: "no text",
  refused: "a refusal",
  filtered: "held back by the endpoint's filter",
  "no-pairs": "no question and answer found",
  misaligned: "a question without an answer, or the other way round",
  "leak-source": "tells of captions, boxes or a description as its source",
  "leak-coordinates": "tells coordinates",
  "leak-markup": "marks of the prompt's format inside a text",
  meta: "talks about the request",
  repeated: "goes round in circles, or says what many others say",
  "too-short": "an answer too short",
  "too-long": "an answer too long",
  "wrong-language": "written in another script",
  ungrounded: "names things that neither captions nor boxes do",
  rejected: "the kind's own check says no",
  "served-model-changed": "written by another model than the others",
  failed: "the request failed",
  unasked: "not asked yet",
} as const;

export type ReplyClass = keyof typeof replyClasses;

export const isRow = (name: ReplyClass): boolean => name === "ok" || name === "trimmed";
