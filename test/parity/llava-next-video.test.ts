// Every stage of LLaVA-NeXT-Video against transformers on tiny random checkpoints: npm test -- test/parity/llava-next-video.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { canonicalName, openSafetensors, readSafetensorsHeader } from "../../src/checkpoint/index.ts";
import { LocalModel, traceStages } from "../../src/generation/index.ts";
import { llavaPaths } from "../../src/models/index.ts";
import { loadCheckpoint } from "../../src/pretrained/index.ts";
import { backward, crossEntropy, inference, keep, longTensor, noGrad, scope } from "../../src/torch/index.ts";
import { assertClose } from "../support/close.ts";
import { greedyIds } from "../support/greedy.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const videos = `${fixtures}llava-next-video/`;
const STAGE_TOLERANCE = 1e-4;

const rowsOf = (path: string) => {
  const metadata = new Map(readSafetensorsHeader(path).metadata);
  const read = (key: string) => JSON.parse(metadata.get(key)!) as string[];
  const [images, clips] = [read("images"), read("videos")] as unknown as [string[][], string[][]];
  return read("prompts").map((raw, index) => ({ raw, images: images[index]!, clips: clips[index]! }));
};

const mediaOf = ({ images, clips }: { images: readonly string[]; clips: readonly string[] }) => [
  ...images.map((name) => `${fixtures}llava-next/images/${name}.png`),
  ...clips.map((name) => ({ path: `${videos}videos/${name}` })),
];

for (const name of ["average", "max", "conv", "original"])
  describe(name, () => {
    const source = `${videos}${name === "original" ? "average" : name}/reference.safetensors`;
    for (const [index, row] of rowsOf(source).entries()) {
      // The original code resizes frames by Pillow, transformers by torchvision: a grey level is another here and there.
      if (name === "original" && row.clips.some((clip) => clip !== "exact")) continue;
      test(`${[...row.images, ...row.clips].join(" and ")}: pixel values, embeddings, logits and greedy ids equal transformers'`, async () => {
        using reference = openSafetensors(source);
        const expected = (stage: string) => reference.read(`${index}.${stage}`);
        using pretrained = await loadCheckpoint(`${videos}${name}`);
        const { model } = pretrained;
        const frames = [...reference.names()].includes(`${index}.pixel_values_videos`)
          ? expected("pixel_values_videos").size(1)
          : 1;
        using inputs = await new LocalModel(pretrained, { id: name }).prepare(
          { raw: row.raw, images: mediaOf(row) },
          { frames, maxTokens: 24 },
        );
        const { imageTokenId } = model;
        const { vocabSize } = model.languageModel.config;
        // The original code's placeholder is no token; transformers has one for images and one for videos.
        const ids = expected("input_ids").toNumbers();
        const marks = new Set([Math.max(...ids), Math.max(...ids) - 1, Math.max(...ids) - 2]);
        assert.deepEqual(
          inputs.inputIds.map((id) => (id === imageTokenId ? "x" : id)),
          ids.map((id, at) => (marks.has(id) && inputs.inputIds[at] === imageTokenId ? "x" : id)),
        );
        noGrad(() =>
          scope(() => {
            const stages = traceStages(model, inputs);
            const clip = expected("pixel_values_videos").flatten(0, 1);
            const own = stages.get("pixel_values")!;
            const isLast = row.raw.indexOf("<video>") > row.raw.indexOf("<image>");
            const seen = isLast ? own.slice(0, own.size(0) - frames) : own.slice(0, 0, frames);
            assertClose(seen, clip, STAGE_TOLERANCE, "pixel values");
            assertClose(
              stages.get("inputs_embeds")!,
              expected("inputs_embeds"),
              STAGE_TOLERANCE,
              "embeddings",
            );
            assertClose(
              stages.get("logits")!,
              expected("logits").slice(-1, 0, vocabSize),
              STAGE_TOLERANCE,
              "logits",
            );
            assert.deepEqual(
              greedyIds(pretrained, stages.get("inputs_embeds")!, 24),
              expected("greedy_ids").toNumbers(),
            );
          }),
        );
      });
    }

    if (name === "original") return;
    test("loss and gradients equal PyTorch's", async () => {
      const path = source.replace("reference", "training");
      using stored = openSafetensors(path);
      using pretrained = await loadCheckpoint(`${videos}${name}`);
      const { model } = pretrained;
      const row = rowsOf(source).at(-1)!;
      using inputs = await new LocalModel(pretrained, { id: name }).prepare(
        { raw: row.raw, images: mediaOf(row) },
        { frames: row.clips[0] === "wide" ? 4 : 2, maxTokens: 24 },
      );
      for (const [key, parameter] of model.namedParameters()) model.setParameter(key, parameter.clone());
      model.requiresGrad_();
      scope(() => {
        const answer = stored.read("labels").toNumbers().slice(inputs.inputIds.length);
        const ids = longTensor([...inputs.inputIds, ...answer], [1, inputs.inputIds.length + answer.length]);
        const embeddings = model.embed(ids, { pixels: inputs.pixelValues!, layouts: inputs.layouts! });
        const logits = model.languageModel.logits(model.languageModel.forward(embeddings));
        const labels = stored.read("labels").to("int64").slice(1, 1).flatten();
        const loss = crossEntropy(logits.slice(1, 0, -1).flatten(0, 1), labels);
        assertClose(loss, stored.read("loss"), 1e-5, "loss");
        backward([loss]);
        const named = model.namedParameters();
        for (const key of stored.names()) {
          if (!key.startsWith("gradient.")) continue;
          const expected = stored.read(key);
          const parameter = named.get(llavaPaths.write(canonicalName(key.slice("gradient.".length)))!)!;
          assertClose(parameter.grad!, expected, 1e-4 * Math.max(1, expected.abs().amax().item()), key);
        }
      });
    });
  });

test("factors of a request, whole and broken, give transformers' logits under them", async () => {
  using stored = openSafetensors(`${videos}average/factors.safetensors`);
  using pretrained = await loadCheckpoint(`${videos}average`);
  const model = new LocalModel(pretrained, { id: "average" });
  const row = rowsOf(`${videos}average/reference.safetensors`)[1]!;
  const prompt = { raw: row.raw, images: mediaOf(row) };
  const names = [...stored.names()];
  assert.equal(names.length, 3);
  for (const name of names) {
    const ropeFactor = Number.parseFloat(name);
    using inputs = await model.prepare(prompt, { frames: 4, ropeFactor, maxTokens: 24 });
    noGrad(() =>
      scope(() => {
        const { vocabSize } = pretrained.model.languageModel.config;
        const logits = traceStages(pretrained.model, inputs).get("logits")!;
        assertClose(logits, stored.read(name).slice(-1, 0, vocabSize), STAGE_TOLERANCE, name);
      }),
    );
  }
});

test("several clips of different lengths and an image stand in a prompt in any order, and their order matters", async () => {
  using pretrained = await loadCheckpoint(`${videos}average`);
  const model = new LocalModel(pretrained, { id: "clips" });
  const clip = (name: string) => ({ path: `${videos}videos/${name}` });
  const photo = `${fixtures}llava-next/images/wide.png`;
  const logitsOf = async (media: readonly (string | { path: string })[]) => {
    using inputs = await model.prepare(
      { raw: `USER: ${media.map(() => "<image>\n").join("")}Q ASSISTANT:`, images: media },
      { fps: 2, maxTokens: 1 },
    );
    assert.deepEqual(
      inputs.videos!.map(({ indices }) => indices.length),
      media.flatMap((medium) => (typeof medium === "string" ? [] : [medium.path.endsWith("wide") ? 4 : 3])),
    );
    return inference(() =>
      scope(() => keep(traceStages(pretrained.model, inputs).get("logits")!.slice(1, -1))),
    );
  };
  using one = await logitsOf([clip("wide"), photo, clip("tall")]);
  using other = await logitsOf([clip("tall"), photo, clip("wide")]);
  assert.ok(one.sub(other).abs().amax().item() > 1e-3);
});
