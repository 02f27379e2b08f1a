import assert from "node:assert/strict";
import { test } from "node:test";
import { portableRecipe, withoutPlace } from "./portable-recipe.ts";
import { resolveRecipe } from "./recipe.ts";

test("a path that tells where it lay keeps its last part; names and inner paths stay", () => {
  for (const [path, kept] of [
    ["/home/someone/models/llava-7b", "llava-7b"],
    ["/home/someone/models/llava-7b/", "llava-7b"],
    ["~/photos", "photos"],
    ["../../someone/train.json", "train.json"],
    ["data/../../someone/train.json", "train.json"],
    ["C:\\Users\\someone\\train.json", "train.json"],
    ["C:/Users/someone/train.json", "train.json"],
    ["file:///home/someone/train.json", "train.json"],
    ["/", ""],
    ["/home/someone/part-{0,1}.tar", "part-{0,1}.tar"],
    ["{/home/someone/a.json,/srv/b.json}", "{a.json,b.json}"],
    ["data/{a,b}.json", "data/{a,b}.json"],
    ["liuhaotian/llava-v1.5-7b", "liuhaotian/llava-v1.5-7b"],
    ["llava-smol-135m", "llava-smol-135m"],
    ["data/train.json", "data/train.json"],
    ["fresh", "fresh"],
  ] as const)
    assert.equal(withoutPlace(path), kept, path);
});

test("a recipe of files keeps what decides the result and none of the machine's folders", () => {
  const recipe = resolveRecipe({
    model: "/home/someone/models/base",
    vision: { tower: "/home/someone/models/clip" },
    projector: "/home/someone/runs/first/projector.safetensors",
    lora: { rank: 2, alpha: 4, start: "/home/someone/runs/adapter" },
    train: [],
    data: { rows: "/home/someone/train.json", images: "/home/someone/images", answerEnd: "/end" },
    evaluation: { rows: "/home/someone/test.json", images: "/home/someone/images" },
    features: { cache: "/home/someone/cache" },
    optimizer: { learningRate: 1e-3 },
    batchSize: 2,
    seed: 7,
    output: "/home/someone/runs/second",
  });
  const portable = portableRecipe(recipe);
  assert.doesNotMatch(JSON.stringify(portable), /someone/);
  assert.partialDeepStrictEqual(portable, {
    model: "base",
    vision: { tower: "clip", featureLayer: -2 },
    projector: "projector.safetensors",
    lora: { rank: 2, start: "adapter" },
    data: { rows: "train.json", images: "images", answerEnd: "/end" },
    evaluation: { rows: "test.json", every: 100 },
    optimizer: { learningRate: 1e-3 },
    seed: 7,
  });
  assert.ok(!("output" in portable));
  assert.deepEqual(portable["features"], { dtype: "bfloat16", batchSize: 16 });
});
