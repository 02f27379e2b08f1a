import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { collectGarbage } from "../../../test/support/garbage.ts";
import { essence, requestsOf, told } from "../../../test/support/served-requests.ts";
import { Linear, PanelLinear } from "../../nn/index.ts";
import { convertModel, loadCheckpoint } from "../../pretrained/index.ts";
import { type ServedRequest, userMessage } from "../../protocol/index.ts";
import { liveTensors } from "../../torch/index.ts";
import { ServingEngine, type ServingOptions } from "./index.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/llava/", import.meta.url));
const [wide, tall] = ["wide", "tall"].map((name) => readFileSync(`${fixtures}images/${name}.png`)) as [
  Buffer,
  Buffer,
];

const cases = [
  { name: "llama", dtype: "float32" },
  { name: "llama-gqa-full", dtype: "float32" },
  { name: "qwen2", dtype: "float32" },
  { name: "llama-gqa-full", dtype: "bfloat16" },
] as const;

for (const { name, dtype } of cases)
  describe(`a serving engine of ${name} in ${dtype}`, async () => {
    const pretrained = await loadCheckpoint(`${fixtures}${name}`, { dtype });
    after(() => pretrained[Symbol.dispose]());
    const open = (options: ServingOptions = {}) =>
      new ServingEngine({ id: name, pretrained }, { memory: 1 << 24, ...options });

    test("answers to the last bit what each request is answered alone: cold, warm, beside others, cut, preempted", async () => {
      collectGarbage();
      const before = liveTensors();
      {
        const requests = requestsOf(50, [wide, tall], { seed: 7, mostTokens: 16 });
        const alone: unknown[] = [];
        {
          using engine = open({ stepTokens: 4096 });
          for (const [i, request] of requests.entries())
            alone.push(essence(await told(engine.answer({ ...request, salt: `alone ${i}` }))));
          assert.equal(engine.state().preemptions, 0);
        }
        using pages = pretrained.model.languageModel.newPages();
        const small = 20 * pages.pageBytes;
        for (const options of [
          { maxRunning: 8 },
          { stepTokens: 33, interleavedTokens: 5, maxRunning: 16 },
          { memory: small, maxRunning: 16, interleavedTokens: 16 },
          { maxRunning: 16, cache: false },
        ] as ServingOptions[]) {
          using engine = open(options);
          for (const state of options.cache === false ? ["cold"] : ["cold", "warm"]) {
            const all = await Promise.all(requests.map((request) => told(engine.answer(request))));
            for (const [i, one] of all.entries())
              assert.deepEqual(essence(one), alone[i], `request ${i}, ${state}, ${JSON.stringify(options)}`);
          }
          const { running, waiting, cachedTokens, visionHits, preemptions, memory } = engine.state();
          assert.deepEqual([running, waiting, memory.media], [0, 0, 0]);
          assert.equal(cachedTokens > 0, options.cache !== false);
          assert.ok(visionHits > 0);
          if (options.memory === undefined) assert.equal(preemptions, 0);
          assert.ok(memory.keyValues + memory.vision + memory.media <= memory.budget);
        }
      }
      collectGarbage();
      assert.equal(liveTensors(), before);
    });
  });

test("weights lie in panels unless they are to stay as they are, and a model with panels is not written", async () => {
  const kinds = async (options: ServingOptions): Promise<Set<unknown>> => {
    using pretrained = await loadCheckpoint(`${fixtures}llama`, { dtype: "float32" });
    using engine = new ServingEngine({ id: "tiny", pretrained }, { memory: 1 << 24, ...options });
    await told(engine.answer({ prompt: { ids: [1, 5] }, sampling: { maxTokens: 2 } }));
    const { layers } = pretrained.model.languageModel;
    return new Set(
      layers.flatMap((layer) =>
        [...layer.namedModules()].flatMap(([, module]) =>
          module instanceof Linear ? [module.constructor] : [],
        ),
      ),
    );
  };
  assert.deepEqual(await kinds({}), new Set([PanelLinear]));
  assert.deepEqual(await kinds({ panels: false }), new Set([Linear]));
  using pretrained = await loadCheckpoint(`${fixtures}llama`, { dtype: "float32" });
  using _ = new ServingEngine({ id: "tiny", pretrained }, { memory: 1 << 24 });
  const output = join(tmpdir(), "llava-never-written");
  assert.throws(() => convertModel(pretrained, { to: "hf", output, maxShardBytes: 1e9 }), {
    code: "usage",
    message: /in panels/,
  });
});

describe("a serving engine", async () => {
  const pretrained = await loadCheckpoint(`${fixtures}llama`, { dtype: "float32" });
  after(() => pretrained[Symbol.dispose]());
  const open = (options: ServingOptions = {}) =>
    new ServingEngine({ id: "tiny", pretrained }, { memory: 1 << 24, ...options });
  const asks = (
    text: string,
    images: readonly Buffer[] = [],
    more: Partial<ServedRequest> = {},
  ): ServedRequest => ({
    prompt: { messages: [userMessage(text, images)] },
    sampling: { maxTokens: 6, ignoreEos: true },
    ...more,
  });

  test("a second question about an image needs neither the tower nor what was read; another owner's or salt's does", async () => {
    using engine = open();
    const text = "what can be seen in this picture, and why";
    const first = await told(engine.answer(asks(text, [wide])));
    assert.equal(first.prompt!.cachedTokens, undefined);
    assert.equal(engine.state().towerImages, 1);
    const second = await told(engine.answer(asks(`${text} is it there?`, [wide])));
    const common = first.prompt!.promptTokens;
    assert.ok(second.prompt!.cachedTokens! > common - 2 * 16, `${second.prompt!.cachedTokens} of ${common}`);
    assert.deepEqual([engine.state().towerImages, engine.state().visionHits], [1, 0]);
    await told(engine.answer(asks("elsewhere, later: what is it?", [wide])));
    assert.deepEqual([engine.state().towerImages, engine.state().visionHits], [1, 1]);
    for (const other of [{ owner: "another" }, { salt: "another" }]) {
      const { prompt } = await told(engine.answer(asks(text, [wide], other)));
      assert.equal(prompt!.cachedTokens, undefined);
    }
    assert.equal(engine.state().towerImages, 3);
    const { prompt } = await told(engine.answer(asks(text, [tall])));
    assert.equal(prompt!.cachedTokens, undefined, "another image in the same place");
  });

  test("of equal beginnings that come at once one is read, and none waits for what is given up", async () => {
    using engine = open();
    const text = "what can be seen in this picture, and why is that so";
    const ask = (more: string) => engine.answer(asks(`${text}${more}`, [wide]));
    const alone = await told(ask(" alone?"));
    const { promptTokens } = alone.prompt!;
    using fresh = open({ stepTokens: 48 });
    const stop = new AbortController();
    const all = [0, 1, 2, 3].map((i) =>
      told(fresh.answer({ ...asks(`${text}${i}`, [wide]), ...(i === 0 && { signal: stop.signal }) })),
    );
    while (fresh.state().steps < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    await Promise.all(all);
    const { cachedTokens, promptTokens: read, towerImages } = fresh.state();
    assert.equal(towerImages, 1);
    assert.ok(cachedTokens >= read - promptTokens - 3 * 2 * 16, `${cachedTokens} of ${read}`);
  });

  test("a video's frames are decoded in the other thread as they are here, and known again", async () => {
    using engine = open();
    const inFiles = ["wide", "tall", "wide"].map((name) => `${fixtures}images/${name}.png`);
    const essences: unknown[] = [];
    for (const frames of [[wide, tall, wide], inFiles, [tall, wide, wide]]) {
      const content = [
        { type: "video", video: { frames } },
        { type: "text", text: "what happens?" },
      ] as const;
      const request = asks("");
      essences.push(
        essence(await told(engine.answer({ ...request, prompt: { messages: [{ role: "user", content }] } }))),
      );
    }
    assert.deepEqual(essences[0], essences[1]);
    const { towerImages, cachedTokens, memory } = engine.state();
    assert.equal(towerImages, 2);
    assert.ok(cachedTokens > 0);
    assert.equal(memory.media, 0);
    const broken = { frames: [wide, Buffer.from(tall.subarray(0, 80))] };
    const content = [{ type: "video", video: broken }] as const;
    await assert.rejects(
      told(engine.answer({ ...asks(""), prompt: { messages: [{ role: "user", content }] } })),
      { partIndex: 0 },
    );
  });

  test("text is never an image or a special token, in messages and raw", async () => {
    using engine = open();
    const special = [...pretrained.processor.tokenizer.specialTokens];
    const words = `a <image> b ${special.map(([word]) => word).join(" ")}`;
    for (const prompt of [{ messages: [userMessage(words)] }, { raw: words }]) {
      const { ids, imageTokens, text } = await engine.tokens(prompt);
      assert.equal(imageTokens, 0);
      assert.ok(text!.includes("<image>"));
      const template = await engine.tokens("raw" in prompt ? { raw: "a" } : { messages: [userMessage("a")] });
      const count = (all: readonly number[]) =>
        all.filter((id) => special.some(([, known]) => known === id)).length;
      assert.equal(count(ids), count(template.ids));
    }
    const whole = await engine.tokens({ messages: [userMessage("a", [wide])] });
    const { prompt } = await told(engine.answer(asks("a", [wide])));
    assert.deepEqual([whole.ids.length, whole.imageTokens], [prompt!.promptTokens, prompt!.imageTokens]);
  });

  test("the beginning of an answer is gone on with as if the model had written it", async () => {
    using engine = open();
    const question = userMessage("why?");
    const asked = await engine.tokens({ messages: [question] });
    const begun = await engine.tokens({
      messages: [question, { role: "assistant", content: "as it is" }],
      continuesFinal: true,
    });
    assert.deepEqual(begun.ids.slice(0, asked.ids.length), asked.ids);
    assert.equal(begun.text, `${asked.text} as it is`);
    await assert.rejects(engine.tokens({ messages: [question], continuesFinal: true }), { code: "prompt" });
  });

  test("choices share the prompt; stops of a request are told, and ends do not come before so many tokens", async () => {
    using engine = open();
    const request = asks("what is it?", [], {
      choices: 3,
      sampling: { maxTokens: 12, ignoreEos: true, temperature: 1, seed: 5, topLogprobs: 0 },
    });
    const { choices } = await told(engine.answer(request));
    for (const [index, { tokens }] of choices.entries()) {
      const single = await told(
        engine.answer({ ...request, choices: 1, sampling: { ...request.sampling, seed: 5 + index } }),
      );
      assert.deepEqual(single.choices[0]!.tokens, tokens);
    }
    const ids = choices[0]!.tokens.map(({ id }) => id);
    const sampling = { ...request.sampling, stopIds: [ids[3]!] };
    const stopped = await told(engine.answer({ ...request, choices: 1, sampling }));
    const at = ids.indexOf(ids[3]!) + 1;
    assert.deepEqual([stopped.choices[0]!.matched, stopped.choices[0]!.usage.completionTokens], [ids[3], at]);
    const late = await told(
      engine.answer({ ...request, choices: 1, sampling: { ...sampling, minTokens: 12 } }),
    );
    assert.equal(late.choices[0]!.usage.completionTokens, 12);
    const biased = await told(
      engine.answer({
        ...request,
        choices: 1,
        sampling: { maxTokens: 4, ignoreEos: true, logitBias: new Map([[40, 100]]), topLogprobs: 0 },
      }),
    );
    assert.deepEqual(
      biased.choices[0]!.tokens.map(({ id }) => id),
      [40, 40, 40, 40],
    );
  });

  test("too many are refused with a time; who is gone holds nothing, wherever the request stood", async () => {
    using engine = open({ maxRunning: 1, queueLimit: 2 });
    const slow = asks("what is it and why is that so?", [wide], {
      sampling: { maxTokens: 60, ignoreEos: true },
    });
    const stops = Array.from({ length: 3 }, () => new AbortController());
    const answers = stops.map(({ signal }) => told(engine.answer({ ...slow, signal })));
    await assert.rejects(told(engine.answer(slow)), (error: { code: string; retryAfter: number }) => {
      assert.equal(error.code, "overloaded");
      return error.retryAfter >= 1;
    });
    while (engine.state().steps < 3) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const stop of stops.toReversed()) stop.abort();
    for (const { choices } of await Promise.all(answers)) assert.equal(choices[0]!.reason, "aborted");
    const { running, waiting, memory } = engine.state();
    assert.deepEqual([running, waiting, memory.media], [0, 0, 0]);
    for await (const part of engine.answer(slow)) if (part.type === "delta") break;
    assert.equal(engine.state().running, 0);
    assert.equal((await told(engine.answer(slow))).choices[0]!.reason, "length");
  });

  test("many images and answers that nobody waits for leave memory within its budget, and nothing behind", async () => {
    const memory = 128 << 10;
    using engine = open({ memory, maxRunning: 4 });
    const picture = (seed: number) =>
      sharp(Buffer.alloc(12 * 12 * 3, `${seed} a picture`), { raw: { width: 12, height: 12, channels: 3 } })
        .png()
        .toBuffer();
    let most = 0;
    for (let round = 0; round < 12; round++) {
      const stop = new AbortController();
      const answers = Array.from({ length: 8 }, async (_, i) => {
        const request = asks(`what is on picture ${i}?`, [await picture(round * 8 + i)]);
        return await told(engine.answer(i % 3 === 0 ? { ...request, signal: stop.signal } : request));
      });
      await Promise.race(answers);
      stop.abort();
      await Promise.all(answers);
      const { keyValues, vision, media, budget } = engine.state().memory;
      assert.ok(keyValues + vision + media <= budget);
      assert.equal(media, 0);
      const live = liveTensors();
      if (round === 5) most = live;
      else if (round > 5) assert.ok(live <= most + 24, `${live} tensors, ${most} before`);
    }
    assert.ok(engine.state().towerImages > 50);
  });

  test("answers that memory is short for are put off, and are then what they would have been", async () => {
    using pages = pretrained.model.languageModel.newPages();
    using engine = open({ memory: 20 * pages.pageBytes });
    using roomy = open();
    const requests = [0, 1, 2].map((seed): ServedRequest => {
      const ids = Array.from({ length: 110 }, (_, k) => 5 + ((k * 7 + seed) % 60));
      const sampling = { maxTokens: 80, ignoreEos: true, temperature: 1, seed, topLogprobs: 1 };
      return { prompt: { ids }, sampling };
    });
    const answers = await Promise.all(requests.map((request) => told(engine.answer(request))));
    assert.ok(engine.state().preemptions > 0);
    for (const [i, request] of requests.entries())
      assert.deepEqual(essence(answers[i]!), essence(await told(roomy.answer(request))));
  });

  test("turns go round the owners, and the urgent go first", async () => {
    using engine = open({ maxRunning: 1 });
    const order: string[] = [];
    const ask = async (name: string, more: Partial<ServedRequest>) => {
      await told(
        engine.answer(asks(`who is ${name}?`, [], { ...more, sampling: { maxTokens: 3, ignoreEos: true } })),
      );
      order.push(name);
    };
    await Promise.all([
      ...Array.from({ length: 6 }, (_, i) => ask(`many ${i}`, { owner: "many" })),
      ask("one", { owner: "single" }),
      ask("urgent", { owner: "many", priority: -1 }),
    ]);
    assert.ok(order.indexOf("one") <= 3, order.join());
    assert.ok(order.indexOf("urgent") <= 2, order.join());
  });

  test("what cannot be answered says why, with the part at fault, and harms nobody", async () => {
    using engine = open();
    const broken = Buffer.from(wide.subarray(0, 60));
    const [, other] = await Promise.all([
      assert.rejects(told(engine.answer(asks("and this?", [wide, broken]))), {
        code: "image",
        messageIndex: 0,
        partIndex: 1,
      }),
      told(engine.answer(asks("and that?", [wide]))),
    ]);
    assert.equal(other.choices[0]!.reason, "length");
    await assert.rejects(told(engine.answer(asks("x".repeat(2000)))), { name: "LlavaError", code: "prompt" });
    await assert.rejects(told(engine.answer({ prompt: { ids: [1, 100_000] } })), { code: "prompt" });
    const constraint = { type: "json" } as const;
    await assert.rejects(told(engine.answer(asks("why?", [], { sampling: { constraint } }))), {
      code: "config",
    });
    assert.throws(() => open({ memory: 100 }), { code: "usage" });
  });

  test("an answer that is held to something has only what it lets through, and ends where it does", async () => {
    const allowed = [30, 31, 32, 33];
    let disposed = 0;
    using engine = open({
      constraints: {
        compile: async () => {
          let at = 0;
          return {
            mask: () => {
              const mask = new Uint32Array(8);
              mask[allowed[at]! >>> 5]! |= 1 << (allowed[at]! & 31);
              return mask;
            },
            accept: (id) => assert.equal(id, allowed[at++]),
            get isFinished() {
              return at === allowed.length;
            },
            [Symbol.dispose]: () => void disposed++,
          };
        },
      },
    });
    const sampling = { maxTokens: 20, temperature: 1, topLogprobs: 0, constraint: { type: "json" } } as const;
    const { choices } = await told(engine.answer(asks("why?", [], { sampling, choices: 2 })));
    for (const { tokens, reason } of choices) {
      assert.deepEqual(
        tokens.map(({ id }) => id),
        allowed,
      );
      assert.equal(reason, "stop");
    }
    assert.equal(disposed, 2);
  });
});
