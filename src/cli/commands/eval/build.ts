import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Command, Option } from "commander";
import type {
  Built,
  Embedder,
  ImageScreen,
  Teacher,
  TrainingSet,
} from "../../../benchmark-building/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { Progress } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import {
  addEndpointOptions,
  type EndpointFlags,
  openEndpoint,
  retryOf,
} from "../../frame/endpoint-options.ts";
import { collect, count, positive, share, wholeNumber } from "../../frame/model-options.ts";
import { seedOption } from "../../frame/seed-option.ts";
import { table } from "../../frame/table.ts";

interface BuildFlags extends EndpointFlags {
  readonly output: string;
  readonly images?: string;
  readonly medium: number;
  readonly small: number;
  readonly training: string[];
  readonly trainingImages: string[];
  readonly imageShare: number;
  readonly starts: number;
  readonly embeddingEndpoint?: string;
  readonly embeddingModel?: string;
  readonly embedImages?: boolean;
  readonly tower?: string;
  readonly flagged: "leave-out" | "review";
  readonly screen: string[];
  readonly endpoint?: string;
  readonly model?: string;
  readonly maxTokens: number;
  readonly budget?: number;
  readonly reviewers: number;
  readonly unreviewed?: boolean;
  readonly title?: string;
  readonly licence?: string;
  readonly json?: boolean;
  readonly seed: number;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Make a benchmark like LLaVA-Bench (Wilder) of questions that people asked about images.")
    .argument(
      "<pool>",
      "JSON lines of image, question, and if known reference, category, source, consent; or a folder of images with a text each",
    )
    .requiredOption("-o, --output <folder>", "where all of it goes, and where a stopped build goes on")
    .option("--images <folder>", "what image names are relative to (default: the pool's folder)")
    .option("--medium <n>", "questions of the medium edition", count, 1020)
    .option(
      "--small <n>",
      "questions of the small edition, all of them in the medium one too; 0 for none",
      wholeNumber,
      120,
    )
    .option(
      "--training <file>",
      "rows that models were trained on, to find what they have too (may be repeated)",
      collect,
      [],
    )
    .option(
      "--training-images <folder>",
      "their images, in the order of --training (may be repeated)",
      collect,
      [],
    )
    .option("--image-share <share>", "how much images count beside texts, from 0 to 1", share, 0.5)
    .option(
      "--embedding-endpoint <url>",
      "an OpenAI-compatible endpoint whose embeddings tell questions apart",
    )
    .option("--embedding-model <name>", "its name there")
    .option("--embed-images", "have that endpoint embed images too, as messages, which vLLM takes")
    .option("--tower <model>", "a model on this machine whose vision tower tells images apart")
    .option("--starts <n>", "beginnings of k-means, of which the best end is taken", count, 10)
    .addOption(
      new Option("--flagged <what>", "leave out what seems to hold personal data, or let reviewers decide")
        .choices(["leave-out", "review"])
        .default("leave-out"),
    )
    .option(
      "--screen <module>",
      "a module whose default export looks for faces or what should not be shown in an image (may be repeated)",
      collect,
      [],
    )
    .option("--endpoint <url>", "an OpenAI-compatible endpoint that gives reference answers")
    .option("--model <name>", "the name there of a model that sees images")
    .option("--max-tokens <n>", "longest reference answer", count, 1024)
    .option("--budget <amount>", "what references may cost in all, in the currency of --price", positive)
    .option("--reviewers <n>", "people who have to decide about each question", count, 1)
    .option("--unreviewed", "write the benchmark although nobody has looked at it")
    .option("--title <text>", "of the benchmark's card")
    .option("--licence <text>", "under which the benchmark may be used")
    .option("--json", "print the report as JSON")
    .addOption(seedOption());
  addEndpointOptions(command)
    .addHelpText(
      "after",
      `
Example:
  llava eval build pool.jsonl --output build --training mix665k.json --training-images images \\
    --endpoint https://api.openai.com/v1 --model gpt-4o --price 2.50/10 --budget 20
  llava eval review build
  (the first line again writes build/benchmark)
  llava eval run wilder --data build/benchmark --split small --model llava-smol-135m --output runs/smol`,
    )
    .action((pool: string, flags: BuildFlags) => run(pool, flags, context));
}

async function run(pool: string, flags: BuildFlags, context: CommandContext): Promise<void> {
  const { small, medium, output } = flags;
  if (small >= medium)
    throw new LlavaError("usage", `--small ${small} is no part of --medium ${medium}`, {
      hint: "The small edition has fewer questions than the medium one.",
    });
  if (flags.budget !== undefined && flags.price === undefined)
    throw new LlavaError("usage", "--budget takes --price", {
      hint: "Give --price input/output of a million tokens.",
    });
  const { buildBenchmark } = await import("../../../benchmark-building/index.ts");
  const { ensureNative } = await import("../../../setup/index.ts");
  const signal = context.signal();
  const { progress, report } = context;
  await ensureNative({ progress, report, signal });
  const teacher = await openTeacher(flags);
  let step: string | undefined;
  let bar: Progress | undefined;
  const built = await buildBenchmark({
    pool,
    ...(flags.images !== undefined && { images: flags.images }),
    folder: output,
    sizes: { medium, ...(small > 0 && { small }) },
    seed: flags.seed,
    starts: flags.starts,
    imageShare: flags.imageShare,
    embedder: await openEmbedder(flags, context),
    training: trainingSets(flags),
    screens: await Promise.all(flags.screen.map(loadScreen)),
    reviewsFlagged: flags.flagged === "review",
    reviewers: flags.unreviewed ? 0 : flags.reviewers,
    teacher,
    title: flags.title,
    licence: flags.licence,
    signal,
    onStep(name, done, total) {
      if (name !== step) {
        bar?.stop();
        step = name;
        bar = context.progress({ label: name, ...(total !== undefined && { total }), unit: "done" });
      }
      bar?.update(done);
    },
  }).finally(() => bar?.stop());
  console.log(
    flags.json
      ? JSON.stringify(
          { ...built.report, benchmark: built.benchmark ?? null, waiting: built.waiting },
          null,
          2,
        )
      : shown(built),
  );
  if (built.benchmark !== undefined) context.report(`${built.benchmark}: written`);
  else
    throw new LlavaError("data", `${built.waiting} of ${medium} questions wait for a review`, {
      hint: `Look at them with llava eval review ${output}, then give the same command again; --unreviewed does without.`,
    });
}

async function openTeacher(flags: BuildFlags): Promise<Teacher | undefined> {
  const { endpoint, model, maxTokens, price, budget } = flags;
  if (endpoint === undefined) return undefined;
  if (model === undefined)
    throw new LlavaError("usage", "--endpoint takes --model", {
      hint: "Give the model's name at the endpoint.",
    });
  return {
    answerer: await openEndpoint(endpoint, model, flags),
    maxTokens,
    price,
    budget,
    retry: retryOf(flags),
  };
}

async function openEmbedder(flags: BuildFlags, context: CommandContext): Promise<Embedder> {
  const { embeddingEndpoint: url, embeddingModel: model, embedImages: seesImages = false, tower } = flags;
  const { builtInEmbedder, endpointEmbedder, towerEmbedder } = await import(
    "../../../benchmark-building/index.ts"
  );
  if (url !== undefined && tower !== undefined)
    throw new LlavaError("usage", "--embedding-endpoint and --tower exclude each other", {
      hint: "Give one of them.",
    });
  if (tower !== undefined) {
    const { loadPretrained } = await import("../../../pretrained/index.ts");
    const { resolveModel } = await import("../../../setup/index.ts");
    const { progress, report } = context;
    const resolved = await resolveModel(tower, { progress, report, signal: context.signal() });
    return towerEmbedder(await loadPretrained(resolved, { dtype: "float32" }), tower);
  }
  if (url === undefined) return builtInEmbedder;
  if (model === undefined)
    throw new LlavaError("usage", "--embedding-endpoint takes --embedding-model", {
      hint: "Give the model's name at the endpoint.",
    });
  const { EmbeddingEndpoint } = await import("../../../client/index.ts");
  const { keyVariable: apiKeyVariable, timeout } = flags;
  const endpoint = new EmbeddingEndpoint({ url, model, apiKeyVariable, timeoutMs: timeout * 1000 });
  return endpointEmbedder(endpoint, { seesImages, retry: retryOf(flags) });
}

async function loadScreen(path: string): Promise<ImageScreen> {
  const { default: screen } = (await import(pathToFileURL(resolve(path)).href)) as { default?: ImageScreen };
  if (typeof screen?.name === "string" && typeof screen.look === "function") return screen;
  throw new LlavaError("usage", `${path}: exports no screen`, {
    hint: "Its default export is { name, look(path) }, which gives a list of { kind, text, isGrave }.",
  });
}

function trainingSets({ training, trainingImages }: BuildFlags): TrainingSet[] {
  if (trainingImages.length > training.length)
    throw new LlavaError("usage", "there are more --training-images than --training", {
      hint: "Give --training first, and its images in the same order.",
    });
  return training.map((rows, place) => ({ rows, images: trainingImages[place] }));
}

const percent = (rate: number): string => `${(100 * rate).toFixed(1)} %`;

function shown({ report }: Built): string {
  const { refused, flags, duplicates, goodness, contamination, editions, references, review } = report;
  const counts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([name, number]) => `${name} ${number}`)
      .join(", ") || "none";
  const rows = [
    ["offered", String(report.offered)],
    ["refused", counts(refused)],
    ["flagged", counts(flags)],
    ["duplicates dropped", `${duplicates.dropped}, of ${duplicates.groups} groups`],
    ["left to choose from", String(report.candidates)],
    ...contamination.map(({ set, imageRate, textRate }) => [
      `in ${set}`,
      `images ${imageRate.overlapping} (${imageRate.interval.map(percent).join(" to ")}), texts ${textRate.overlapping} (${textRate.interval.map(percent).join(" to ")})`,
    ]),
    [
      "mean distance to a chosen one",
      `${goodness.coverage.toFixed(3)}, by chance ${goodness.randomCoverage.toFixed(3)}`,
    ],
    [
      "mean weight by pixels",
      `${goodness.meanWeight.toFixed(3)}, of all ${goodness.candidatesMeanWeight.toFixed(3)}`,
    ],
    ["references", counts(references)],
    ["review", counts(review)],
    ...Object.entries(editions).map(([name, { questions, categories, overlap }]) => [
      name,
      `${questions} questions; ${counts(categories)}; overlap ${overlap.overlapping} (${overlap.interval.map(percent).join(" to ")})`,
    ]),
  ];
  return table(["", "benchmark"], rows);
}
