// What answers take, beside what is loaded: npm test -- src/training/plan/answering.test.ts
import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { writeRandomModel } from "../../../bench/random-checkpoint.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { fixtures } from "../../../test/support/training-rows.ts";
import { loadCheckpoint } from "../../pretrained/index.ts";
import { byteWidth } from "../../torch/index.ts";
import { answeringMemory } from "./answering.ts";
import { recipeSizes } from "./index.ts";

const model = join(temporaryFolder("llava-answering"), "model");
before(() => {
  const tiny = join(fixtures, "llava/llama");
  cpSync(tiny, model, { recursive: true });
  const config = JSON.parse(readFileSync(join(tiny, "config.json"), "utf8"));
  // Rows of 256, and of 352, which only blocks of 32 divide.
  const text = { ...config.text_config, hidden_size: 256, intermediate_size: 352, head_dim: 32 };
  writeRandomModel(model, { ...config, text_config: text });
});

for (const weights of ["bf16", "int8", "int4"] as const)
  test(`weights in ${weights} take the bytes that loading gives them`, async () => {
    const planned = answeringMemory(await recipeSizes({ model })).find((form) => form.weights === weights)!;
    using loaded = await loadCheckpoint(model, { weights, dtype: "bfloat16" });
    const bytes = loaded.model
      .parameters()
      .reduce((sum, { elements, dtype }) => sum + elements * byteWidth[dtype], 0);
    assert.equal(planned.weightBytes, bytes);
    const { text } = await recipeSizes({ model });
    const perPosition = 2 * text.numLayers * text.numKeyValueHeads * text.headDim * 2;
    assert.equal(planned.cacheBytes, planned.contextLength * perPosition);
    assert.ok(planned.total > planned.weightBytes + planned.cacheBytes);
  });

test("fewer bits take less, and what the files hold is told where it is known", async () => {
  const sizes = await recipeSizes({ model });
  const [stored, bf16, int8, int4] = answeringMemory(sizes, { storedBytes: 7 });
  assert.equal(stored!.weightBytes, 7);
  assert.ok(int4!.weightBytes < int8!.weightBytes && int8!.weightBytes < bf16!.weightBytes);
});
