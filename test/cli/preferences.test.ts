// llava data preferences: npm test -- test/cli/preferences.test.ts
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { datasetRows, readDatasets } from "../../src/data/index.ts";
import type { LlavaRow } from "../../src/protocol/index.ts";
import { llava, type Outcome, startLlava } from "../support/cli.ts";
import { type AskedRequest, answer, startEndpoint, type TestEndpoint } from "../support/endpoint.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder("llava-preferences");
const count = 12;
const images = join(folder, "images");
mkdirSync(images);
const captions = join(folder, "captions.jsonl");
writeFileSync(
  captions,
  Array.from({ length: count }, (_, number) => {
    const image = `${number}.png`;
    copyFileSync(join(import.meta.dirname, "../fixtures/llava/images/wide.png"), join(images, image));
    return `${JSON.stringify({ image, captions: [`A dog runs on beach ${number}.`, "A dog near the sea."] })}\n`;
  }).join(""),
);

/** What a request for an answer gets, by its seed: right or wrong, of some length. */
function sampled({ body }: AskedRequest): string {
  const seed = Number(body["seed"]);
  const isRight = seed % 3 !== 0;
  const words = ["then", "and", "there", "it", "goes"].slice(0, seed % 5).join(" ");
  return `${isRight ? "A dog runs on the beach" : "A horse stands in the snow"} ${words}${seed % 7}.`;
}

const isJudged = ({ body }: AskedRequest): boolean => body.messages[0].role === "system";
const askedOf = ({ body }: AskedRequest): string => body.messages.at(-1).content as string;
const answerIn = (text: string, name = "Answer"): string =>
  new RegExp(`\\n${name}:\\n(.*)`).exec(text)?.[1] ?? "";
const words = (text: string): number => text.split(" ").length;

type Grade = (request: AskedRequest) => string;
const honest: Grade = (request) => {
  const isRight = answerIn(askedOf(request)).includes("dog");
  return JSON.stringify({
    score: isRight ? 5 : 1,
    unsupported: isRight ? [] : ["horse", "snow"],
    reason: "so",
  });
};

const startModels = (grade: Grade, latencyMs = 0): Promise<TestEndpoint> =>
  startEndpoint((_, request) => answer(isJudged(request) ? grade(request) : sampled(request), latencyMs));

let runs = 0;
const newPairs = (): string => {
  const run = join(folder, `run${++runs}`);
  mkdirSync(run);
  return join(run, "pairs.jsonl");
};

const command = (models: { readonly url: string } | string, pairs: string, ...more: string[]): string[] => [
  "-q",
  ...["data", "preferences", "--captions", captions, "--images", images, "--out", pairs],
  ...["--question", "What happens here?", "--model", "m", "--endpoint", urlOf(models)],
  ...["--judge-endpoint", urlOf(models), "--judge-model", "j", "--attempts", "2", ...more],
];
const urlOf = (models: { readonly url: string } | string): string =>
  typeof models === "string" ? models : models.url;

function ok(outcome: Outcome): Outcome {
  assert.equal(outcome.status, 0, outcome.stderr);
  return outcome;
}

interface PairLine {
  readonly id: string;
  readonly image: string;
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
  readonly chosen_score: number;
  readonly rejected_score: number;
  readonly metadata: { readonly [fact: string]: unknown; readonly judge: string; readonly scores: number[] };
}
const linesOf = <T>(path: string): T[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as T]));

async function rowsOf(path: string): Promise<LlavaRow[]> {
  const rows: LlavaRow[] = [];
  for (const dataset of await readDatasets(path))
    for await (const found of datasetRows(dataset)) {
      if ("error" in found) throw found.error;
      rows.push(found.row);
    }
  return rows;
}

/** What a pair says, whatever its form. */
const said = ({ images: seen, conversations, rejected }: LlavaRow) => [
  // Images inside a file are named by their places.
  seen.flatMap(({ name, bytes }) => (bytes ? [] : [name.replace(/^.*\//, "")])),
  conversations.map(({ value }) => value.replace(/<image>\s*/, "")),
  rejected,
];

describe("llava data preferences", () => {
  test("pairs right answers with wrong ones, in three forms that are read back alike, and asks nothing again", async () => {
    await using models = await startModels(honest);
    const pairs = newPairs();
    const [trl, lines, factory] = ["trl.parquet", "trl.jsonl", "factory"].map((name) =>
      join(pairs, "..", name),
    );
    const drawn = { samples: 6, temperature: 0.7, top_p: 0.9 };
    const asks = ["--samples", "6", "--temperature", "0.7", "--top-p", "0.9"];
    ok(await llava(command(models, pairs, ...asks, "--trl", trl!, "--llama-factory", factory!)));
    const rows = linesOf<PairLine>(pairs);
    assert.ok(rows.length >= count / 2, `${rows.length} pairs`);
    for (const { chosen, rejected, chosen_score, rejected_score, metadata } of rows) {
      assert.match(chosen, /dog/);
      assert.match(rejected, /horse/);
      assert.deepEqual([chosen_score, rejected_score], [5, 1]);
      const { judge, samples, temperature, top_p, scores } = metadata;
      assert.deepEqual({ judge, samples, temperature, top_p }, { ...drawn, judge: "j" });
      assert.ok(scores.includes(chosen_score) && scores.includes(rejected_score));
    }
    const mean = (side: "chosen" | "rejected") =>
      rows.reduce((sum, row) => sum + words(row[side]), 0) / rows.length;
    assert.ok(
      Math.abs(mean("chosen") - mean("rejected")) <= 0.05 * ((mean("chosen") + mean("rejected")) / 2),
    );
    const asked = models.asked.length;
    const first = readFileSync(pairs);
    // From the replies that are stored, nobody being there to ask.
    ok(await llava(command("http://127.0.0.1:9", pairs, ...asks, "--trl", lines!)));
    assert.deepEqual(readFileSync(pairs), first);
    const expected = (await rowsOf(pairs)).map(said);
    assert.equal(expected.length, rows.length);
    for (const path of [trl!, lines!, join(factory!, "preferences.json")])
      assert.deepEqual(
        (await rowsOf(path)).map(said),
        path === trl ? expected.map(([, ...texts]) => [[], ...texts]) : expected,
        path,
      );
    const [embedded] = await rowsOf(trl!);
    assert.deepEqual(Buffer.from(embedded!.images[0]!.bytes!), readFileSync(join(images, rows[0]!.image)));
    const info = JSON.parse(readFileSync(join(factory!, "dataset_info.json"), "utf8"));
    assert.deepEqual(info.preferences.columns, {
      messages: "conversations",
      chosen: "chosen",
      rejected: "rejected",
      images: "images",
    });
    // Another rule of pairing, and all answers given as a file, ask nothing of whoever answered.
    const { stdout } = ok(
      await llava(command(models, pairs, ...asks, "--pairs-per-question", "1", "--json")),
    );
    const report = JSON.parse(stdout);
    assert.ok(linesOf(pairs).length <= count);
    assert.equal(models.asked.length, asked);
    assert.equal(
      Object.values<number>(report.questions).reduce((sum, value) => sum + value, 0),
      count,
    );
    ok(await llava(["-q", "data", "check", pairs, "--images", images]));
    const samples = pairs.replace(".jsonl", ".run/samples.jsonl");
    const again = newPairs();
    ok(
      await llava([
        ...["-q", "data", "preferences", "--captions", captions, "--images", images],
        ...["--questions", samples, "--out", again],
      ]),
    );
    assert.ok(linesOf<PairLine>(again).every(({ metadata }) => metadata.judge === "things named"));
    assert.ok(linesOf<PairLine>(again).every(({ rejected }) => /horse/.test(rejected)));
    assert.equal(models.asked.length, asked);
  });

  test("killed and gone on with, ends in the same bytes and asks few things twice", async () => {
    const undisturbed = newPairs();
    const pairs = newPairs();
    let once: number;
    {
      await using models = await startModels(honest);
      ok(await llava(command(models, undisturbed)));
      once = models.asked.length;
    }
    await using models = await startModels(honest, 20);
    const [kills, concurrency] = [3, 4];
    for (let kill = 0; kill < kills; kill++) {
      const before = models.asked.length;
      const { child, ended } = startLlava(command(models, pairs, "--concurrency", String(concurrency)));
      while (models.asked.length < before + 20 && child.exitCode === null) await wait(5);
      child.kill("SIGKILL");
      await ended;
    }
    ok(await llava(command(models, pairs)));
    assert.deepEqual(readFileSync(pairs), readFileSync(undisturbed));
    assert.ok(models.asked.length <= once + kills * 2 * concurrency, `${models.asked.length} of ${once}`);
  });

  test("tells a judge that likes length, and one that likes the first place, and fails", async () => {
    const long: Grade = (request) =>
      JSON.stringify({ score: Math.min(5, Math.max(1, words(answerIn(askedOf(request))) - 4)) });
    {
      await using models = await startModels(long);
      const { status, stdout, stderr } = await llava(command(models, newPairs(), "--json"));
      assert.equal(status, 1);
      assert.match(stderr, /the longer answer wins/);
      assert.ok(JSON.parse(stdout).longerWins.share >= 0.9);
    }
    await using models = await startModels(() => '{"better": "A"}');
    const { status, stdout, stderr } = await llava(command(models, newPairs(), "--compare", "--json"));
    assert.equal(status, 1);
    assert.match(stderr, /which answer is shown first/);
    const { flips, pairs } = JSON.parse(stdout);
    assert.equal(flips.share, 1);
    assert.equal(pairs.count, 0);
  });

  test("compares in both orders, and pairs what both agree on", async () => {
    const better: Grade = (request) => {
      const [one, other] = ["Answer A", "Answer B"].map((name) =>
        answerIn(askedOf(request), name).includes("dog"),
      );
      return JSON.stringify({ better: one === other ? "tie" : one ? "A" : "B" });
    };
    await using models = await startModels(better);
    const pairs = newPairs();
    const { stdout } = ok(await llava(command(models, pairs, "--compare", "--json")));
    const report = JSON.parse(stdout);
    assert.equal(report.flips.share, 0);
    assert.ok(report.ties.share > 0);
    const rows = linesOf<PairLine>(pairs);
    assert.ok(rows.length > 0);
    assert.ok(rows.every(({ chosen, rejected }) => /dog/.test(chosen) && /horse/.test(rejected)));
  });

  test("asks a judge again whose reply cannot be read, and counts those that never can", async () => {
    const seen = new Map<string, number>();
    const stumbling: Grade = (request) => {
      const text = askedOf(request);
      const times = (seen.get(text) ?? 0) + 1;
      seen.set(text, times);
      if (/beach 3\b/.test(text)) return "I like it.";
      return times === 1 ? "Well …" : `Explanation: fine.\nScore: ${answerIn(text).includes("dog") ? 4 : 2}`;
    };
    await using models = await startModels(stumbling);
    const pairs = newPairs();
    const { stdout } = ok(await llava(command(models, pairs, "--json")));
    const report = JSON.parse(stdout);
    assert.equal(report.questions.unjudged, 1);
    assert.equal(
      report.unjudged,
      [...seen].filter(([text, times]) => /beach 3\b/.test(text) && times === 3).length,
    );
    assert.ok([...seen].every(([text, times]) => times === (/beach 3\b/.test(text) ? 3 : 2)));
    assert.ok(report.pairs.count > 0);
  });

  test("stops at a budget, names the least, and goes on with a larger one", async () => {
    await using models = await startModels(honest);
    const pairs = newPairs();
    const price = [
      "--price",
      "100/100",
      "--concurrency",
      "2",
      "--max-tokens",
      "64",
      "--judge-max-tokens",
      "64",
    ];
    const { status, stderr } = await llava(command(models, pairs, ...price, "--budget", "1.68"));
    assert.equal(status, 3, stderr);
    assert.match(stderr, /at least/);
    const before = models.asked.length;
    assert.ok(before > 0);
    ok(await llava(command(models, pairs, ...price, "--budget", "100")));
    const first = await llava(command(models, pairs, ...price, "--estimate", "4", "--json"));
    const { kinds, cost } = JSON.parse(ok(first).stdout);
    assert.deepEqual(
      kinds.map(({ kind, requests }: { kind: string; requests: number }) => [kind, requests]),
      [
        ["answers", 6 * count],
        ["judgements", 6 * count],
      ],
    );
    // Each request has ten tokens of a prompt and two of a reply; equal answers are judged once.
    const took = (models.asked.length * 12 * 100) / 1e6;
    assert.ok(cost.mean >= took && cost.mean <= 1.3 * took, `${cost.mean} and ${took}`);
  });

  test("says what is missing, and holds pairs against people's labels", async () => {
    await using models = await startModels(honest);
    const refused = async (pattern: RegExp, ...words: string[]) => {
      const { status, stderr } = await llava(["-q", "data", "preferences", ...words]);
      assert.notEqual(status, 0);
      assert.match(stderr, pattern);
    };
    const base = ["--captions", captions, "--out", newPairs()];
    await refused(/no model to answer/, ...base);
    await refused(
      /--compare takes --judge-endpoint/,
      ...base,
      "--model",
      "x",
      "--endpoint",
      models.url,
      "--compare",
    );
    await refused(
      /takes --judge-model/,
      ...base,
      "--model",
      "x",
      "--endpoint",
      models.url,
      "--judge-endpoint",
      models.url,
    );
    const pairs = newPairs();
    ok(await llava(command(models, pairs)));
    const blank = linesOf<{ first: string; better: null }>(pairs.replace(".jsonl", ".run/to-label.jsonl"));
    const labels = join(folder, "labels.jsonl");
    writeFileSync(
      labels,
      blank
        .map((line, number) => {
          const liked = /dog/.test(line.first) === number > 0 ? "first" : "second";
          return `${JSON.stringify({ ...line, better: liked })}\n`;
        })
        .join(""),
    );
    const { stdout } = ok(await llava(command(models, pairs, "--labels", labels, "--json")));
    const { agreement } = JSON.parse(stdout);
    assert.equal(agreement.of, blank.length);
    assert.ok(Math.abs(agreement.share - (blank.length - 1) / blank.length) < 1e-9);
  });
});
