import { join } from "node:path";
import { type Command, Option } from "commander";
import type { Asked, PreferenceRun } from "../../../datagen/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { Price } from "../../../protocol/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { parsePrice } from "../../frame/endpoint-options.ts";
import {
  addModelOptions,
  collect,
  count,
  fastestDtype,
  type ModelFlags,
  notNegative,
  positive,
  share,
} from "../../frame/model-options.ts";
import { seedOption } from "../../frame/seed-option.ts";
import {
  addLedgerOptions,
  askOptions,
  type LedgerFlags,
  ledgerBar,
  runFolder,
  shownSpending,
} from "./ledger-options.ts";
import { openJudge } from "./open-judge.ts";
import { type OpenAnswerer, openAnswerer } from "./open-sampler.ts";
import { shownEstimate } from "./show-instructions.ts";
import { shownBias } from "./show-preferences.ts";

interface Options extends LedgerFlags, ModelFlags {
  captions: string[];
  boxes?: string[];
  images: string;
  questions?: string;
  question?: string[];
  model?: string[];
  endpoint?: string;
  batchSize: number;
  samples: number;
  temperature: number;
  topP: number;
  maxTokens: number;
  judgeEndpoint?: string;
  judgeModel?: string;
  judgeLocal?: string;
  judgePrice?: Price;
  judgeMaxTokens: number;
  judgeRounds: number;
  compare?: boolean;
  rule?: string;
  gap: number;
  threshold?: number;
  pairsPerQuestion: number;
  pairsPerImage: number;
  lengthGap?: number;
  balance: number;
  labels?: string;
  maxLongerWins: number;
  maxFlips: number;
  trl?: string;
  llamaFactory?: string;
  seed: number;
}

export function configure(data: Command, context: CommandContext): void {
  const command = data
    .command("preferences")
    .description(
      "Have a model answer questions several times, have its answers judged, and pair good with bad.",
    )
    .requiredOption(
      "--captions <file>",
      "what the judge takes for true: COCO's captions JSON, Flickr's token file, LLaVA rows, or a line an image or video (may be repeated)",
      collect,
    )
    .option("--boxes <file>", "COCO's instances JSON, likewise (may be repeated)", collect)
    .option("--images <folder>", "folder of the images or videos", ".")
    .option(
      "--questions <file>",
      "what is asked: a line an image and question, perhaps with answers to judge",
    )
    .option(
      "--question <text>",
      "ask this about every image (may be repeated; default: to describe it)",
      collect,
    )
    .requiredOption("--out <file>", "where the pairs go, in LLaVA's form (.json or .jsonl)")
    .option(
      "--trl <file>",
      "write them for TRL too: .parquet with the images inside, or .jsonl with their paths",
    )
    .option("--llama-factory <folder>", "write them for LLaMA-Factory too, with a dataset_info.json")
    .option(
      "--model <name>",
      "whose answers: a model on this machine, or the endpoint's (may be repeated)",
      collect,
    )
    .option("--endpoint <url>", "an OpenAI-compatible endpoint that the models answer at")
    .option("--batch-size <n>", "answers at once of a model on this machine", count, 8)
    .option("--samples <n>", "answers of each model to each question", count, 6)
    .option("--temperature <t>", "of the answers", positive, 1)
    .option("--top-p <p>", "of the answers", share, 1)
    .option("--max-tokens <n>", "longest answer; a longer one is in no pair", count, 256)
    .option("--judge-endpoint <url>", "an OpenAI-compatible endpoint whose model reads captions and judges")
    .option("--judge-model <name>", "its name there")
    .addOption(
      new Option("--judge-local <model>", "a model on this machine as the judge instead").conflicts([
        "judgeEndpoint",
        "judgeModel",
        "rule",
      ]),
    )
    .option("--judge-price <input/output[/cached]>", "what the judge costs, if not --price", parsePrice)
    .option("--judge-max-tokens <n>", "longest reply of the judge", count, 512)
    .option("--judge-rounds <n>", "times that it is asked for a reply that can be read", count, 3)
    .option("--compare", "have it compare two answers, in both orders, instead of scoring each")
    .option("--rule <module>", "score by a function of your own instead, a module's default export")
    .option("--gap <n>", "scores of a pair are at least so far apart, of 1 to 5", positive, 2)
    .option("--threshold <score>", "the better answer reaches it, the other does not", positive)
    .option("--pairs-per-question <n>", "pairs of a question at most", count, 2)
    .option("--pairs-per-image <n>", "pairs of an image at most", count, 3)
    .option("--length-gap <words>", "words that two answers may differ by", notNegative)
    .option(
      "--balance <share>",
      "drop pairs until both sides' mean lengths differ by this share at most",
      share,
      0.05,
    )
    .option("--labels <file>", "to-label.jsonl of a run, filled in: how far the judge agrees")
    .option("--max-longer-wins <share>", "fail where longer answers win more often", share, 0.75)
    .option("--max-flips <share>", "fail where places decide more comparisons", share, 0.3);
  command.addOption(seedOption());
  addLedgerOptions(addModelOptions(command, fastestDtype))
    .addHelpText(
      "after",
      `
Examples:
  llava data preferences --captions Flickr8k.token.txt --images Images --model llava-smol-135m --out pairs.jsonl
  llava data preferences --captions captions_train2017.json --images train2017 --model runs/sft --out pairs.jsonl \\
    --judge-endpoint https://api.openai.com/v1 --judge-model gpt-4o-mini --judge-price 0.15/0.60 --budget 5

Without a judge a rule scores answers by the things they name and captions have. The same command goes on where it
stopped; another rule of pairing asks nothing. A line of --questions, and one of a file of captions of your own:
  {"image": "a.jpg", "question": "What is this?", "reference": "A dog.", "answers": ["A dog.", "A cat."]}
  {"video": "a.mp4", "captions": ["A dog runs."]}
The exit status is 3 where the budget ended the run, and 1 where the judge is found to be biased.`,
    )
    .action((options: Options) => run(options, context));
}

async function run(options: Options, context: CommandContext): Promise<void> {
  const datagen = await import("../../../datagen/index.ts");
  const { money, Ledger } = await import("../../../runner/index.ts");
  const { seed, images, estimate: pilot } = options;
  const signal = context.signal();
  const read = await datagen.readItems(options);
  const items = read.items.slice(0, options.limit);
  const questions = await datagen.readQuestions(items, options);
  if (questions.length === 0)
    throw new LlavaError("data", "there is no question to ask", { hint: datagen.itemHint });
  context.report(`${items.length} images, ${questions.length} questions`);
  const folder = runFolder(options);
  const labels = options.labels === undefined ? [] : await datagen.readLabels(options.labels);
  await using open = new AsyncDisposableStack();
  const isGiven = questions.some(({ given }) => given);
  if (!isGiven && options.model === undefined)
    throw new LlavaError("usage", "there is no model to answer", {
      hint: "Give --model, or --questions with answers.",
    });
  const flags = { ...options, batchSize: options.batchSize };
  const opened: OpenAnswerer[] = [];
  for (const model of isGiven ? [] : (options.model ?? []))
    opened.push(open.use(await openAnswerer(model, options.endpoint, flags, context, signal)));
  const judge = await openJudge(options, { flags, open, context, signal });
  const asking = samplerAsking(options, context, signal);
  const ledger = join(folder, "ledger.sqlite");
  let bar: ReturnType<typeof ledgerBar> | undefined;
  const onProgress: Asked["asking"]["onProgress"] = (counts, spending) => bar?.onProgress(counts, spending);
  const preferences: PreferenceRun = {
    ledger,
    questions,
    sampling: { images, seed, ...pickSampling(options) },
    samplers: opened.map(({ answerer, batches }) => ({
      answerer,
      batches,
      asking: { ...asking, onProgress },
    })),
    judge:
      judge.by === "rule"
        ? judge
        : { ...judge, asked: { ...judge.asked, asking: { ...judge.asked.asking, onProgress } } },
    onPass: (what, { count }, round) => {
      bar?.stop();
      const again = round > 0 ? ` again (${round + 1})` : "";
      bar = ledgerBar(context, { label: what + again, total: count, unit: "replies" }, money);
    },
  };
  if (pilot !== undefined) {
    const places = datagen.pilotItems(questions.length, pilot === true ? 0 : pilot, seed);
    const some = await datagen.runPreferences({
      ...preferences,
      questions: places.map((place) => questions[place]!),
    });
    bar?.stop();
    if (some.stopped) throw some.stopped;
    const found = datagen.estimate(datagen.preferenceKinds(preferences, questions, some), items.length);
    console.log(options.json ? JSON.stringify(found, null, 2) : shownEstimate(found));
    return;
  }
  const { judged, stopped } = await datagen.runPreferences(preferences).finally(() => bar?.stop());
  using kept = new Ledger(ledger);
  const spending = kept.spending();
  const name = judge.by === "rule" ? judge.name : judge.asked.answerer.id;
  const report = await datagen.writePreferences(
    judged,
    {
      gap: options.gap,
      threshold: options.threshold,
      pairsPerQuestion: options.pairsPerQuestion,
      pairsPerItem: options.pairsPerImage,
      lengthGap: options.lengthGap,
      balance: options.balance,
    },
    { out: options.out, trl: options.trl, factory: options.llamaFactory, folder, images, seed },
    {
      judge: name,
      models: opened.map(({ answerer }) => answerer.id),
      labels,
      gate: { longerWins: options.maxLongerWins, flips: options.maxFlips },
      cost: spending.spent,
      origin: { judge: name, sampling: pickSampling(options) },
    },
  );
  console.log(options.json ? JSON.stringify(report, null, 2) : shownBias(report));
  context.report(
    `${options.out}: ${report.pairs.count} pairs; ${folder}: report, plots, all answers and scores`,
  );
  if (asking.price ?? options.judgePrice) context.report(shownSpending(spending, money));
  if (stopped) throw stopped;
  if (report.warnings.length > 0)
    throw new LlavaError("data", `the pairs are not to be trusted: ${report.warnings.join("; ")}`, {
      hint: "Take another judge, --compare, or --length-gap; --max-longer-wins and --max-flips set what is taken.",
    });
}

const pickSampling = ({ samples, temperature, topP, maxTokens }: Options) => ({
  samples,
  temperature,
  topP,
  maxTokens,
});

/** A model on this machine costs nothing, whatever its judge does. */
function samplerAsking(options: Options, context: CommandContext, signal: AbortSignal): Asked["asking"] {
  const { budget: _, price: __, ...free } = options;
  return askOptions(options.endpoint === undefined ? free : options, context, signal);
}
