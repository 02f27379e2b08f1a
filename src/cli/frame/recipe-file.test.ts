import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { resolveRecipe } from "../../training/index.ts";
import { readRecipe } from "./recipe-file.ts";

const folder = temporaryFolder("llava-recipe");

describe("readRecipe", () => {
  test("the recipe.json of a run gives the recipe that the run had", async () => {
    for (const name of ["llava-smol-135m/pretrain.ts", "llava-1.5-7b/lora.ts", "llava-1.5-7b/finetune.ts"]) {
      const path = fileURLToPath(new URL(`../../../recipes/${name}`, import.meta.url));
      const given = [
        "data.rows",
        "data.images",
        "evaluation.rows",
        "evaluation.images",
        "output",
        "projector",
      ];
      const fields = await readRecipe(path);
      const wanted = given.filter((field) => fields.evaluation || !field.startsWith("evaluation"));
      const recipe = resolveRecipe(
        fields,
        wanted.map((field) => ({ path: field, value: "somewhere" })),
      );
      const written = join(folder, "recipe.json");
      writeFileSync(written, `${JSON.stringify(recipe, null, 2)}\n`);
      assert.deepEqual(resolveRecipe(await readRecipe(written)), recipe);
    }
  });

  test("a file that is none is named, with what to give", async () => {
    const other = join(folder, "other.json");
    const refused = { code: "config", hint: /recipe\.json that a run wrote/ };
    for (const content of ["[1]", "{", "null"]) {
      writeFileSync(other, content);
      await assert.rejects(readRecipe(other), { ...refused, message: /other\.json/ });
    }
    await assert.rejects(readRecipe(join(folder, "none.json")), { ...refused, message: /does not exist/ });
    writeFileSync(other, '{"learning_rate": 1}');
    const fields = await readRecipe(other);
    assert.throws(() => resolveRecipe(fields), { code: "config", message: /learning_rate/ });
  });
});
