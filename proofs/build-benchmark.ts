/**
 * Builds a benchmark of 5,000 photos with captions as their questions, in which 50 photos come again saved anew, 50 cut and 20 mirrored,
 * 30 were trained on and 20 hold personal data: all has to be found, and editions of 120 and 1,020 to be what they should.
 *   node proofs/build-benchmark.ts --images FOLDER --captions Flickr8k.token.txt [--count 5000] [--tower MODEL] [--work FOLDER]
 * Of fewer photos editions are smaller. With --tower a model's vision tower tells photos apart.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildBenchmark, builtInEmbedder, towerEmbedder } from "../src/benchmark-building/index.ts";
import { readCaptions } from "../src/datagen/index.ts";
import { loadPretrained } from "../src/pretrained/index.ts";
import { chatAnswerer } from "../src/runner/index.ts";
import { ensureNative, resolveModel, silentProgress } from "../src/setup/index.ts";
import { plantPool } from "../test/support/planted-pool.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string" },
    captions: { type: "string" },
    count: { type: "string", default: "5000" },
    tower: { type: "string" },
    work: { type: "string" },
  },
});
const { images, captions, count, tower, work } = values;
if (images === undefined || captions === undefined) throw new Error("name --images and --captions");
const folder = work ?? mkdtempSync(join(tmpdir(), "build-benchmark-"));
mkdirSync(folder, { recursive: true });
await ensureNative({ progress: silentProgress, report: console.error });

const there = new Set(readdirSync(images));
const photos = (await readCaptions(captions))
  .filter(({ image }) => there.has(image))
  .slice(0, Number(count))
  .map(({ image, captions: [caption = ""] }) => ({ image: resolve(images, image), question: caption }));
const plants = { reencoded: 50, cut: 50, mirrored: 20, training: 30, personal: 20 };
const planted = await plantPool(folder, photos, plants);
console.log(`${photos.length} photos; ${JSON.stringify(plants)} planted`);

const mediumSize = Math.min(1020, Math.floor(photos.length / 4));
const smallSize = Math.min(120, Math.floor(mediumSize / 8));
const embedder =
  tower === undefined
    ? builtInEmbedder
    : towerEmbedder(await loadPretrained(await resolveModel(tower), { dtype: "float32" }), tower);

const started = performance.now();
const build = (output: string) =>
  buildBenchmark({
    folder: join(folder, output),
    pool: planted.pool,
    sizes: { small: smallSize, medium: mediumSize },
    seed: 1,
    imageShare: 0.5,
    embedder,
    training: [planted.training],
    screens: [],
    reviewsFlagged: false,
    reviewers: 0,
    teacher: {
      maxTokens: 64,
      answerer: chatAnswerer(
        {
          id: "echo",
          async *generate({ messages }) {
            const text = `Seen: ${JSON.stringify(messages.at(-1)!.content).slice(-60)}`;
            yield { type: "text-delta", text };
            const usage = { promptTokens: 1, imageTokens: 0, completionTokens: 1 };
            yield { type: "finish", reason: "stop", usage };
          },
        },
        16,
      ),
    },
    signal: new AbortController().signal,
  });
const { report } = await build("first");
console.log(`built in ${((performance.now() - started) / 1000).toFixed(0)} s`);

const linesOf = (name: string): Record<string, unknown>[] =>
  readFileSync(join(folder, "first", name), "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
const alike = new Set(
  linesOf("alike.jsonl").map((pair) =>
    (pair["images"] as string[])
      .map((path) => basename(path))
      .sort()
      .join(" "),
  ),
);
const failures: string[] = [];
const expect = (what: string, isSo: boolean): void => {
  console.log(`${isSo ? "ok  " : "FAIL"} ${what}`);
  if (!isSo) failures.push(what);
};
const kinds = Object.entries(planted.copies);
for (const [kind, pairs] of kinds) {
  const found = pairs.filter((pair) => alike.has([...pair].sort().join(" "))).length;
  expect(`${kind}: ${found} of ${pairs.length} found`, found >= pairs.length * (kind === "cut" ? 0.9 : 1));
}
const copies = kinds.reduce((sum, [, pairs]) => sum + pairs.length, 0);
console.log(
  `     ${alike.size - copies} other pairs of images are alike, of ${((report.taken * (report.taken - 1)) / 2e6).toFixed(1)} million`,
);
const contamination = linesOf("contamination.jsonl");
const trained = new Set(contamination.map(({ image }) => basename(String(image)).replace("trained-", "")));
expect(
  `training photos: ${trained.size} of 30 found`,
  planted.trained.every((name) => trained.has(name)),
);
const chosen = new Set(linesOf("chosen.jsonl").map(({ id }) => id));
expect(
  "overlap of the editions: 0",
  contamination.every(({ item }) => !chosen.has(item)),
);
const flagged = new Set(linesOf("flagged.jsonl").map(({ image }) => basename(String(image))));
const personal = planted.personal.filter((name) => flagged.has(name)).length;
expect(`personal data: ${personal} of 20 flagged`, personal === 20);
console.log(`     ${flagged.size - personal} others flagged: ${JSON.stringify(report.flags)}`);
const [small, medium] = ["benchmark/small.jsonl", "benchmark/medium.jsonl"].map(linesOf);
expect(
  `editions: ${small!.length} and ${medium!.length}`,
  small!.length === smallSize && medium!.length === mediumSize,
);
const ids = new Set(medium!.map((line) => line["question_id"]));
expect(
  "the small one is part of the medium one",
  small!.every((line) => ids.has(line["question_id"])),
);
const { coverage, randomCoverage, leastCoverage, meanWeight, candidatesMeanWeight } = report.goodness;
expect(
  `coverage ${coverage.toFixed(4)}, ${(coverage / randomCoverage).toFixed(3)} of random; no choice below ${(leastCoverage / randomCoverage).toFixed(3)}`,
  coverage < randomCoverage && coverage >= leastCoverage,
);
expect(
  `mean weight ${meanWeight.toFixed(3)} at least the pool's ${candidatesMeanWeight.toFixed(3)}`,
  // Of photos of one size the sums differ by what rounding leaves.
  meanWeight >= candidatesMeanWeight - 1e-9,
);
await build("second");
const same = ["medium.jsonl", "small.jsonl", "README.md"].every((name) =>
  readFileSync(join(folder, "first/benchmark", name)).equals(
    readFileSync(join(folder, "second/benchmark", name)),
  ),
);
expect("the same seed gives the same bytes", same);
if (work === undefined) rmSync(folder, { recursive: true });
process.exitCode = failures.length > 0 ? 1 : 0;
