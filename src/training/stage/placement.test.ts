// What a recipe computes in: npm test -- src/training/stage
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rowsRecipe } from "../../../test/support/training-rows.ts";
import { silentProgress } from "../../setup/index.ts";
import { byteWidth, fastDType } from "../../torch/index.ts";
import { planMemory, recipeSizes } from "../plan/index.ts";
import { outlineRecipe } from "../plan/outline.ts";
import type { RecipeFields } from "../recipe/recipe.ts";
import { computing, placement, settled } from "./placement.ts";
import { prepareStage } from "./stage.ts";

const other = { float32: "bfloat16", bfloat16: "float32" } as const;

test("a recipe that does not say what it computes in takes what its device is fastest in, by name", () => {
  const auto = rowsRecipe("unused", { dtype: "auto" });
  assert.deepEqual(computing(auto), fastDType());
  assert.equal(settled(auto).dtype, fastDType().dtype);
  assert.equal(computing({ ...auto, device: "cuda" }).dtype, "bfloat16");
});

test("a type that the recipe says stays, whatever a run began with", () => {
  for (const dtype of ["float32", "bfloat16"] as const)
    assert.equal(computing(rowsRecipe("unused", { dtype }), { dtype: other[dtype] }).dtype, dtype);
});

test("a run goes on in the type that it began with, and says where a new one would take another", () => {
  const auto = rowsRecipe("unused", { dtype: "auto" });
  const { dtype } = fastDType();
  assert.deepEqual(computing(auto, { dtype }), fastDType());
  const { dtype: kept, reason } = computing(auto, { dtype: other[dtype] });
  assert.equal(kept, other[dtype]);
  assert.match(reason, new RegExp(`began with it; a new one would take ${dtype}: this processor`));
});

/** Of every way to keep a part, in both types. */
const matrix: Readonly<Record<string, Partial<RecipeFields>>> = Object.fromEntries(
  (["float32", "bfloat16"] as const).flatMap((dtype) =>
    Object.entries({
      "a projector": { train: ["projector"] },
      "a language model without its projector": { train: ["languageModel"] },
      "a tower": { train: ["visionTower", "projector"] },
      everything: { train: ["visionTower", "projector", "languageModel"] },
      adapters: { train: [], lora: { rank: 2, alpha: 4 } },
      "adapters beside 8 bits": { lora: { rank: 2, alpha: 4 }, frozenWeights: "int8" },
      "adapters beside 4 bits": { lora: { rank: 2, alpha: 4 }, frozenWeights: "int4" },
      "a tower beside 8 bits": { train: ["visionTower"], frozenWeights: "int8" },
    } satisfies Record<string, Partial<RecipeFields>>).map(([name, fields]) => [
      `${name}, ${dtype}`,
      { ...fields, dtype },
    ]),
  ),
);

/** The tiny model's other matrices have rows of 16, which no block divides. */
const inBlocks = /\.down_proj\.weight$/;

describe("what is loaded is kept as a recipe's outline and plan say:", () => {
  for (const [name, fields] of Object.entries(matrix))
    test(name, async () => {
      const recipe = rowsRecipe("unused", fields);
      const sizes = await recipeSizes(recipe);
      using stage = await prepareStage(recipe, { progress: silentProgress, report: () => {} });
      const { model } = stage.pretrained;
      const adapted = new Set<unknown>(
        recipe.lora &&
          stage.groups
            .flatMap(({ parameters }) => [...parameters.keys()])
            .filter((key) => key.includes("lora_")),
      );
      let bytes = 0;
      for (const group of outlineRecipe(recipe, sizes).groups) {
        if (group.name === "lora") continue;
        const part = group.name as "visionTower" | "projector" | "languageModel";
        const { stored, matrices, device, learns } = placement(recipe, part, sizes.tower);
        assert.equal(group.storedAs, matrices ?? stored);
        for (const [parameter, weight] of model[part].namedParameters()) {
          if (/lora_|Scale|scale/.test(parameter)) continue;
          const isMatrix = /^layers\..*(?:proj|mlp).*\.weight$/.test(parameter);
          const isNarrow = matrices === "int4" ? inBlocks.test(parameter) : isMatrix;
          const expected = matrices && isNarrow ? { int8: "int8", int4: "uint8" }[matrices] : stored;
          assert.equal(weight.dtype, expected, `${part}.${parameter}`);
          assert.equal(weight.device, device, `${part}.${parameter}`);
          assert.equal(weight.requiresGrad, learns, `${part}.${parameter}`);
          bytes += weight.elements * byteWidth[weight.dtype];
        }
      }
      for (const { parameters } of stage.groups)
        for (const [parameter, weight] of parameters) {
          if (!adapted.has(parameter)) continue;
          assert.equal(weight.dtype, placement(recipe, "adapters").stored);
          bytes += weight.elements * byteWidth[weight.dtype];
        }
      const planned = planMemory(sizes, recipe).parts.find((part) => part.name === "weights")!.bytes;
      assert.equal(planned, bytes);
    });
});
