import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { tinyText, tinyVision } from "../../../test/support/random-model.ts";
import { createLlava, type LlamaConfig, type LlavaConfig } from "../../models/index.ts";
import { type RecipeFields, resolveRecipe } from "../recipe/recipe.ts";
import { advise, modelSizes, planMemory, recipeSizes, renderPlan } from "./index.ts";

const configOf = (text: LlamaConfig): LlavaConfig => ({
  text,
  vision: tinyVision,
  projector: { type: "mlp", depth: 2, act: "gelu", bias: true },
  imageTokenId: 40,
  featureLayers: [-2],
  selectStrategy: "patch",
  imageAspectRatio: "pad",
  useImageStartEnd: false,
  grid: { rows: 2, columns: 2, extra: 0 },
});

const vicuna7b: LlamaConfig = {
  ...tinyText,
  vocabSize: 32_000,
  hiddenSize: 4096,
  intermediateSize: 11_008,
  numLayers: 32,
  numHeads: 32,
  numKeyValueHeads: 32,
  headDim: 128,
  attentionBias: false,
};
const sizes = modelSizes(configOf(vicuna7b));
const recipeOf = (fields: Partial<RecipeFields> = {}) =>
  resolveRecipe({
    model: fileURLToPath(new URL(".", import.meta.url)),
    data: { rows: "rows.json", images: "images", template: "v1" },
    optimizer: { learningRate: 1e-3 },
    batchSize: 16,
    dtype: "bfloat16",
    output: "run",
    ...fields,
  });
const full = recipeOf({ train: ["projector", "languageModel"] });
const adapters = recipeOf({ lora: { rank: 128, alpha: 256 } });

describe("a memory plan", () => {
  test("counts the parameters that the model has", () => {
    using model = createLlava(configOf(vicuna7b));
    const count = model.languageModel.parameters().reduce((sum, { elements }) => sum + elements, 0);
    assert.equal(sizes.parameters.languageModel, count);
    assert.equal(Math.round(count / 1e7), 674);
  });

  test("has 16 bytes for a weight that learns, and 2 for one that is frozen in bfloat16", () => {
    const { parameters } = sizes;
    const part = (name: string, recipe = full) =>
      planMemory(sizes, recipe).parts.find((each) => each.name === name)!.bytes;
    const learning = parameters.projector + parameters.languageModel;
    assert.equal(part("weights"), 4 * learning + 2 * parameters.visionTower);
    assert.equal(part("optimizer states"), 8 * learning);
    assert.equal(part("gradients", { ...full, accumulation: 4 }), 4 * learning);
    const perLayer = 4 * 2 * 4096 + 3 * (4096 + 11_008); // sums of both sides of seven matrices
    const lora = 128 * 32 * perLayer;
    assert.equal(part("optimizer states", adapters), 8 * (lora + parameters.projector));
    const quantized = part("weights", adapters) - part("weights", { ...adapters, frozenWeights: "int8" });
    assert.equal(quantized, 32 * (4 * 4096 ** 2 + 3 * 4096 * 11_008));
  });

  test("adds up, grows with the rows, and shrinks with micro-batches, recomputation and devices", () => {
    const total = (fields: Partial<typeof full>, devices = 1): number => {
      const plan = planMemory(sizes, { ...full, ...fields }, { devices });
      assert.equal(
        plan.total,
        plan.parts.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      assert.ok(plan.parts.every(({ bytes }) => bytes >= 0));
      return plan.total;
    };
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.constantFrom("cpu", "cuda"), (batchSize, device) => {
        assert.ok(total({ batchSize: batchSize + 1, device }) >= total({ batchSize, device }));
        assert.ok(total({ batchSize, device }, 2) <= total({ batchSize, device }));
        const accumulated = { batchSize: 4 * batchSize, device, accumulation: 2 };
        assert.ok(total({ ...accumulated, accumulation: 4 }) <= total(accumulated));
        assert.ok(total({ batchSize, device, activationCheckpointing: true }) < total({ batchSize, device }));
      }),
    );
  });

  test("knows what to change where it does not fit: first what changes no result", () => {
    const changes = advise(sizes, full, 24e9);
    assert.deepEqual(
      changes.map(({ fields }) => fields.split(" ")[0]),
      ["--accumulation", "--activationCheckpointing", "--train"],
    );
    assert.ok(changes.at(-1)!.total <= 24e9);
    assert.deepEqual(advise(sizes, adapters, 1e12), []);
    assert.match(renderPlan(planMemory(sizes, full), 24e9, changes).join("\n"), /does not fit into 24\.0 GB/);
  });
});

test("preferences take a copy of what learns, unless adapters are off or the reference is computed before", async () => {
  const fields = {
    ...{ model: "liuhaotian/llava-v1.5-7b", projector: "loaded", output: "o", batchSize: 1 },
    ...{ data: { rows: "r", images: "i" }, optimizer: { learningRate: 1e-6 }, dtype: "bfloat16" as const },
  };
  const planned = async (more: Partial<RecipeFields>) => {
    const recipe = resolveRecipe({ ...fields, ...more });
    const plan = planMemory(await recipeSizes(recipe), recipe);
    const bytes = plan.parts.find(({ name }) => name === "reference")?.bytes;
    return { ...plan, bytes };
  };
  const objective = { type: "preference" } as const;
  const full = { train: ["languageModel" as const] };
  const copied = await planned({ ...full, objective });
  const before = await planned({ ...full, objective: { ...objective, reference: "precomputed" } });
  assert.equal(copied.bytes, 4 * 6_738_415_616);
  assert.equal(before.bytes, 0);
  assert.equal(copied.total - before.total, copied.bytes);
  assert.ok(copied.microBatch.tokens >= 576 + 344 && copied.microBatch.rows === 1);
  const adapters = await planned({ train: [], lora: { rank: 8, alpha: 16 }, objective });
  assert.equal(adapters.bytes, 0);
});
