import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSafetensors, readSafetensorsHeader } from "../checkpoint/index.ts";
import type { LlavaError } from "../errors.ts";
import { loadCheckpoint } from "../pretrained/index.ts";
import { inference, liveTensors, longTensor, scope } from "../torch/index.ts";
import { generate, generateBatch } from "./generate.ts";
import type { GenerationInput, TextGenerator } from "./input.ts";
import type { GenerationOutput } from "./output.ts";
import { type PromptInputs, preparePrompt } from "./prompt.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/llava/", import.meta.url));

/** A checkpoint with the prompts of its reference file and what transformers answers to them, without a cache. */
async function loadCase(name: string) {
  const pretrained = await loadCheckpoint(`${fixtures}${name}`);
  const path = `${fixtures}${name}/reference.safetensors`;
  const { metadata } = readSafetensorsHeader(path);
  const prompts: string[] = JSON.parse(metadata.get("prompts")!);
  const images: string[][] = JSON.parse(metadata.get("images")!);
  using reference = openSafetensors(path);
  using greedy = reference.read("batch.greedy_ids");
  const [rows, length] = greedy.shape as [number, number];
  const ids = greedy.toNumbers();
  const inputs = await Promise.all(
    prompts.map((raw, row) =>
      preparePrompt(pretrained, { raw, images: images[row]!.map((file) => `${fixtures}images/${file}`) }),
    ),
  );
  const expected = Array.from({ length: rows }, (_, row) => ids.slice(row * length, (row + 1) * length));
  return { pretrained, inputs, expected };
}

async function answer(
  generator: TextGenerator,
  input: GenerationInput,
  options: Parameters<typeof generate>[2] = {},
): Promise<GenerationOutput & { deltas: string[] }> {
  const deltas: string[] = [];
  for await (const part of generate(generator, input, options)) {
    if (part.type === "finish") return { ...part.output, deltas };
    deltas.push(part.text);
  }
  throw new Error("a stream ends with a finish");
}

async function answerAll(
  generator: TextGenerator,
  inputs: readonly GenerationInput[],
  options: Parameters<typeof generateBatch>[2] = {},
): Promise<GenerationOutput[]> {
  const outputs: GenerationOutput[] = [];
  for await (const { row, part } of generateBatch(generator, inputs, options)) {
    if (part.type === "finish") outputs[row] = part.output;
  }
  return outputs;
}

const long = { maxTokens: 24, ignoreEos: true };
const sampled = { ...long, temperature: 0.9, topK: 50, topP: 0.95, repetitionPenalty: 1.1, seed: 5 };

for (const name of ["llama", "llama-gqa-full", "qwen2", "multi-layer"]) {
  describe(`checkpoint ${name}`, async () => {
    const { pretrained, inputs, expected } = await loadCase(name);
    after(() => pretrained[Symbol.dispose]());

    test("greedy ids are those of transformers", async () => {
      for (const [row, input] of inputs.entries()) {
        assert.deepEqual((await answer(pretrained, { ...input, ...long })).tokenIds, expected[row]);
      }
    });

    test("a padded batch says what its rows say alone, greedy and sampled, however it is fed", async () => {
      assert.notEqual(inputs[0]!.inputIds.length, inputs[1]!.inputIds.length, "rows are padded");
      for (const options of [long, sampled]) {
        const rows = [inputs[1]!, inputs[0]!, inputs[1]!].map((input) => ({ ...input, ...options }));
        const alone = await Promise.all(rows.map((row) => answer(pretrained, row)));
        for (const prefillChunk of [512, 7]) {
          const together = await answerAll(pretrained, rows, { prefillChunk });
          assert.deepEqual(
            together.map(({ tokenIds, text }) => ({ tokenIds, text })),
            alone.map(({ tokenIds, text }) => ({ tokenIds, text })),
          );
        }
      }
    });

    test("a prompt fed in chunks of any size gives the same answer", async () => {
      for (const prefillChunk of [1, 5, inputs[0]!.inputIds.length - 1]) {
        const { tokenIds } = await answer(pretrained, { ...inputs[0]!, ...long }, { prefillChunk });
        assert.deepEqual(tokenIds, expected[0]);
      }
    });
  });
}

describe("generation", async () => {
  const { pretrained, inputs, expected } = await loadCase("qwen2");
  const [input, other] = inputs as [PromptInputs, PromptInputs];
  after(() => pretrained[Symbol.dispose]());

  test("the cache changes nothing: sampled answers are those of whole forward passes", async () => {
    const { tokenIds } = await answer(pretrained, { ...input, ...sampled });
    const { Sampler } = await import("./sampler.ts");
    const sampler = new Sampler(sampled);
    const ids = [...input.inputIds];
    for (let step = 0; step < sampled.maxTokens; step++) {
      const row = inference(() =>
        scope(() => {
          const logits = pretrained.model.forward(longTensor(ids, [1, ids.length]), input.pixelValues);
          return logits.select(1, -1).toFloat32Array();
        }),
      );
      ids.push(sampler.choose(row, ids));
    }
    assert.deepEqual(tokenIds, ids.slice(input.inputIds.length));
  });

  test("a seed gives one answer, another seed another", async () => {
    const first = await answer(pretrained, { ...input, ...sampled });
    assert.deepEqual((await answer(pretrained, { ...input, ...sampled })).tokenIds, first.tokenIds);
    assert.notDeepEqual(
      (await answer(pretrained, { ...input, ...sampled, seed: 6 })).tokenIds,
      first.tokenIds,
    );
  });

  test("deltas are whole characters, never empty, and together the decoded answer", async () => {
    for (let seed = 0; seed < 12; seed++) {
      const options = { ...long, maxTokens: 40, temperature: 1.2, seed };
      const { deltas, text, tokenIds } = await answer(pretrained, { ...input, ...options });
      assert.equal(deltas.join(""), text);
      assert.equal(text, pretrained.processor.tokenizer.decode(tokenIds, { skipSpecial: true }));
      assert.ok(deltas.every((delta) => delta !== "" && delta.isWellFormed()));
    }
  });

  test("an end token ends the answer and is not part of its text; unless it is ignored", async () => {
    const [stopId] = expected[0]!.slice(9);
    const end = expected[0]!.indexOf(stopId!);
    const generator = { ...pretrained, processor: { ...pretrained.processor, stopIds: [stopId!] } };
    const ended = await answer(generator, { ...input, maxTokens: 24 });
    assert.deepEqual([ended.finishReason, ended.tokenIds], ["stop", expected[0]!.slice(0, end + 1)]);
    assert.equal(
      ended.text,
      pretrained.processor.tokenizer.decode(expected[0]!.slice(0, end), { skipSpecial: true }),
    );
    const ignored = await answer(generator, { ...input, ...long });
    assert.deepEqual([ignored.finishReason, ignored.tokenIds], ["length", expected[0]]);
  });

  test("a stop string across tokens ends the answer before it", async () => {
    const whole = await answer(pretrained, { ...input, ...long });
    const [stop, start] = ["AN!", whole.text.indexOf("AN!")];
    assert.ok(start > 0 && !whole.deltas.includes(stop), "it spans tokens");
    const { text, deltas, finishReason, tokenIds } = await answer(pretrained, {
      ...input,
      ...long,
      stop: [stop],
    });
    assert.deepEqual([text, deltas.join(""), finishReason], [whole.text.slice(0, start), text, "stop"]);
    assert.deepEqual(tokenIds, expected[0]!.slice(0, tokenIds.length));
  });

  test("rows of a batch end on their own", async () => {
    const rows = [
      { ...input, ...long, maxTokens: 3 },
      { ...other, ...long },
    ];
    const [short, full] = await answerAll(pretrained, rows);
    assert.deepEqual([short!.tokenIds, short!.finishReason], [expected[0]!.slice(0, 3), "length"]);
    assert.deepEqual(full!.tokenIds, expected[1]);
  });

  test("tokens of prompt and images are counted", async () => {
    const { promptTokens, imageTokens } = await answer(pretrained, { ...input, maxTokens: 1 });
    assert.deepEqual([promptTokens, imageTokens], [input.inputIds.length, 8]);
  });

  test("an answer ends where the context does", async () => {
    const room = pretrained.processor.contextLength - input.inputIds.length;
    const { tokenIds, finishReason } = await answer(pretrained, {
      ...input,
      ignoreEos: true,
      maxTokens: 10_000,
    });
    assert.deepEqual([tokenIds.length, finishReason], [room, "length"]);
  });

  test("a prompt that does not fit is refused with all numbers, before the model is used", async () => {
    const inputIds = [...input.inputIds, ...Array<number>(256 - input.inputIds.length).fill(5)];
    const model = new Proxy(pretrained.model, {
      get(target, name) {
        if (name === "embed") throw new Error("used");
        return Reflect.get(target, name, target);
      },
    });
    await assert.rejects(answer({ ...pretrained, model }, { ...input, inputIds }), (error: LlavaError) => {
      assert.equal(error.code, "prompt");
      assert.match(error.message, /256 tokens, 8 of them from images.*holds 256/);
      return true;
    });
  });

  test("an abort by a timer ends all rows with what they have", async () => {
    const rows = [0, 1, 2, 3].map((seed) => ({
      ...input,
      ignoreEos: true,
      maxTokens: 190,
      temperature: 1,
      seed,
    }));
    const whole = await answerAll(pretrained, rows);
    const controller = new AbortController();
    const outputs: GenerationOutput[] = [];
    for await (const { row, part } of generateBatch(pretrained, rows, { signal: controller.signal })) {
      if (part.type === "finish") outputs[row] = part.output;
      else setTimeout(() => controller.abort(), 1); // only a turn of the event loop lets it fire
    }
    for (const [row, { finishReason, tokenIds }] of outputs.entries()) {
      assert.equal(finishReason, "aborted");
      assert.ok(tokenIds.length > 0 && tokenIds.length < 190);
      assert.deepEqual(tokenIds, whole[row]!.tokenIds.slice(0, tokenIds.length));
    }
  });

  test("an abort while the prompt is read ends before any token", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 1);
    const inputIds = [...input.inputIds, ...Array<number>(180).fill(5)];
    const options = { signal: controller.signal, prefillChunk: 1 };
    const { finishReason, tokenIds } = await answer(pretrained, { ...input, inputIds }, options);
    assert.deepEqual([finishReason, tokenIds], ["aborted", []]);
  });

  test("a signal that fired before the start means no work at all", async () => {
    const { finishReason, tokenIds } = await answer(pretrained, input, { signal: AbortSignal.abort() });
    assert.deepEqual([finishReason, tokenIds], ["aborted", []]);
  });

  test("no tensor is left behind, whether the stream is read to its end or left", async () => {
    const before = liveTensors();
    await answerAll(pretrained, [
      { ...input, ...sampled },
      { ...other, ...long },
    ]);
    assert.equal(liveTensors(), before);
    for await (const part of generate(pretrained, { ...input, ...long })) {
      if (part.type === "text-delta") break;
    }
    assert.equal(liveTensors(), before);
  });
});
