import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Command, Option } from "commander";
import type { InstructionKind, InstructionPlan, InstructOptions } from "../../../datagen/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { CommandContext } from "../../frame/context.ts";
import { collect, notNegative } from "../../frame/model-options.ts";
import { seedOption } from "../../frame/seed-option.ts";
import {
  addLedgerOptions,
  askOptions,
  type LedgerFlags,
  ledgerBar,
  runFolder,
  shownSpending,
} from "./ledger-options.ts";
import { openTeachers, type TeacherFlags } from "./open-teachers.ts";
import { shownEstimate, shownReport } from "./show-instructions.ts";

interface Options extends LedgerFlags, TeacherFlags {
  captions: string[];
  boxes?: string[];
  kinds?: string;
  prompts?: string;
  boxesInConversations?: boolean;
  structured: InstructOptions["structured"];
  temperature: number;
  negatives: boolean;
  showPrompt?: string;
  seed: number;
}

export function configure(data: Command, context: CommandContext): void {
  const command = data
    .command("instruct")
    .description(
      "Have a teacher that reads captions and boxes write conversations, descriptions and reasoning.",
    )
    .requiredOption(
      "--captions <file>",
      "COCO's captions JSON, Flickr's token file, LLaVA rows, or a line an image (may be repeated)",
      collect,
    )
    .option("--boxes <file>", "COCO's instances JSON (may be repeated)", collect)
    .requiredOption("--out <file>", "where the rows go (.json or .jsonl)")
    .option(
      "--kinds <list>",
      "of conversation, detail and reasoning, with commas between them; all when left out",
    )
    .option(
      "--kind <module>",
      "a kind of your own: a module whose default export is one (may be repeated)",
      collect,
    )
    .option(
      "--prompts <folder>",
      "the original's system messages and examples: playground/data/prompts of LLaVA",
    )
    .option(
      "--boxes-in-conversations",
      "make conversations from boxes too; the original's are from captions alone",
    )
    .option("--endpoint <url>", "an OpenAI-compatible endpoint")
    .option("--model <name>", "the teacher's name there")
    .option("--local <model>", "a model on this machine as the teacher instead")
    .addOption(
      new Option("--structured <when>", "ask for JSON by a schema; auto where the endpoint takes one")
        .choices(["auto", "always", "never"])
        .default("auto"),
    )
    .option("--temperature <t>", "of the teacher", notNegative, 0.7)
    .option("--no-negatives", "add no questions about what is absent, or present, to balance yes and no")
    .option("--show-prompt <id>", "print what is asked about one image, and ask nothing")
    .addOption(seedOption());
  addLedgerOptions(command)
    .addHelpText(
      "after",
      `
Example:
  llava data instruct --captions captions_train2017.json --boxes instances_train2017.json --out rows.json \\
    --endpoint https://api.openai.com/v1 --model gpt-4o-mini --price 0.15/0.60/0.075 --budget 5

The same command goes on where it stopped, in several processes at once if started so; what was answered is not asked
again, and a changed rule of reading asks nothing. A line of a file of your own:
  {"image": "a.jpg", "captions": ["A dog runs."], "boxes": [{"category": "dog", "box": [0.1, 0.2, 0.5, 0.9]}]}
The exit status is 3 where the budget ended the run.`,
    )
    .action((options: Options) => run(options, context));
}

async function run(options: Options, context: CommandContext): Promise<void> {
  const datagen = await import("../../../datagen/index.ts");
  const { Ledger, money } = await import("../../../runner/index.ts");
  const { withLock } = await import("../../../files/index.ts");
  const { out, seed, temperature, price, limit, endpoint } = options;
  const signal = context.signal();
  const asking = askOptions(options, context, signal);
  const read = await datagen.readItems(options);
  const items = read.items.slice(0, limit);
  if (items.length === 0)
    throw new LlavaError("data", "there is no image to ask about", { hint: datagen.itemHint });
  const boxes = items.reduce((sum, item) => sum + item.boxes.length, 0);
  context.report(
    `${items.length} images, ${boxes} boxes${read.crowds > 0 ? `; ${read.crowds} crowds left out` : ""}${read.mended > 0 ? `; ${read.mended} captions mended` : ""}`,
  );
  const kinds = await kindsOf(options);
  if (options.showPrompt !== undefined) return showPrompt(options.showPrompt, { ...options, items }, kinds);
  const folder = runFolder(options);
  using ledger = new Ledger(join(folder, "ledger.sqlite"));
  await using teachers = await openTeachers(options, context, signal);
  const places =
    options.estimate === undefined
      ? undefined
      : (plan: InstructionPlan) =>
          datagen.pilotPlaces(plan, options.estimate === true ? 0 : options.estimate!, seed);
  const total = items.length * kinds("blocks").length;
  const bar = ledgerBar(context, { label: "teacher", total, unit: "replies" }, money);
  const instruct: InstructOptions = {
    ...asking,
    items,
    kinds,
    seed,
    temperature,
    ledger,
    teachers,
    structured: options.estimate === true ? "never" : options.structured,
    ...(places && { places }),
    onFallback: (why) => context.warn(`The endpoint takes no schema (${why}); replies come as text.`),
    onProgress: bar.onProgress,
  };
  const prepared = await datagen.prepareInstruct(instruct);
  const asked = await (options.batchApi
    ? // Whoever reads a batch's results pays for them.
      withLock(join(folder, "batches.lock"), () => datagen.askInstruct(prepared, instruct), { signal })
    : datagen.askInstruct(prepared, instruct)
  ).then(
    () => undefined,
    (error: unknown) => error,
  );
  bar.stop();
  if (places !== undefined) {
    if (asked) throw asked;
    const entries = pilotEntries(ledger, places(prepared.plan));
    const found = datagen.estimate(datagen.kindsToEstimate(prepared.plan, entries, price), items.length);
    console.log(options.json ? JSON.stringify(found, null, 2) : shownEstimate(found));
    return;
  }
  const made = datagen.collectInstructions(prepared, ledger, {
    read: datagen.englishReader(),
    seed,
    negatives: options.negatives,
  });
  const spending = ledger.spending();
  const report = await datagen.writeInstructions(made, { out, folder, cost: spending.spent });
  console.log(options.json ? JSON.stringify(report, null, 2) : shownReport(report));
  context.report(`${out}: ${made.rows.length} rows; ${folder}: report, plots and where each row comes from`);
  if (price !== undefined) context.report(shownSpending(spending, money));
  if (
    endpoint === undefined &&
    options.local === undefined &&
    made.found.some(({ class: name }) => name === "unasked")
  )
    throw new LlavaError("usage", "there is no teacher to ask for what is left", {
      hint: "Give --endpoint and --model, or --local.",
    });
  if (asked) throw asked;
}

/** Entries of a pilot under their places in the whole plan. */
function* pilotEntries(
  ledger: { entries(): Iterable<import("../../../runner/index.ts").LedgerEntry> },
  places: readonly number[],
) {
  for (const entry of ledger.entries()) yield { ...entry, sequence: places[entry.sequence]! };
}

async function kindsOf(options: Options): Promise<InstructOptions["kinds"]> {
  const { instructionKinds, kindNames, readOriginalPrompts } = await import("../../../datagen/index.ts");
  const names = options.kinds?.split(",").map((name) => name.trim()) ?? (options.kind ? [] : [...kindNames]);
  const unknown = names.find((name) => !(kindNames as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new LlavaError("usage", `--kinds: there is no "${unknown}"`, {
      hint: `Choose from ${kindNames.join(", ")}.`,
    });
  const prompts = options.prompts === undefined ? undefined : await readOriginalPrompts(options.prompts);
  const own = await Promise.all((options.kind ?? []).map(loadKind));
  const chosen = kindNames.filter((name) => names.includes(name));
  return (form) => [
    ...instructionKinds(chosen, { form, prompts, boxesInConversations: options.boxesInConversations }),
    ...own,
  ];
}

async function loadKind(path: string): Promise<InstructionKind> {
  const { default: kind } = (await import(pathToFileURL(resolve(path)).href)) as {
    default?: InstructionKind;
  };
  const isKind =
    typeof kind?.name === "string" &&
    typeof kind.query === "function" &&
    typeof kind.parse === "function" &&
    Array.isArray(kind.fewShots);
  if (isKind) return kind;
  throw new LlavaError("usage", `${path}: exports no kind`, {
    hint: "Its default export is an object with name, system, fewShots, query, parse, maxTokens, answerWords and ungrounded (InstructionKind of llava's datagen).",
  });
}

function showPrompt(
  id: string,
  options: Options & { items: InstructOptions["items"] },
  kinds: InstructOptions["kinds"],
): void {
  const item = options.items.find((one) => one.id === id || one.image === id);
  if (item === undefined)
    throw new LlavaError("usage", `--show-prompt: there is no image "${id}"`, {
      hint: `Ids are those of the files, such as "${options.items[0]!.id}".`,
    });
  for (const { name, system, fewShots, query } of kinds(
    options.structured === "always" ? "json" : "blocks",
  )) {
    const messages = [
      ["system", system],
      ...fewShots.flatMap((shot) => [
        ["user", shot.query],
        ["assistant", shot.reply],
      ]),
      ["user", query(item)],
    ];
    console.log(`=== ${name}`);
    for (const [role, text] of messages) console.log(`--- ${role}\n${text}`);
  }
}
