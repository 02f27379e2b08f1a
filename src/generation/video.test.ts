import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadCheckpoint } from "../pretrained/index.ts";
import { ContextFullError } from "../protocol/index.ts";
import { inference, scope } from "../torch/index.ts";
import { type AnswerOptions, LocalModel, traceStages } from "./index.ts";
import { openPrompt, type Prompt, type PromptOptions } from "./prompt.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/", import.meta.url));
const clip = { path: `${fixtures}video/moving.gif` };
const model = new LocalModel(await loadCheckpoint(`${fixtures}llava-next-video/max`), { id: "max" });
after(() => model.dispose());
const { contextLength } = model.pretrained.processor;
const ask = (text: string, ...images: ({ path: string } | string)[]): Prompt => ({
  messages: [{ role: "user", content: text }],
  images,
});

async function read(prompt: Prompt, options: AnswerOptions = {}) {
  using inputs = await model.prepare(prompt, options);
  const logits = inference(() =>
    scope(() => traceStages(model.pretrained.model, inputs).get("logits")!.toNumbers()),
  );
  return { ...inputs, logits };
}

async function answer(prompt: Prompt, options: AnswerOptions): Promise<readonly number[]> {
  for await (const part of model.answer(prompt, { temperature: 0, ignoreEos: true, ...options }))
    if (part.type === "finish") return part.output.tokenIds;
  throw new Error("no end");
}

test("where a most is said no frame is seen twice, whatever the model's own rule says", async () => {
  const seen = async (options: PromptOptions) =>
    (await openPrompt(model.pretrained, ask("What?", clip), { maxTokens: 1, ...options })).videos![0]!
      .indices;
  const all = await seen({ mostFrames: 128 });
  assert.deepEqual(all, [...new Set(all)]);
  assert.deepEqual(await seen({ mostFrames: 128, frames: 1000 }), all);
  assert.equal((await seen({ mostFrames: 3 })).length, 3);
  assert.equal((await seen({ frames: all.length + 2 })).length, all.length + 2);
});

describe("positions of a long prompt", () => {
  test("are the model's own where it fits, and logits the same as without asking", async () => {
    const short = { frames: 2, maxTokens: 8 };
    const own = await read(ask("What?", clip), short);
    assert.equal(own.ropeFactor, undefined);
    assert.deepEqual((await read(ask("What?", clip), { ...short, ropeFactor: "auto" })).logits, own.logits);
    const scaled = await read(ask("What?", clip), { ...short, ropeFactor: 2 });
    assert.equal(scaled.ropeFactor, 2);
    assert.equal(scaled.contextLength, 2 * contextLength);
    assert.notDeepEqual(scaled.logits, own.logits);
  });

  test("are divided by the smallest factor that prompt and answer need, for a video", async () => {
    const inputs = await read(ask("What?", clip), { frames: 12, maxTokens: 2 * contextLength });
    const tokens = inputs.inputIds.length + 2 * contextLength;
    assert.equal(inputs.ropeFactor, Math.ceil(tokens / contextLength));
    assert.ok(inputs.contextLength >= tokens);
  });

  test("that are too many under a given factor are refused with the number of frames that fits", async () => {
    const clips = Array.from({ length: 8 }, () => clip);
    const options = { frames: 12, ropeFactor: 2, maxTokens: 1 };
    await assert.rejects(read(ask("What?", ...clips), options), (error: unknown) => {
      assert.ok(error instanceof ContextFullError);
      assert.equal(error.contextLength, 2 * contextLength);
      const frames = Number(/--frames (\d+) fits/.exec(error.hint!)?.[1]);
      assert.ok(frames >= 1 && frames < 12, error.hint);
      return true;
    });
    const { hint } = (await read(ask("What?", ...clips), options).catch(
      (error: ContextFullError) => error,
    )) as ContextFullError;
    const frames = Number(/--frames (\d+) fits/.exec(hint!)![1]);
    const fits = await read(ask("What?", ...clips), { ...options, frames });
    assert.ok(fits.inputIds.length < 2 * contextLength);
    await assert.rejects(read(ask("What?", ...clips), { ...options, frames: frames + 1 }));
  });

  test("are filled by as many frames as fit, beside room for the answer", async () => {
    const clips = Array.from({ length: 4 }, () => clip);
    const { videos, inputIds } = await read(ask("What?", ...clips), { frames: "auto", maxTokens: 20 });
    const frames = videos![0]!.indices.length;
    assert.ok(inputIds.length + 20 <= contextLength);
    const more = await read(ask("What?", ...clips), { frames: frames + 1, maxTokens: 20 });
    assert.ok(more.inputIds.length + 20 > contextLength);
  });

  test("are each prompt's own in a batch", async () => {
    const prompts = [undefined, 2, 3].map((ropeFactor) => ({
      prompt: ask("What?", clip),
      sampling: {
        frames: 3,
        maxTokens: 12,
        ignoreEos: true,
        temperature: 0,
        ...(ropeFactor && { ropeFactor }),
      },
    }));
    const alone = [];
    for (const { prompt, sampling } of prompts) alone.push(await answer(prompt, sampling));
    const together: (readonly number[])[] = [];
    for await (const answered of model.answerBatch(prompts))
      if ("part" in answered && answered.part.type === "finish")
        together[answered.row] = answered.part.output.tokenIds;
    assert.deepEqual(together, alone);
  });
});

describe("media of a prompt", () => {
  const photo = `${fixtures}llava-next/images/wide.png`;

  test("stand in any order, videos of several lengths beside images", async () => {
    const folder = { path: `${fixtures}video/frames` };
    const options = { fps: 100, maxTokens: 1, ropeFactor: 8 };
    const one = await read(ask("<video> then <image> then <video>", clip, photo, folder), options);
    assert.deepEqual(
      one.videos!.map(({ indices }) => indices.length),
      [12, 3],
    );
    const other = await read(ask("<video> then <image> then <video>", folder, photo, clip), options);
    assert.deepEqual(
      other.videos!.map(({ indices }) => indices.length),
      [3, 12],
    );
    assert.equal(one.inputIds.length, other.inputIds.length);
  });

  test("are frames, given one by one, like those of a folder", async () => {
    const frames = [1, 2, 10].map((index) => `${fixtures}video/frames/frame_${index}.png`);
    const options = { frames: 3, maxTokens: 1 };
    using given = await model.prepare(
      { messages: [{ role: "user", content: "What?" }], images: [{ frames }] },
      options,
    );
    using folder = await model.prepare(ask("What?", { path: `${fixtures}video/frames` }), options);
    assert.deepEqual(given.pixelValues!.toNumbers(), folder.pixelValues!.toNumbers());
    assert.deepEqual(given.inputIds, folder.inputIds);
  });
});

test("an image model sees a video without having seen one; one frame is the image itself", async () => {
  using image = new LocalModel(await loadCheckpoint(`${fixtures}llava/llama`), { id: "image" });
  const photo = `${fixtures}llava/images/wide.png`;
  const raw = (media: string | { frames: string[] }) =>
    image.prepare({ raw: "USER: <image>\nQ ASSISTANT:", images: media }, { frames: 1, maxTokens: 1 });
  using seen = await raw(photo);
  using shown = await raw({ frames: [photo] });
  assert.deepEqual(shown.inputIds, seen.inputIds);
  const logits = (inputs: typeof seen) =>
    inference(() => scope(() => traceStages(image.pretrained.model, inputs).get("logits")!.toNumbers()));
  assert.deepEqual(logits(shown), logits(seen));
});

test("options that are none are refused", async () => {
  for (const wrong of [{ frames: 0 }, { frames: 1.5 }, { fps: 0 }, { ropeFactor: 0.5 }])
    await assert.rejects(read(ask("What?", clip), wrong), { code: "usage" });
});
