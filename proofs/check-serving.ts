/**
 * Has the serving engine answer requests of all kinds one by one, none with what another left in its caches, and then together: cold, with
 * all that is cached, and with so little memory that answers are put off and begun again, in steps of other sizes. Texts, ids
 * and log probabilities must be the same to the last bit, greedy and drawn.
 *   node proofs/check-serving.ts [--model NAME] [--dtypes float32,bfloat16] [--weights int8] [--requests 500] [--tokens 12] [--threads N]
 */
import { randomBytes } from "node:crypto";
import { isDeepStrictEqual, parseArgs } from "node:util";
import sharp from "sharp";
import { loadModel } from "../src/generation/index.ts";
import { ServingEngine, type ServingOptions } from "../src/serving/engine/index.ts";
import { defaultModel, type KeptWeights } from "../src/setup/index.ts";
import { instructionSet } from "../src/torch/index.ts";
import { essence, requestsOf, told } from "../test/support/served-requests.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: defaultModel },
    dtypes: { type: "string", default: "float32,bfloat16" },
    weights: { type: "string" },
    requests: { type: "string", default: "500" },
    tokens: { type: "string", default: "12" },
    threads: { type: "string" },
  },
});
const count = Number(values.requests);

const images = await Promise.all(
  [48, 320, 640].map((width) =>
    sharp(randomBytes(width * 240 * 3), { raw: { width, height: 240, channels: 3 } })
      .png()
      .toBuffer(),
  ),
);

let wrong = 0;
for (const dtype of values.dtypes.split(",") as ("float32" | "bfloat16")[]) {
  using model = await loadModel(values.model, {
    dtype,
    ...(values.weights && { weights: values.weights as KeptWeights }),
    ...(values.threads && { threads: Number(values.threads) }),
  });
  const requests = requestsOf(count, images, { seed: 1, mostTokens: Number(values.tokens) });
  const alone: unknown[] = [];
  {
    using engine = new ServingEngine(model);
    for (const [i, request] of requests.entries())
      alone.push(essence(await told(engine.answer({ ...request, salt: `alone ${i}` }))));
  }
  using pages = model.pretrained.model.languageModel.newPages();
  const ways: Readonly<Record<string, ServingOptions>> = {
    "8 at once": { maxRunning: 8 },
    "32 at once, in small steps": { maxRunning: 32, stepTokens: 100, interleavedTokens: 7 },
    "with little memory": { maxRunning: 16, memory: 20 * pages.pageBytes },
  };
  for (const [way, options] of Object.entries(ways)) {
    using engine = new ServingEngine(model, { queueLimit: count, ...options });
    for (const state of ["cold", "warm"]) {
      const answers = await Promise.all(requests.map((request) => told(engine.answer(request))));
      const other = answers.filter((answer, i) => !isDeepStrictEqual(essence(answer), alone[i])).length;
      wrong += other;
      const { cachedTokens, promptTokens, preemptions, towerImages, visionHits } = engine.state();
      console.log(
        `${dtype}, ${instructionSet()}, ${way}, ${state}: ${count - other} of ${count} the same; of ${promptTokens} tokens of prompts ${cachedTokens} cached, ${towerImages} images seen and ${visionHits} known, ${preemptions} put off`,
      );
    }
  }
}
process.exitCode = wrong > 0 ? 1 : 0;
