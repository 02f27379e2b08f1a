// Runs that train adapters: npm test -- src/training/stage
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertClose } from "../../../test/support/close.ts";
import { drawSquares, squaresRecipe } from "../../../test/support/coloured-squares.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { openSafetensors } from "../../checkpoint/index.ts";
import { adaptedLinears, loadAdapter, loadPretrained } from "../../pretrained/index.ts";
import { silentProgress } from "../../setup/index.ts";
import { longTensor, noGrad, scope, type Tensor } from "../../torch/index.ts";
import type { RecipeFields } from "../recipe/recipe.ts";
import { runRecipe } from "../run.ts";
import { prepareStage } from "./stage.ts";

const folder = temporaryFolder("llava-adapters");
const quiet = { progress: silentProgress, report: () => {} };
const lora = { rank: 2, alpha: 4, dropout: 0.1 };

before(async () => void (await drawSquares(folder, "train", 6)));

const recipeFor = (run: string, fields: Partial<RecipeFields> = {}) =>
  squaresRecipe(folder, { output: join(folder, run), maxSteps: 8, lora, ...fields });

function tensorsOf(path: string): Map<string, number[]> {
  using file = openSafetensors(path);
  return new Map([...file.names()].map((name) => [name, file.read(name).toNumbers()]));
}

const same = (actual: Tensor, expected: Tensor): boolean =>
  noGrad(() => scope(() => actual.sub(expected).abs().amax().item())) < 1e-6;

describe("a run with adapters", () => {
  test("trains them and the projector, and leaves a folder that loads on the base model", async () => {
    const recipe = recipeFor("whole");
    const { result } = await runRecipe(recipe, quiet);
    assert.equal(result, join(folder, "whole", "adapter"));
    using trained = await loadPretrained({ kind: "folder", path: result });
    using base = await loadPretrained({ kind: "folder", path: recipe.model });
    const before = base.model.namedParameters();
    const changed = [...trained.model.namedParameters()].flatMap(([name, weight]) =>
      same(weight, before.get(name)!) ? [] : [name],
    );
    const adapted = /^language_model\.layers\.\d+\.(?:self_attn|mlp)\.\w+_proj\.weight$/;
    const layers = [...before.keys()].filter((name) => adapted.test(name));
    const projector = [...before.keys()].filter((name) => name.startsWith("multi_modal_projector."));
    assert.deepEqual(new Set(changed), new Set([...layers, ...projector]));
  });

  test("that was stopped ends with the weights of one that was not", async () => {
    const stop = new AbortController();
    const progress = () => ({
      update: (done: number) => void (done === 3 && stop.abort()),
      increment() {},
      stop() {},
    });
    const stopped = await runRecipe(recipeFor("stopped"), { ...quiet, progress, signal: stop.signal });
    assert.deepEqual(stopped, { step: 3, totalSteps: 8, result: undefined });
    await runRecipe(recipeFor("stopped"), { ...quiet, resume: true });
    await runRecipe(recipeFor("unstopped"), quiet);
    const resultOf = (run: string) => tensorsOf(join(folder, run, "adapter", "adapter_model.safetensors"));
    assert.deepEqual(resultOf("stopped"), resultOf("unstopped"));
  });

  test("starts as the base model to the last bit", async () => {
    const lossOf = async (fields: Partial<RecipeFields>) => {
      using stage = await prepareStage(recipeFor("unused", { ...fields, maxSteps: 1 }), quiet);
      const [batch] = await stage.source.next();
      const loss = noGrad(() => scope(() => stage.objective.loss(batch!).item()));
      batch![Symbol.dispose]();
      return loss;
    };
    const plain = await lossOf({ lora: undefined });
    assert.equal(await lossOf({ lora: { ...lora, dropout: 0 } }), plain);
    assert.equal(await lossOf({ lora }), plain, "dropout is for training alone");
  });

  test("ends with the same model merged and unmerged", async () => {
    const { result } = await runRecipe(recipeFor("merging"), quiet);
    using merged = await loadPretrained({ kind: "folder", path: result! });
    using unmerged = await loadPretrained({ kind: "folder", path: recipeFor("merging").model });
    loadAdapter(unmerged.model, result!);
    assert.ok([...adaptedLinears(unmerged.model)].length > 0);
    const ids = longTensor([1, 5, 9, 11, 30, 2], [1, 6]);
    const [a, b] = [merged, unmerged].map(({ model }) => noGrad(() => scope(() => model.forward(ids))));
    const largest = noGrad(() => scope(() => b!.abs().amax().item()));
    assertClose(a!, b!, 1e-5 * Math.max(1, largest), "logits");
  });

  test("goes on from an adapter, but not from one of another size", async () => {
    const { result } = await runRecipe(recipeFor("first"), quiet);
    const further = { lora: { ...lora, start: result! }, projector: "loaded" };
    const { result: second } = await runRecipe(recipeFor("further", further), quiet);
    const [before, after] = [result!, second!].map((path) =>
      tensorsOf(join(path, "adapter_model.safetensors")),
    );
    assert.deepEqual([...before!.keys()], [...after!.keys()]);
    for (const [name, values] of before!) {
      const moved = Math.max(...values.map((value, i) => Math.abs(value - after!.get(name)![i]!)));
      assert.ok(moved > 0 && moved < 8 * 2e-2, `${name} moved by ${moved}`); // 8 steps of at most the rate each
    }
    const fromRun = { ...further, maxSteps: 1, lora: { ...lora, start: join(folder, "first") } };
    assert.ok((await runRecipe(recipeFor("from-run", fromRun), quiet)).result);
    const fromNothing = { lora: { ...lora, start: folder } };
    await assert.rejects(runRecipe(recipeFor("from-nothing", fromNothing), quiet), /holds no adapter/);
    const other = { lora: { rank: 3, alpha: 4, start: result! } };
    await assert.rejects(
      runRecipe(recipeFor("other", other), quiet),
      /has rank 2 and alpha 4, the recipe 3 and 4/,
    );
  });

  test("goes on from another with the dropout of its own recipe, and in that one's layers", async () => {
    const { result: start } = await runRecipe(recipeFor("before", { maxSteps: 3 }), quiet);
    const going = (fields: object) =>
      ({ lora: { ...lora, start: start!, ...fields }, projector: "loaded" }) as const;
    const losses: number[] = [];
    for (const dropout of [0, 0, 0.5]) {
      using stage = await prepareStage(recipeFor("unused", going({ dropout })), quiet);
      const [batch] = await stage.source.next();
      losses.push(scope(() => stage.objective.loss(batch as never).item()));
      batch![Symbol.dispose]();
    }
    assert.equal(losses[0], losses[1]);
    assert.notEqual(losses[0], losses[2]);
    await assert.rejects(
      prepareStage(recipeFor("unused", going({ targets: ["q_proj"] })), quiet),
      /before\/adapter adapts .*, the recipe q_proj/,
    );
  });

  test("goes on from adapters of its own kind alone", async () => {
    const fixture = (name: string) =>
      fileURLToPath(new URL(`../../../test/fixtures/${name}`, import.meta.url));
    const cases: [string, RecipeFields["lora"], RegExp][] = [
      ["training/adapter-decomposed", { rank: 4, alpha: 16 }, /has decomposed true, the recipe false/],
      [
        "training/adapter-decomposed",
        { rank: 4, alpha: 16, decomposed: true, rankStabilized: true },
        /has rankStabilized false, the recipe true/,
      ],
      ["lora/kinds/biases", { rank: 2, alpha: 3 }, /has bias "all": biases of its base were trained/],
    ];
    for (const [name, options, message] of cases) {
      const fields = { lora: { ...options!, start: fixture(name) }, projector: "loaded" } as const;
      await assert.rejects(runRecipe(recipeFor("of-another-kind", fields), quiet), message);
    }
  });

  test("goes on from PEFT's that reach what the features never use, and keeps its whole modules", async () => {
    for (const name of ["list", "all-linear", "whole-tower", "norms"]) {
      const start = fileURLToPath(new URL(`../../../test/fixtures/lora/reaching/${name}`, import.meta.url));
      const options = { rank: 2, alpha: 3, dropout: 0 };
      const fields = { maxSteps: 1, lora: { ...options, start }, projector: "loaded" } as const;
      const { result } = await runRecipe(recipeFor(`from-${name}`, fields), quiet);
      const before = tensorsOf(join(start, "adapter_model.safetensors"));
      const after = tensorsOf(join(result!, "adapter_model.safetensors"));
      for (const [tensor, values] of before) {
        // Not used, or learnt whole.
        if (/(?:encoder\.layers\.2|post_layernorm|multi_modal_projector)\./.test(tensor)) continue;
        const distance = Math.max(...values.map((value, i) => Math.abs(value - after.get(tensor)![i]!)));
        assert.ok(
          tensor.includes("lora_") ? distance < 4e-2 : distance === 0,
          `${name}: ${tensor} moved by ${distance}`,
        );
      }
      using loaded = await loadPretrained({ kind: "folder", path: result! });
      assert.ok(loaded.model);
    }
  });

  test("beside weights in 8 bits learns as it does beside whole ones", async () => {
    const lossesOf = async (name: string, fields: Partial<RecipeFields>) => {
      const losses: number[] = [];
      const callbacks = [{ afterStep: (_: unknown, { loss }: { loss: number }) => void losses.push(loss) }];
      const { result } = await runRecipe(recipeFor(name, fields), { ...quiet, callbacks });
      assert.ok(result);
      return losses;
    };
    const whole = await lossesOf("beside-whole", {});
    const narrow = await lossesOf("beside-int8", { frozenWeights: "int8" });
    assert.notDeepEqual(narrow, whole);
    for (const [i, loss] of narrow.entries()) assert.ok(Math.abs(loss / whole[i]! - 1) < 0.02, `${loss}`);
    using stage = await prepareStage(recipeFor("unused", { frozenWeights: "int8" }), quiet);
    for (const [name, { weight }] of adaptedLinears(stage.pretrained.model))
      assert.equal(weight.dtype, "int8", name);
  });

  test("does not train the same weights whole as well", () => {
    assert.throws(
      () => recipeFor("both", { train: ["projector", "languageModel"] }),
      /both whole and by adapters/,
    );
  });
});
