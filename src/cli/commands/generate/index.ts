import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { GenerationOutput, LocalModel, Prompt } from "../../../index.ts";
import { type MediaSource, userMessage } from "../../../protocol/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { addMediaOptions } from "../../frame/media-options.ts";
import {
  addModelOptions,
  addSamplingOptions,
  answerOptions,
  collect,
  count,
  fastestDtype,
  type ModelFlags,
  openModel,
  type SamplingFlags,
} from "../../frame/model-options.ts";
import { shownOn } from "../../frame/printable.ts";
import { type PromptRow, readPromptRows } from "./prompt-rows.ts";

interface GenerateFlags extends ModelFlags, SamplingFlags {
  readonly prompt?: readonly string[];
  readonly input?: string;
  readonly system?: string;
  readonly raw?: boolean;
  readonly json?: boolean;
  readonly batchSize: number;
  readonly beams?: number;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Answer prompts about images, one by one or in batches.")
    .argument("<model>", "built-in name, folder or hub name")
    .option("-p, --prompt <text>", "a question (may be repeated)", collect)
    .option(
      "--input <file>",
      'rows of {"id", "prompt", "images"} as JSONL or a JSON list; image paths count from its folder',
    )
    .option("--system <text>", "system message")
    .option(
      "--raw",
      "prompts word for word: no template, <image> where an image goes, special tokens honoured",
    )
    .option("--json", "print an object for each prompt")
    .option("--batch-size <n>", "prompts answered side by side", count, 8)
    .option(
      "--beams <n>",
      "search for the likeliest answer among n followed at once, instead of drawing one",
      count,
    );
  const given = addMediaOptions(command, ", for every --prompt");
  addSamplingOptions(command);
  addModelOptions(command, fastestDtype)
    .addHelpText(
      "after",
      `
<image> in a prompt is where its image goes; without it images stand in front of the question.
A row may have "messages" in place of "prompt", and "system", "max_tokens", "temperature", "top_p", "top_k", "min_p",
"repetition_penalty", "seed", "stop" and "ignore_eos" of its own, which count before the options.

Examples:
  llava generate llava-smol-135m --image photo.jpg --prompt "Describe it." --json
  llava generate llava-smol-135m --image photo.jpg --prompt "Describe it." --beams 3`,
    )
    .action((name: string, flags: GenerateFlags) => run(name, flags, given(), context));
}

async function run(
  name: string,
  flags: GenerateFlags,
  media: readonly MediaSource[],
  context: CommandContext,
): Promise<void> {
  const rows = await rowsOf(flags, media);
  const signal = context.signal();
  const started = performance.now();
  using model = await openModel(name, flags, context, signal);
  const loadMs = performance.now() - started;
  const failures: { row: PromptRow; error: LlavaError }[] = [];
  for (let start = 0; start < rows.length; start += flags.batchSize) {
    const batch = rows.slice(start, start + flags.batchSize);
    const answers = await answerRows(model, batch, flags, signal, rows.length === 1 && !flags.json);
    if (signal.aborted) throw new LlavaError("aborted", "stopped");
    for (const { row, output, error } of answers) {
      if (error !== undefined) {
        failures.push({ row, error });
        if (rows.length > 1) context.report(`prompt ${row.id}: ${error.message}`);
      }
      if (flags.json) console.log(JSON.stringify(jsonOf(row, output, error, loadMs)));
      else if (output !== undefined && rows.length > 1) console.log(shownOn(process.stdout, output.text));
    }
  }
  const [first] = failures;
  if (first === undefined) return;
  const { row, error } = first;
  if (rows.length === 1) throw error;
  const { hint, message } = error;
  throw new LlavaError(
    error.code,
    `${failures.length} of ${rows.length} prompts failed, the first is ${row.id}: ${message}`,
    { ...(hint && { hint }), cause: error },
  );
}

async function rowsOf(
  { prompt = [], input, raw, system, ...sampling }: GenerateFlags,
  media: readonly MediaSource[],
): Promise<PromptRow[]> {
  if (sampling.beams !== undefined) refuseDrawing(sampling);
  if (media.length > 0 && prompt.length === 0)
    throw new LlavaError("usage", "--image goes with --prompt, and there is none", {
      hint: input === undefined ? "Give --prompt." : "Rows of --input name their own images.",
    });
  if (raw && system !== undefined)
    throw new LlavaError("usage", "--system has no place in a --raw prompt", {
      hint: "Write it into the prompt, or leave out --raw.",
    });
  const rows = prompt.map((text, index): PromptRow => ({ id: index + 1, prompt: text, images: media }));
  if (input !== undefined) rows.push(...(await readPromptRows(input)));
  if (rows.length > 0) return rows;
  throw new LlavaError("usage", input === undefined ? "there is no prompt" : `${input} has no rows`, {
    hint: "Give --prompt, or --input with a file of rows.",
  });
}

/** Before the model is loaded. */
function refuseDrawing({ temperature, topK, topP, minP, repetitionPenalty }: SamplingFlags): void {
  const drawing = { temperature: temperature || undefined, topK, topP, minP, repetitionPenalty };
  const given = Object.entries(drawing).flatMap(([name, value]) =>
    value === undefined ? [] : `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  );
  if (given.length === 0) return;
  throw new LlavaError(
    "usage",
    `${given.join(" and ")} ${given.length > 1 ? "have" : "has"} no place beside --beams`,
    {
      hint: "A beam search takes the likeliest answer that it finds. Leave out --beams to draw one.",
    },
  );
}

interface RowAnswer {
  readonly row: PromptRow;
  output?: GenerationOutput;
  error?: LlavaError;
}

async function answerRows(
  model: LocalModel,
  rows: readonly PromptRow[],
  flags: GenerateFlags,
  signal: AbortSignal,
  streams: boolean,
): Promise<RowAnswer[]> {
  const answers = rows.map((row): RowAnswer => ({ row }));
  const asked: {
    readonly answer: RowAnswer;
    readonly prompt: Prompt;
    readonly sampling: PromptRow["sampling"];
  }[] = [];
  for (const answer of answers) {
    try {
      const { row } = answer;
      if (row.error) throw row.error;
      asked.push({ answer, prompt: promptOf(row, flags), sampling: row.sampling });
    } catch (error) {
      if (!(error instanceof LlavaError)) throw error;
      answer.error = error;
    }
  }
  const options = { ...answerOptions(flags, signal), ...(flags.beams && { beams: flags.beams }) };
  for await (const answered of model.answerBatch(asked, options)) {
    const { answer } = asked[answered.row]!;
    if ("error" in answered) answer.error = answered.error;
    else if (answered.part.type === "finish") answer.output = answered.part.output;
    else if (streams) process.stdout.write(shownOn(process.stdout, answered.part.text));
  }
  if (streams && answers.some(({ output }) => output !== undefined)) process.stdout.write("\n");
  return answers;
}

function promptOf({ prompt = "", messages, images, system }: PromptRow, flags: GenerateFlags): Prompt {
  if (flags.raw) {
    if (messages === undefined && system === undefined) return { raw: prompt, images };
    throw new LlavaError("data", "messages and system have no place in a --raw prompt", {
      hint: "Write the prompt out, or leave out --raw.",
    });
  }
  const asked = messages ?? [userMessage(prompt)];
  const instruction = system ?? flags.system;
  return {
    messages:
      instruction === undefined || asked[0]?.role === "system"
        ? asked
        : [{ role: "system", content: instruction }, ...asked],
    images,
  };
}

function jsonOf(
  { id }: PromptRow,
  output: GenerationOutput | undefined,
  error: LlavaError | undefined,
  loadMs: number,
) {
  if (output !== undefined) return { id, ...output, timings: { loadMs, ...output.timings } };
  const { code, message, hint } = error!;
  return { id, error: { code, message, ...(hint && { hint }) } };
}
