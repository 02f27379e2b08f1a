import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSafetensorsHeader } from "../checkpoint/index.ts";
import { loadCheckpoint } from "../pretrained/index.ts";
import { liveTensors } from "../torch/index.ts";
import { beamSearch } from "./beam-search.ts";
import { generateBatch } from "./generate.ts";
import { preparePrompt } from "./prompt.ts";

interface Reference {
  readonly maxTokens: number;
  readonly cases: readonly {
    readonly beams: number;
    readonly lengthPenalty: number;
    readonly stopIds: readonly number[];
    readonly tokenIds: readonly (readonly number[])[];
    readonly scores: readonly number[] | null;
  }[];
}

const folder = fileURLToPath(new URL("../../test/fixtures/llava/", import.meta.url));
const pretrained = await loadCheckpoint(`${folder}llama`);
const { metadata } = readSafetensorsHeader(`${folder}llama/reference.safetensors`);
const prompts: string[] = JSON.parse(metadata.get("prompts")!);
const images: string[][] = JSON.parse(metadata.get("images")!);
const inputs = await Promise.all(
  prompts.map((raw, row) =>
    preparePrompt(pretrained, { raw, images: images[row]!.map((file) => `${folder}images/${file}`) }),
  ),
);

after(() => pretrained[Symbol.dispose]());

const stoppingAt = (stopIds: readonly number[]) => ({
  ...pretrained,
  processor: { ...pretrained.processor, stopIds },
});

test("beams are those of transformers, padded prompts with images together", async () => {
  const { maxTokens, cases } = JSON.parse(readFileSync(`${folder}llama/beams.json`, "utf8")) as Reference;
  const before = liveTensors();
  for (const { stopIds, tokenIds, scores, ...options } of cases) {
    const answers = await beamSearch(
      stoppingAt(stopIds),
      inputs.map((input) => ({ ...input, maxTokens })),
      options,
    );
    assert.deepEqual(
      answers.map((answer) => answer.tokenIds),
      tokenIds,
      JSON.stringify(options),
    );
    for (const [row, score] of (scores ?? []).entries())
      assert.ok(Math.abs(answers[row]!.score - score) < 1e-4, `${answers[row]!.score} and ${score}`);
  }
  assert.equal(liveTensors(), before);
});

test("one prompt gets the answer that it gets beside another", async () => {
  const options = { beams: 3 };
  const asked = inputs.map((input) => ({ ...input, maxTokens: 8 }));
  const together = await beamSearch(pretrained, asked, options);
  for (const [row, input] of asked.entries()) {
    const [alone] = await beamSearch(pretrained, [input], options);
    assert.deepEqual(alone!.tokenIds, together[row]!.tokenIds);
  }
});

test("wrong numbers of beams are refused, an abort ends the search", async () => {
  await assert.rejects(beamSearch(pretrained, inputs, { beams: 0 }), /beams must be/);
  await assert.rejects(beamSearch(pretrained, inputs, { beams: 2, signal: AbortSignal.abort() }), /stopped/);
});

test("several end tokens and stop strings end answers, and as many go on as there are beams", async () => {
  const asked = { ...inputs[0]!, maxTokens: 12 };
  const [whole] = await beamSearch(stoppingAt([]), [asked], { beams: 3 });
  // So many that most of the likeliest continuations end an answer.
  const stopIds = Array.from({ length: 260 }, (_, id) => id).filter((id) => id % 4 > 0);
  const [ended] = await beamSearch(stoppingAt(stopIds), [asked], { beams: 3 });
  assert.deepEqual(
    ended!.tokenIds.map((id) => stopIds.includes(id)),
    ended!.tokenIds.map((_, at) => at === ended!.tokenIds.length - 1),
  );
  assert.ok(ended!.tokenIds.length < 12);
  const stop = [...whole!.text].slice(0, 6);
  const [cut] = await beamSearch(stoppingAt([]), [{ ...asked, stop }], { beams: 3 });
  assert.ok(stop.every((text) => !cut!.text.includes(text)));
  assert.notDeepEqual(cut!.tokenIds, whole!.tokenIds);
});

test("what draws has no place in a search, for one prompt and beside others", async () => {
  const [asked] = inputs as [(typeof inputs)[0]];
  for (const drawn of [{ temperature: 1 }, { topK: 3 }, { repetitionPenalty: 1.2 }])
    await assert.rejects(beamSearch(pretrained, [{ ...asked, ...drawn }], { beams: 2 }), { code: "usage" });
  const [name, value] = ["lengthPenalty", Number.NaN];
  await assert.rejects(
    beamSearch(pretrained, [{ ...asked, [name]: value }], { beams: 2, [name]: value }),
    /lengthPenalty/,
  );
});

test("a search in the middle of a batch is stopped with what it has, and leaves no tensor", async () => {
  const before = liveTensors();
  const controller = new AbortController();
  const { signal } = controller;
  const rows = inputs.map((input, row) => ({
    ...input,
    maxTokens: 100,
    ignoreEos: true,
    ...(row === 0 && { beams: 3 }),
  }));
  const reasons: string[] = [];
  for await (const { row, part } of generateBatch(pretrained, rows, { signal })) {
    if (part.type === "finish") reasons[row] = part.output.finishReason;
    else setTimeout(() => controller.abort(), 1);
  }
  assert.deepEqual(reasons, ["aborted", "aborted"]);
  assert.equal(liveTensors(), before);
});
