import { basename, join } from "node:path";
import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { CommandContext } from "../../frame/context.ts";
import {
  addModelOptions,
  count,
  fastestDtype,
  type ModelFlags,
  notNegative,
} from "../../frame/model-options.ts";
import { seedOption } from "../../frame/seed-option.ts";
import { table } from "../../frame/table.ts";
import {
  addLedgerOptions,
  askOptions,
  type LedgerFlags,
  ledgerBar,
  runFolder,
  shownSpending,
} from "./ledger-options.ts";
import { openAnswerer } from "./open-sampler.ts";
import { SegmentFrames } from "./segment-frames.ts";
import { shownEstimate } from "./show-instructions.ts";

interface Options extends LedgerFlags, ModelFlags {
  images: string;
  model: string;
  endpoint?: string;
  batchSize: number;
  prompt: string;
  instruction?: string;
  maxTokens: number;
  temperature: number;
  frames: number;
  recheck?: boolean;
  engine?: string;
  seed: number;
}

export function configure(data: Command, context: CommandContext): void {
  const command = data
    .command("recaption")
    .description("Have a model that sees images or parts of videos caption all of them, be they a million.")
    .argument("<source>", "a folder of images, or rows with image or video (.json, .jsonl)")
    .option(
      "--images <folder>",
      "folder of the images or videos that rows name (default: a source's own)",
      ".",
    )
    .requiredOption("--out <file>", "where the rows go (.json or .jsonl)")
    .requiredOption("--model <name>", "a model on this machine, or the endpoint's")
    .option("--endpoint <url>", "an OpenAI-compatible endpoint")
    .option("--batch-size <n>", "captions at once of a model on this machine", count, 8)
    .option(
      "--prompt <text>",
      "what is asked; {caption} stands for a row's caption",
      "Describe this in detail.",
    )
    .option("--instruction <text>", "what rows ask; drawn from instructions for descriptions if left out")
    .option("--max-tokens <n>", "longest caption", count, 512)
    .option("--temperature <t>", "of the captions", notNegative, 0)
    .option("--frames <n>", "of each video, or of each of its segments", count, 8)
    .option(
      "--engine <url>",
      "keep the ledger on a server, for many machines: postgres://user@host/database (takes the package pg)",
    )
    .option("--recheck", "look at all files again, which a plan that is there is trusted for");
  command.addOption(seedOption());
  addLedgerOptions(addModelOptions(command, fastestDtype))
    .addHelpText(
      "after",
      `
Examples:
  llava data recaption photos --model llava-smol-135m --out captions.jsonl
  llava data recaption clips.jsonl --images clips --endpoint http://localhost:8000/v1 --model NAME --out captions.jsonl

The same command goes on where it stopped, in several processes at once if started so; llava data status tells how far
they are. A caption that is stored is never asked for again; what a process that is killed had under way is. Rows:
  {"image": "a.jpg", "caption": "A dog."}
  {"video": "a.mp4", "segments": [[0, 4], [4, 8.5]]}
The exit status is 3 where the budget ended the run.`,
    )
    .action((source: string, options: Options) => run(source, options, context));
}

async function run(path: string, options: Options, context: CommandContext): Promise<void> {
  const datagen = await import("../../../datagen/index.ts");
  const { Ledger, money, PostgresLedger } = await import("../../../runner/index.ts");
  const { makeFolder, withLock } = await import("../../../files/index.ts");
  const { stat } = await import("node:fs/promises");
  const signal = context.signal();
  const asking = askOptions(options, context, signal);
  const source = await datagen.openRecaptionSource(path, options);
  const folder = runFolder(options);
  makeFolder(folder);
  await using open = new AsyncDisposableStack();
  const server = options.engine;
  if (server !== undefined && options.batchApi)
    throw new LlavaError("usage", "--batch-api takes a ledger in a file, and no --engine", {
      hint: "Batches are sent and read by one process; leave one of the two out.",
    });
  const file = server === undefined ? open.use(new Ledger(join(folder, "ledger.sqlite"))) : undefined;
  const ledger = file ?? open.use(await PostgresLedger.open(server!, basename(folder)));
  await using opened = await openAnswerer(options.model, options.endpoint, options, context, signal);
  const images = (await stat(path)).isDirectory() ? path : options.images;
  const recaption = {
    ...asking,
    ledger,
    source,
    answerer: opened.answerer,
    prompt: options.prompt,
    maxTokens: options.maxTokens,
    temperature: options.temperature,
    seed: options.seed,
    media: new SegmentFrames(images, options.frames, options.endpoint === undefined),
    isRechecked: options.recheck ?? false,
    batches: file && opened.batches && { ledger: file, endpoint: opened.batches },
  };
  const lock = join(folder, "batches.lock");
  // Whoever reads a batch's results pays for them.
  const ask = <T>(work: () => Promise<T>): Promise<T> =>
    opened.batches ? withLock(lock, work, { signal }) : work();
  if (options.estimate !== undefined) {
    const pilot = options.estimate === true ? 0 : options.estimate;
    const found = await ask(() => datagen.estimateRecaption({ ...recaption, pilot }));
    console.log(options.json ? JSON.stringify(found, null, 2) : shownEstimate(found));
    return;
  }
  const planning = context.progress({ label: "planning", unit: "items" });
  // Others wait: a plan that is there need not be made.
  const plan = () => datagen.planRecaption({ ...recaption, onPlanned: (items) => planning.update(items) });
  await ledger.plans.alone(plan, signal).finally(() => planning.stop());
  await ledger.set("budget", String(options.budget ?? ""));
  const counts = await ledger.counts();
  const total = Object.values(counts).reduce((sum, value) => sum + value, 0);
  const bar = ledgerBar(context, { label: "captions", total, unit: "items" }, money);
  const asked = await ask(() => datagen.askRecaption({ ...recaption, onProgress: bar.onProgress })).then(
    () => undefined,
    (error: unknown) => error,
  );
  bar.stop();
  const { out, seed, instruction } = options;
  const report = await datagen
    .writeRecaptions(ledger, { out, folder, seed, instruction })
    .catch((error: unknown) => {
      throw asked ?? error; // a disk that is full is told of where it ended the run
    });
  if (options.json) console.log(JSON.stringify(report, null, 2));
  else {
    const classes = Object.entries(report.classes).map(([name, items]) => [name, String(items)]);
    console.log(table(["class", "items"], classes));
  }
  context.report(
    `${options.out}: ${report.rows} rows of ${report.items} items; ${folder}: what became of each`,
  );
  if (options.price !== undefined) context.report(shownSpending(await ledger.spending(), money));
  if (asked) throw asked;
}
