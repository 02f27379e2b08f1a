// Commands that need no libtorch: npm test -- test/cli/no-libtorch.test.ts
import assert from "node:assert/strict";
import { copyFileSync, cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { llava } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const fixtures = join(root, "test/fixtures/llava");
const folder = temporaryFolder("no-libtorch");
const path = (...names: string[]): string => join(folder, ...names);
for (const name of ["home", "nothing", "images"]) mkdirSync(path(name));

/** Neither libtorch, addon, models, CMake, a compiler nor Python are to be found. */
const env = { LLAVA_HOME: path("home"), LIBTORCH: path("nothing"), PATH: path("nothing") };

async function output(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await llava(args, { env });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** A checkpoint's small files: without weights. */
function smallFiles(name: string): string {
  const isWeights = /\.(?:safetensors|bin|index\.json)$/;
  cpSync(join(fixtures, name), path(name), {
    recursive: true,
    filter: (source) => !isWeights.test(source),
  });
  return path(name);
}
const models = ["llama", "original"].map(smallFiles);

writeFileSync(
  path("rows.json"),
  JSON.stringify(
    ["What is it?", "What colour?"].map((question, index) => ({
      id: `row-${index}`,
      image: "photo.png",
      conversations: [
        { from: "human", value: `<image>\n${question}` },
        { from: "gpt", value: "a dog" },
      ],
    })),
  ),
);
copyFileSync(join(fixtures, "images/wide.png"), path("images/photo.png"));

const recipeOf = (model: string): string => {
  const file = path("recipe.ts");
  writeFileSync(
    file,
    `import { recipe } from ${JSON.stringify(join(root, "src/training/index.ts"))};
export default recipe({
  model: ${JSON.stringify(model)},
  train: ["projector", "languageModel"],
  data: { template: "v1" },
  optimizer: { learningRate: 1e-5 },
  batchSize: 2,
});
`,
  );
  return file;
};

test("what computes says that libtorch is missing, and how it is set up", async () => {
  const { status, stderr } = await llava(["generate", models[0]!, "--prompt", "What?"], { env });
  assert.notEqual(status, 0);
  assert.match(stderr, /libtorch|CMake|cmake/);
});

test("model info tells of whole checkpoints, in every container", async () => {
  for (const name of ["llama", "original"]) {
    const { facts, parameters } = JSON.parse(await output("model", "info", join(fixtures, name), "--json"));
    assert.deepEqual([facts.kind, facts.unknown], ["whole model", []]);
    assert.ok(parameters > 10_000);
  }
});

for (const model of models)
  describe(`the configuration and tokenizer files of ${model.split("/").at(-1)} suffice for`, () => {
    test("data check", async () => {
      const args = ["data", "check", path("rows.json"), "--images", path("images"), "--model", model];
      const { sources } = JSON.parse(await output(...args, "--json"));
      const [{ rows, usable, images, brokenImages, tokens }] = sources;
      assert.deepEqual([rows, usable, images, brokenImages], [2, 2, 1, 0]);
      assert.ok(tokens.supervised > 0 && tokens.image > 0);
    });

    test("data inspect", async () => {
      const shown = await output("data", "inspect", path("rows.json"), "--model", model);
      assert.match(shown, /row-0|id row-0/);
      assert.match(shown, /<image ×\d+>/);
    });

    test("plan", async () => {
      assert.ok(JSON.parse(await output("plan", recipeOf(model), "--json")).total > 0);
    });

    test("train --dry-run", async () => {
      const { outline, plan } = JSON.parse(await output("train", recipeOf(model), "--dry-run", "--json"));
      assert.ok(outline !== undefined && plan.total > 0);
    });
  });

describe("an evaluation is looked at without libtorch by", () => {
  const data = path("pope");
  const score = (name: string) => [
    "eval",
    "score",
    "pope",
    "--data",
    data,
    "--split",
    "random",
    "--out",
    path(name),
  ];

  before(() => {
    mkdirSync(data);
    const asked = ["yes", "no"].map((label) => ({ image: "a.jpg", text: `Is ${label} right?`, label }));
    const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    writeFileSync(join(data, "coco_pope_random.json"), lines(asked));
    for (const text of ["Yes", "No"])
      writeFileSync(
        path(`${text}.jsonl`),
        lines(asked.map((_, at) => ({ question_id: 10_000_001 + at, text }))),
      );
  });

  test("list", async () => assert.match(await output("eval", "list"), /pope/));

  test("score, compare and report", async () => {
    for (const text of ["Yes", "No"])
      await output(...score(`${text}.json`), "--predictions", path(`${text}.jsonl`));
    const { counts } = JSON.parse(
      await output("eval", "compare", path("Yes.json"), path("No.json"), "--json"),
    );
    assert.deepEqual(counts, { gained: 1, lost: 1 });
    await output("eval", "report", path("Yes.json"), path("No.json"), "--out", path("report.html"));
  });
});

test("and nothing was fetched or installed", () => assert.deepEqual(readdirSync(path("home")), []));
