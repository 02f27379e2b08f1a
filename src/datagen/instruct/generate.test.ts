// Rows by a teacher, from the library: npm test -- src/datagen/instruct/generate.test.ts
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { type GenerationRequest, noUsage } from "../../protocol/index.ts";
import type { Answerer } from "../../runner/index.ts";
import type { ConversationRow } from "../rows.ts";
import { type GenerateOptions, generateInstructions } from "./generate.ts";
import { instructionKinds } from "./kinds.ts";
import type { Outcome } from "./outcomes.ts";

const folder = temporaryFolder("llava-generate");
const items = Array.from({ length: 6 }, (_, number) => ({
  id: `i${number}`,
  image: `i${number}.jpg`,
  captions: [`A dog runs on beach ${number}.`],
  boxes: [],
}));

/** A teacher that is a function; about the image `i3` it has nothing to say. */
function teacherOf(asked: GenerationRequest[]): Answerer {
  return {
    id: "own",
    identity: "",
    concurrency: 2,
    batchSize: 1,
    answer: async (requests) =>
      requests.map((request) => {
        asked.push(request);
        const scene = String(request.messages.at(-1)!.content);
        const text = scene.includes("beach 3")
          ? "I'm sorry, I cannot help with that."
          : `Question:\nWhat is there?\n===\nAnswer:\n${scene}\n===`;
        return { text, reason: "stop", usage: noUsage };
      }),
  };
}

async function made(name: string, asked: GenerationRequest[], more: Partial<GenerateOptions> = {}) {
  const rows: ConversationRow[] = [];
  const outcomes: Outcome[] = [];
  const options: GenerateOptions = {
    folder: join(folder, name),
    items,
    kinds: (form) => instructionKinds(["conversation"], { form }),
    structured: "never",
    teachers: { plain: teacherOf(asked) },
    seed: 1,
    onOutcome: (outcome) => outcomes.push(outcome),
    ...more,
  };
  for await (const row of generateInstructions(options)) rows.push(row);
  return { rows, outcomes };
}

test("a function teaches: rows come in the items' order, every item has a class, and a second call asks nothing", async () => {
  const asked: GenerationRequest[] = [];
  const { rows, outcomes } = await made("run", asked);
  assert.deepEqual(
    rows.map(({ image }) => image),
    items.filter(({ id }) => id !== "i3").map(({ image }) => image),
  );
  assert.match(rows[0]!.conversations[0]!.value, /^(<image>\nWhat is there\?|What is there\?\n<image>)$/);
  assert.equal(rows[0]!.conversations[1]!.value, "A dog runs on beach 0.");
  assert.deepEqual(
    outcomes.map(({ class: name }) => name),
    items.map(({ id }) => (id === "i3" ? "refused" : "ok")),
  );
  assert.equal(asked.length, items.length);
  assert.deepEqual((await made("run", asked)).rows, rows);
  assert.equal(asked.length, items.length);
});

test("an abort ends it with what was asked for kept", async () => {
  const asked: GenerationRequest[] = [];
  const stop = new AbortController();
  const slow: Answerer = {
    ...teacherOf(asked),
    concurrency: 1,
    answer: async (requests, signal) => {
      if (asked.length === 2) stop.abort();
      return await teacherOf(asked).answer(requests, signal);
    },
  };
  await assert.rejects(made("aborted", asked, { teachers: { plain: slow }, signal: stop.signal }), {
    code: "aborted",
  });
  const before = asked.length;
  const { rows } = await made("aborted", asked);
  assert.equal(rows.length, items.length - 1);
  assert.ok(before < items.length);
  assert.equal(asked.length, items.length);
});
