// Rows that are too long: npm test -- src/data/loading/encode-within.test.ts
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openProcessor, sourceWithoutModel } from "../../processing/processor/index.ts";
import type { LlavaRow } from "../../protocol/index.ts";
import { encodeWithin } from "./encode-within.ts";

const folder = join(import.meta.dirname, "../../../test/fixtures/tokenizer/llama2");
const processor = await openProcessor(sourceWithoutModel({ folder }, { name: "v1" }, 1));
const layoutsOf = ({ images }: LlavaRow) => images.map(() => processor.layoutOf());
const encodeRow = (row: LlavaRow) => processor.encodeRow(row, layoutsOf(row));
const turnsOf = (...pairs: readonly (readonly [string, string])[]): LlavaRow["conversations"] =>
  pairs.flatMap(([question, answer]) => [
    { from: "human" as const, value: question },
    { from: "gpt" as const, value: answer },
  ]);
const named = (...names: readonly string[]) => names.map((name) => ({ name }));

test("a row that is too long loses turns with their images, and says when not even one fits", () => {
  const said = turnsOf(["<image> the", "dog"], ["<image> a", "cat"], ["more", "of it"]);
  const row: LlavaRow = { id: "x", images: named("a", "b"), conversations: said };
  const whole = encodeRow(row).inputIds.length;
  const one = encodeRow({ id: "x", images: named("a"), conversations: said.slice(0, 2) });
  const within = (maxTokens: number, truncates: boolean) => () =>
    encodeWithin(row, processor, layoutsOf(row), { maxTokens, truncates, turnMarks: "refuse" });
  const { inputIds, images } = within(one.inputIds.length, true)();
  assert.deepEqual([inputIds, images], [one.inputIds, ["a"]]);
  assert.throws(within(5, true), {
    problem: "long",
    message: `row x: its first question and answer alone are ${one.inputIds.length} tokens, more than 5`,
    hint: /raise --data\.maxTokens, or give --data\.onLongRow skip/,
  });
  assert.throws(within(5, false), {
    problem: "long",
    message: `row x: ${whole} tokens, more than 5`,
    hint: /onLongRow truncate or skip/,
  });
});
