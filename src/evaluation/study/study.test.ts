import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { publishedModels, readStudyModels, studiedBenchmarks, studyLanguage, writeStudy } from "./index.ts";

const temporary = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = temporaryFolder("llava-study");
  await use(folder);
};

test("the published numbers give these lines, name their sources and say what they lack", () => {
  const study = studyLanguage(publishedModels, { benchmarks: studiedBenchmarks });
  const lines = study.relations.map(({ benchmark, points, regression, lacking }) => [
    benchmark,
    points.length,
    regression?.slope.toFixed(4),
    regression?.r?.toFixed(4),
    lacking.length,
  ]);
  // Slopes and r as NumPy's polyfit and corrcoef give them.
  assert.deepEqual(lines, [
    ["mmmu", 6, "0.4834", "0.9092", 1],
    ["mathvista", 4, "0.4084", "0.9665", 3],
    ["ai2d", 0, undefined, undefined, 7],
    ["llava-w", 4, "0.2199", "0.7757", 3],
    ["mmbench", 6, "0.3950", "0.9399", 1],
    ["docvqa", 2, "0.5435", undefined, 5],
    ["chartqa", 2, "0.7391", undefined, 5],
  ]);
  for (const { points } of study.relations)
    for (const { name, sources } of points) assert.ok(sources[0] && sources[1], name);
});

test("models come from a file; unknown scores are null", () =>
  temporary(async (folder) => {
    const path = join(folder, "models.json");
    await writeFile(
      path,
      JSON.stringify([
        { name: "A", params: 7, mmlu: 40, mmmu: 30, "my bench/2": 1 },
        { name: "B", params: 13, mmlu: 60, mmmu: 40, "my bench/2": null },
        { name: "C", mmlu: 50, mmmu: 38, sources: { mmmu: "table 3" } },
        { name: "D", mmmu: 50 },
      ]),
    );
    const study = studyLanguage(await readStudyModels(path));
    assert.deepEqual(study.withoutLanguage, ["D"]);
    const [mmmu, mine] = study.relations;
    assert.equal(mmmu!.regression!.slope, 0.5); // Σ(−10·−6, 10·4) / 200
    assert.equal(mmmu!.band.at(0)!.x, 40);
    assert.deepEqual(mmmu!.points[2]!.sources, [undefined, "table 3"]);
    assert.deepEqual(mine!.lacking, ["B", "C"]);
    assert.equal(mine!.regression, undefined);
    const files = await writeStudy(join(folder, "out"), study);
    assert.equal(files.length, 5);
    assert.deepEqual((await readdir(join(folder, "out"))).sort(), [
      "mmmu.png",
      "mmmu.svg",
      "my-bench-2.png",
      "my-bench-2.svg",
      "study.json",
    ]);
  }));

test("a file of another kind is refused with its path and what it should hold", () =>
  temporary(async (folder) => {
    const path = join(folder, "models.json");
    for (const [text, message] of [
      ["{}", /models\.json: .*array/],
      ['[{"name": "A", "mmlu": "high"}]', /models\.json: 0\.mmlu: /],
      ["[", /models\.json:1: not valid JSON/],
    ] as const) {
      await writeFile(path, text);
      await assert.rejects(readStudyModels(path), { code: "data", message });
    }
    assert.throws(
      () => studyLanguage([{ name: "A", scores: { mmmu: 1 }, sources: {} }]),
      /no model has a score of mmlu/,
    );
  }));
