/**
 * Has the default model learn from pairs of its own captions to make up less, and measures what it says of photos that it has
 * not seen, beside four controls.
 *
 *   node proofs/study-preferences.ts --photos FOLDER --text FOLDER --output FOLDER [--train 600] [--test 200] [--samples 6]
 *     [--steps 60] [--rate 5e-5] [--pope 50] [--seed 1] [--json]
 *
 * The folder of texts is Flickr8k's: Flickr8k.token.txt, Flickr_8k.trainImages.txt and Flickr_8k.testImages.txt. The model says
 * several captions of each photo at temperature 1 (`llava data preferences`; a second run goes on from its ledger, and from what
 * was trained); a rule scores them from 1 to 5 by what they name and people's captions do; a pair is two captions of a photo whose
 * scores are 2 apart and whose lengths differ by 2 words at most. Adapters learn from the pairs by
 * recipes/llava-smol-135m/preferences.ts. The controls learn as many steps: supervised from the chosen captions alone; from pairs of which a coin decides which is the better one; from
 * pairs whose lengths are not matched; and with the likelihood of the chosen ones in the loss (γ 1).
 *
 * Of photos of the test split, captioned greedily: CHAIR-i and CHAIR-s (objects of COCO that no caption names), recall of objects,
 * words and CIDEr-D, each less the default model's, with the 95 % interval of a paired bootstrap over photos; the share of
 * pairs of the model's own captions of test photos that the rewards tell apart; and of --pope of the photos, POPE's accuracy and
 * share of yes: whether there is a thing that captions name, and one that none does (any, an often named one, or the one that
 * is most often named beside what is there). What five captions leave out counts as made up: CHAIR is an upper bound.
 *
 * Expected beforehand: matched pairs lower CHAIR-i by 15 % of itself or more, at the cost of 5 % of recall at most and 2 points
 * of CIDEr-D at most, and rewards tell at least 65 % of unseen pairs apart; shuffled pairs change nothing and tell half apart;
 * pairs of any length make captions longer than matched ones do; learning from the chosen ones alone changes less. A result that
 * says otherwise is a result, and small numbers of photos and steps leave intervals wide.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import preferences from "../recipes/llava-smol-135m/preferences.ts";
import { compareResults, findBenchmark, type Scored, score } from "../src/evaluation/index.ts";
import type { LocalModel } from "../src/generation/index.ts";
import { userMessage } from "../src/protocol/index.ts";
import { mulberry32 } from "../src/random/index.ts";
import { defaultModel, silentProgress } from "../src/setup/index.ts";
import { type RecipeFields, type ScoredPair, scorePairs } from "../src/training/index.ts";
import { answersToPope, writePope } from "./photo-pope.ts";
import { answersOf, type Photo, readPhotos, shareOf, trained, withModel } from "./photo-study.ts";

const { values: options } = parseArgs({
  options: {
    photos: { type: "string" },
    text: { type: "string" },
    output: { type: "string" },
    train: { type: "string", default: "600" },
    test: { type: "string", default: "200" },
    samples: { type: "string", default: "6" },
    steps: { type: "string", default: "60" },
    rate: { type: "string", default: String(preferences.optimizer.learningRate) },
    pope: { type: "string", default: "50" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const { photos, text, samples } = options;
if (!photos || !text || !options.output) throw new Error("--photos, --text and --output are needed");
const output = resolve(options.output);
const [trainCount, testCount, steps, seed] = [options.train, options.test, options.steps, options.seed].map(
  Number,
) as [number, number, number, number];
const QUESTION = "Provide a one-sentence caption for the provided image.";
const MAX_TOKENS = 24;

const captions = join(text, "Flickr8k.token.txt");
const all = await readPhotos({ photos, captions }, 7);
const ofSplit = (split: string, count: number): Photo[] => {
  const names = new Set(readFileSync(join(text, `Flickr_8k.${split}Images.txt`), "utf8").split(/\s+/));
  return all.filter(({ image }) => names.has(basename(image))).slice(0, count);
};
const [learnt, held] = [ofSplit("train", trainCount), ofSplit("test", testCount)];

const write = (path: string, content: string): string => {
  mkdirSync(resolve(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
};
const tokenFile = (path: string, of: readonly Photo[]): string =>
  write(
    path,
    of
      .flatMap(({ image, captions: said }) =>
        said.map((caption, i) => `${basename(image)}#${i}\t${caption}\n`),
      )
      .join(""),
  );

/** Pairs of the default model's captions by `llava data preferences`; another rule of pairing asks nothing again. */
function pairsOf(name: string, of: readonly Photo[], matching: readonly string[], out = name): string {
  const path = join(output, `${out}.jsonl`);
  const [run, known] = [join(output, `${name}.run`), tokenFile(join(output, `${name}.token.txt`), of)];
  const command = ["-q", "data", "preferences", "--captions", known, "--images", photos!];
  const asked = ["--model", defaultModel, "--question", QUESTION, "--batch-size", "16", "--samples", samples];
  const sampled = ["--temperature", "1", "--top-p", "0.95", "--max-tokens", String(MAX_TOKENS)];
  const kept = ["--gap", "2", "--max-longer-wins", "1", "--run", run, "--out", path];
  const bin = new URL("../bin/llava.js", import.meta.url).pathname;
  const { status } = spawnSync(
    process.execPath,
    [bin, ...command, ...asked, ...sampled, ...kept, ...matching],
    {
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  if (status !== 0) throw new Error(`llava data preferences ended with ${status}`);
  return path;
}

const matched = ["--length-gap", "2"];
const trainPairs = pairsOf("train", learnt, matched);
const anyLength = pairsOf("train", learnt, ["--balance", "1"], "any-length");
const testPairs = pairsOf("test", held, matched);

interface PairRow {
  readonly id: string;
  readonly image: string;
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}
const rowsOf = (path: string): PairRow[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as PairRow);
const pairs = rowsOf(trainPairs);
const coin = mulberry32(seed);
const shuffledPairs = pairs.map((row) =>
  coin() < 0.5 ? row : { ...row, chosen: row.rejected, rejected: row.chosen },
);
const chosenRows = pairs.map(({ id, image, prompt, chosen }) => ({
  id,
  image,
  conversations: [
    { from: "human", value: prompt },
    { from: "gpt", value: chosen },
  ],
}));

/** A benchmark's own files, of the test photos. */
const chairFolder = join(output, "chair");
const images = held.map(({ image }) => ({ id: basename(image), file_name: basename(image) }));
const annotations = held.flatMap(({ image, captions: said }) =>
  said.map((caption) => ({ image_id: basename(image), caption })),
);
write(join(chairFolder, "captions_val2014.json"), JSON.stringify({ images, annotations }));
write(
  join(chairFolder, "instances_val2014.json"),
  JSON.stringify({ images, annotations: [], categories: [] }),
);
const captionFolder = join(output, "flickr8k");
tokenFile(join(captionFolder, "Flickr8k.token.txt"), held);
write(join(captionFolder, "Flickr_8k.testImages.txt"), held.map(({ image }) => basename(image)).join("\n"));
const popeFolder = join(output, "pope");
writePope(popeFolder, { asked: held.slice(0, Number(options.pope)), all, seed: seed + 1 });
const benchmarks = [
  { data: chairFolder, name: "chair", metrics: ["chair-i", "chair-s", "recall", "words"] },
  { data: captionFolder, name: "flickr8k", metrics: ["cider"] },
  { data: popeFolder, name: "pope", metrics: ["accuracy", "yes-ratio"] },
];

interface Measured {
  readonly scored: readonly Scored[];
  readonly pairs: readonly ScoredPair[];
}

async function measure(folder: string | undefined): Promise<Measured> {
  return await withModel(folder, async (model: LocalModel) => {
    const prompts = held.map(({ image }) => ({ messages: [userMessage(QUESTION, [image])] }));
    const said = await answersOf(model, prompts, { maxTokens: MAX_TOKENS });
    const captionsSaid = new Map(held.map(({ image }, i) => [basename(image), said[i]!]));
    const scored: Scored[] = [];
    for (const { name, data } of benchmarks) {
      const benchmark = (await findBenchmark(name))!;
      const texts =
        name === "pope" ? await answersToPope(model, { data: popeFolder, photos: photos! }) : captionsSaid;
      const answers = { texts, failures: new Map<string, string>(), where: () => output };
      scored.push(await score({ benchmark, load: { data }, answers, model: folder ?? defaultModel }));
    }
    const rows = { rows: testPairs, images: photos!, maxTokens: 2048 };
    const strict = (error: unknown): never => {
      throw error;
    };
    const around = { progress: silentProgress, report: () => {} };
    return { scored, pairs: await scorePairs(model.pretrained, { ...rows, onBadRow: strict }, around) };
  });
}

interface Change {
  readonly metric: string;
  readonly value: number;
  readonly change: number;
  readonly interval: readonly [number, number];
}

/** What a model's answers are worth beside the default model's. */
async function changes(before: Measured, after: Measured): Promise<Change[]> {
  const found: Change[] = [];
  for (const [index, { name, metrics }] of benchmarks.entries()) {
    const benchmark = (await findBenchmark(name))!;
    for (const metric of metrics) {
      const [one, two] = [before, after].map(({ scored }) => {
        const { result, outcomes } = scored[index]!;
        return { result: { ...result, headline: metric, outcomes: "" }, outcomes };
      });
      const { values, difference, interval } = await compareResults(benchmark, one!, two!);
      found.push({ metric, value: values[1], change: difference, interval });
    }
  }
  return found;
}

/** Pairs whose chosen answer became likelier than the other one, as rewards have it. */
const toldApart = (before: Measured, after: Measured): number =>
  after.pairs.filter(({ logProbabilities: [chosen, rejected] }, i) => {
    const [was, other] = before.pairs[i]!.logProbabilities;
    return chosen - was > rejected - other;
  }).length;

const { optimizer } = preferences;
const shared: Partial<RecipeFields> = {
  ...preferences,
  optimizer: { ...optimizer, learningRate: Number(options.rate) },
  maxSteps: steps,
  seed,
  data: {},
};
const supervised = { ...shared, objective: { type: "supervised" } } as const;
const alsoLikely = { ...shared, objective: { ...preferences.objective, sftWeight: 1 } } as const;
const runs = {
  "matched pairs": { rows: pairs, fields: shared },
  "chosen alone": { rows: chosenRows, fields: supervised },
  "shuffled labels": { rows: shuffledPairs, fields: shared },
  "any length": { rows: rowsOf(anyLength), fields: shared },
  "likelihood beside it": { rows: pairs, fields: alsoLikely },
};

const before = await measure(undefined);
const results: Record<string, { changes: Change[]; toldApart: readonly [number, number] }> = {};
for (const [name, { rows, fields }] of Object.entries(runs)) {
  const folder = join(
    output,
    [name.replaceAll(" ", "-"), learnt.length, samples, steps, options.rate, seed].join("-"),
  );
  const seen = { rows, images: photos, cache: join(output, "features") };
  const kept = join(folder, "run", "adapter");
  const after = await measure(existsSync(kept) ? kept : await trained(folder, seen, fields));
  const apart = [toldApart(before, after), after.pairs.length] as const;
  results[name] = { changes: await changes(before, after), toldApart: apart };
}

const { changes: main, toldApart: told } = results["matched pairs"]!;
const of = (metric: string): Change => main.find((each) => each.metric === metric)!;
/** Of what it was before. */
const relative = ({ value, change }: Change): number => change / (value - change);
const claims = {
  "CHAIR-i falls by 15 % of itself or more": relative(of("chair-i")) <= -0.15,
  "and its interval lies below 0": of("chair-i").interval[1] < 0,
  "recall falls by 5 % of itself at most": relative(of("recall")) >= -0.05,
  "CIDEr-D falls by 2 points at most": of("cider").change >= -2,
  "at least 65 % of unseen pairs are told apart": told[0] / told[1] >= 0.65,
};

if (options.json) {
  const sizes = { train: learnt.length, test: held.length, steps, rate: options.rate, pairs: pairs.length };
  console.log(JSON.stringify({ ...sizes, results, claims }, null, 2));
} else {
  const words = (side: "chosen" | "rejected"): string =>
    (pairs.reduce((sum, row) => sum + row[side].split(" ").length, 0) / pairs.length).toFixed(1);
  console.log(`${pairs.length} pairs of ${words("chosen")} and ${words("rejected")} words`);
  for (const [name, { changes: found, toldApart: apart }] of Object.entries(results)) {
    console.log(name);
    for (const { metric, value, change, interval } of found)
      console.log(
        `  ${metric.padEnd(8)} ${value.toFixed(1).padStart(6)}, by ${change.toFixed(2)} [${interval.map((end) => end.toFixed(2)).join(", ")}]`,
      );
    console.log(`  pairs told apart ${shareOf(...apart)} of ${apart[1]}`);
  }
  for (const [claim, holds] of Object.entries(claims)) console.log(`${holds ? "holds" : "fails"}: ${claim}`);
}
