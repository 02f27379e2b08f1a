import { type Command, InvalidArgumentError, Option } from "commander";
import type { LocalModel } from "../../../index.ts";
import type { VideoConfig } from "../../../processing/video/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { addModelOptions, fastestDtype, type ModelFlags, openModel } from "../../frame/model-options.ts";
import { table } from "../../frame/table.ts";
import { readVideoQuestions } from "./questions.ts";
import type { Outcome, Setting } from "./sweep.ts";

interface AblateFlags extends ModelFlags {
  readonly model?: string;
  readonly frames: readonly number[];
  readonly strides?: readonly number[];
  readonly factors: readonly (number | "auto")[];
  readonly pool?: "average" | "max" | "bilinear";
  readonly plot?: string;
  readonly json?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Answer questions about videos with more and fewer frames, tokens a frame and rope factors.")
    .argument("<questions>", "rows of video, text and answer (.jsonl, .json)")
    .option("--model <model>", "built-in name, folder or hub name (default: the built-in model)")
    .option("--frames <list>", "frames of each video", list(whole), [4, 8, 16])
    .option(
      "--strides <list>",
      "by how many the features of a frame are pooled (default: the model's own)",
      list(whole),
    )
    .option("--factors <list>", "linear rope factors, or auto: what each prompt needs", list(factor), [
      "auto",
    ])
    .addOption(
      new Option("--pool <mode>", "how they are pooled (default: the model's own)").choices([
        "average",
        "max",
        "bilinear",
      ]),
    )
    .option("--plot <file>", "draw accuracy over frames (.svg or .png)")
    .option("--json", "print as JSON, with all answers");
  addModelOptions(command, fastestDtype)
    .addHelpText(
      "after",
      `
An answer is right if it is one of the row's, but for case, articles and punctuation.

Example:
  llava video ablate questions.jsonl --frames 4,8,16 --strides 1,2 --factors auto,2 --plot frames.svg`,
    )
    .action((path: string, flags: AblateFlags) => run(path, flags, context));
}

async function run(path: string, flags: AblateFlags, context: CommandContext): Promise<void> {
  const questions = await readVideoQuestions(path);
  const signal = context.signal();
  using model = await openModel(flags.model, flags, context, signal);
  const { LocalModel } = await import("../../../generation/index.ts");
  const { ask, settingsOf } = await import("./sweep.ts");
  const { pretrained, id } = model;
  const own = pretrained.processor.videoConfig;
  const videoWith = (stride: number): VideoConfig => ({
    ...own,
    pooling: { ...own.pooling, stride, ...(flags.pool && { mode: flags.pool }) },
  });
  const range = { ...flags, strides: flags.strides ?? [own.pooling.stride] };
  const settings = settingsOf(model, range, videoWith);
  const bar = context.progress({
    label: "questions",
    total: settings.length * questions.length,
    unit: "questions",
  });
  const outcomes: Outcome[] = [];
  try {
    for (const setting of settings) {
      const processor = pretrained.processor.with({ video: videoWith(setting.stride) });
      // It shares the weights, which `model` disposes of.
      const seeing: LocalModel = new LocalModel({ ...pretrained, processor }, { id });
      outcomes.push(await ask(seeing, setting, questions, { signal, onAnswer: () => bar.increment() }));
    }
  } finally {
    bar.stop();
  }
  if (flags.plot !== undefined) await draw(flags.plot, outcomes);
  if (flags.json) console.log(JSON.stringify({ model: id, questions: questions.length, outcomes }, null, 2));
  else console.log(shown(outcomes));
}

function shown(outcomes: readonly Outcome[]): string {
  const percent = (share: number): string => (100 * share).toFixed(1);
  const head = [
    "tokens a frame",
    "frames",
    "factor",
    "prompt",
    "right",
    "of",
    "%",
    "from",
    "to",
    "unfit",
    "s each",
  ];
  return table(
    head,
    outcomes.map((outcome) => [
      ...[outcome.tokensPerFrame, outcome.frames].map(String),
      outcome.factor === "auto" ? `auto ${outcome.ropeFactor.toFixed(1)}` : String(outcome.factor),
      outcome.promptTokens.toFixed(0),
      ...[outcome.right, outcome.asked - outcome.unfit].map(String),
      ...[outcome.accuracy, ...outcome.interval].map(percent),
      String(outcome.unfit),
      outcome.secondsPerQuestion.toFixed(2),
    ]),
  );
}

/** A line for each number of tokens a frame and factor. */
async function draw(path: string, outcomes: readonly Outcome[]): Promise<void> {
  const { lineChart, saveChart } = await import("../../../charts/index.ts");
  const factors = new Set(outcomes.map(({ factor }) => factor));
  const nameOf = ({ tokensPerFrame, factor }: Outcome): string =>
    `${tokensPerFrame} tokens a frame${factors.size > 1 ? `, factor ${factor}` : ""}`;
  const series = [...Map.groupBy(outcomes, nameOf)].map(([name, cells]) => ({
    name,
    points: cells.flatMap((cell): [number, number][] =>
      cell.unfit < cell.asked ? [[cell.frames, 100 * cell.accuracy]] : [],
    ),
  }));
  const chart = lineChart(series, {
    title: "Right answers about videos",
    x: { label: "frames" },
    y: { label: "right answers, %" },
  });
  await saveChart(path, chart);
}

const list =
  <T>(parse: (text: string) => T) =>
  (text: string): T[] =>
    text.split(",").map((part) => parse(part.trim()));

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected whole numbers above 0, such as 4,8,16.");
}

function factor(text: string): Setting["factor"] {
  const value = Number(text);
  if (text === "auto" || (Number.isFinite(value) && value >= 1)) return text === "auto" ? text : value;
  throw new InvalidArgumentError("Expected numbers from 1 or auto, such as auto,2.");
}
