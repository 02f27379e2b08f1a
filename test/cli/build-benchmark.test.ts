import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, describe, test } from "node:test";
import sharp from "sharp";
import { llava, type Outcome } from "../support/cli.ts";
import { answer, startEndpoint, status } from "../support/endpoint.ts";
import { drawPhotos, type PlantedPool, plantPool } from "../support/planted-pool.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder("build-benchmark");
let planted: PlantedPool;
before(async () => {
  const photos = await drawPhotos(join(folder, "photos"), 110);
  const plants = { reencoded: 6, cut: 6, mirrored: 4, training: 9, personal: 12 };
  planted = await plantPool(folder, photos, plants);
});

interface Line {
  readonly [field: string]: unknown;
}
const linesOf = (path: string): Line[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
const names = (images: unknown): string[] => (images as string[]).map((image) => basename(image));

const command = (output: string, ...more: string[]): string[] => [
  ...["-q", "eval", "build", planted.pool, "--output", output, "--json"],
  ...["--training", planted.training.rows, "--training-images", planted.training.images],
  ...["--medium", "40", "--small", "12", "--starts", "2", ...more],
];
function ok(outcome: Outcome): Outcome {
  assert.equal(outcome.status, 0, outcome.stderr);
  return outcome;
}

const seen = (): Promise<Awaited<ReturnType<typeof startEndpoint>>> =>
  startEndpoint((_, { body }) => {
    const [{ image_url: image }, { text }] = body.messages.at(-1).content;
    return answer(`It is ${text.slice(-30)} and ${image.url.length}.`);
  });

describe("llava eval build", () => {
  test("finds what was planted, and writes editions that are what they should be", async () => {
    await using endpoint = await seen();
    const output = join(folder, "first");
    const teacher = ["--endpoint", endpoint.url, "--model", "m", "--unreviewed"];
    const report = JSON.parse(ok(await llava(command(output, ...teacher))).stdout);
    const alike = linesOf(join(output, "alike.jsonl")).map(({ images }) => names(images).sort().join(" "));
    for (const [kind, pairs] of Object.entries(planted.copies))
      for (const pair of pairs)
        assert.ok(alike.includes([...pair].sort().join(" ")), `${kind}: ${pair.join(" ")}`);
    assert.equal(alike.length, 16);
    assert.equal(report.duplicates.dropped, 16);

    const contamination = linesOf(join(output, "contamination.jsonl"));
    const items = new Map(linesOf(join(output, "chosen.jsonl")).map(({ id, origin }) => [id, origin]));
    assert.equal(report.contamination[0].imageRate.overlapping, 9);
    assert.deepEqual(
      new Set(contamination.map(({ image }) => basename(String(image)).replace("trained-", ""))),
      new Set(planted.trained),
    );
    for (const { item } of contamination) assert.ok(!items.has(String(item)));

    const flagged = new Set(
      linesOf(join(output, "flagged.jsonl")).map(({ image }) => basename(String(image))),
    );
    for (const name of planted.personal) assert.ok(flagged.has(name), name);
    assert.equal(flagged.size, planted.personal.length);

    const benchmark = join(output, "benchmark");
    const [small, medium] = ["small", "medium"].map((name) => linesOf(join(benchmark, `${name}.jsonl`)));
    assert.equal(medium!.length, 40);
    assert.equal(small!.length, 12);
    const ids = new Set(medium!.map(({ question_id }) => question_id));
    assert.ok(small!.every(({ question_id }) => ids.has(question_id)));
    assert.ok(report.goodness.coverage < report.goodness.randomCoverage);
    assert.ok(report.goodness.meanWeight > report.goodness.candidatesMeanWeight);
    assert.equal(report.editions.medium.overlap.overlapping, 0);
    for (const name of readdirSync(join(benchmark, "images"))) {
      const { exif, xmp, icc } = await sharp(join(benchmark, "images", name)).metadata();
      assert.deepEqual([exif, xmp, icc], [undefined, undefined, undefined]);
    }

    // The same seed gives the same bytes, and what is known is not asked again.
    const asked = endpoint.asked.length;
    assert.equal(asked, 40);
    ok(await llava(command(output, ...teacher)));
    assert.equal(endpoint.asked.length, asked);
    const second = join(folder, "second");
    ok(await llava(command(second, ...teacher)));
    for (const name of ["medium.jsonl", "small.jsonl", "README.md"])
      assert.deepEqual(readFileSync(join(second, "benchmark", name)), readFileSync(join(benchmark, name)));

    await using model = await startEndpoint(() => answer("A thing."));
    await using judge = await startEndpoint(() => answer("10 5\nWell."));
    const result = ok(
      await llava([
        ...[
          "-q",
          "eval",
          "run",
          "wilder",
          "--data",
          benchmark,
          "--split",
          "small",
          "--output",
          join(folder, "run"),
        ],
        ...[
          "--endpoint",
          model.url,
          "--model",
          "m",
          "--judge-endpoint",
          judge.url,
          "--judge-model",
          "j",
          "--json",
        ],
      ]),
    );
    assert.equal(JSON.parse(result.stdout).scores[0].value, 50);
  });

  test("puts another question where a reference is a refusal, and asks for a review", async () => {
    await using endpoint = await startEndpoint((_, { body }) => {
      const text = String(body.messages.at(-1).content.at(-1).text);
      return /dog/.test(text)
        ? answer("I'm sorry, but I can't help with that.")
        : answer(`It is ${text.slice(-30)}.`);
    });
    const teacher = ["--endpoint", endpoint.url, "--model", "m"];
    const output = join(folder, "refused");
    const waiting = await llava(command(output, ...teacher));
    assert.equal(waiting.status, 1);
    assert.match(waiting.stderr, /40 of 40 questions wait for a review/);
    const report = JSON.parse(ok(await llava(command(output, ...teacher, "--unreviewed"))).stdout);
    assert.deepEqual(report.references, { ok: 40 });
    for (const { Question } of linesOf(join(output, "benchmark", "medium.jsonl")))
      assert.doesNotMatch(String(Question), /dog/);
  });

  test("goes on after the endpoint failed, and says what is amiss", async () => {
    await using broken = await startEndpoint(() => status(401));
    const output = join(folder, "broken");
    const failed = await llava(command(output, "--endpoint", broken.url, "--model", "m", "--unreviewed"));
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, /401/);
    await using endpoint = await seen();
    const screen = join(folder, "faces.js");
    const found = '[{ kind: "face", isGrave: true }]';
    writeFileSync(
      screen,
      `export default { name: "f", look: async (path) => (/photo-001/.test(path) ? ${found} : []) };`,
    );
    const teacher = ["--endpoint", endpoint.url, "--model", "m", "--unreviewed", "--screen", screen];
    const { flags } = JSON.parse(ok(await llava(command(output, ...teacher))).stdout);
    assert.ok(flags.face >= 10);
    assert.ok(linesOf(join(output, "chosen.jsonl")).length === 40);
    const faces = linesOf(join(output, "flagged.jsonl")).flatMap(({ id, image }) =>
      /photo-001/.test(String(image)) ? [id] : [],
    );
    assert.ok(linesOf(join(output, "chosen.jsonl")).every(({ id }) => !faces.includes(id)));
    const alone = await llava(command(join(folder, "alone"), "--unreviewed"));
    assert.match(alone.stderr, /have no reference answer/);
    const much = await llava(command(join(folder, "much"), "--medium", "500", "--unreviewed"));
    assert.match(much.stderr, /500 questions are to be chosen, and of \d+ \d+ may be/);
  });
});
