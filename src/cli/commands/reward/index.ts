import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { Processor } from "../../../processing/processor/index.ts";
import type { ScoredPair } from "../../../training/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { addModelOptions, count, type ModelFlags, openModel, positive } from "../../frame/model-options.ts";
import { printable } from "../../frame/printable.ts";
import { table } from "../../frame/table.ts";

interface RewardFlags extends ModelFlags {
  readonly model: string;
  readonly reference?: string;
  readonly images: string;
  readonly beta: number;
  readonly maxTokens: number;
  readonly strict?: boolean;
  readonly json?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Score pairs of answers by how far a model has gone from its reference on them.")
    .argument("<pairs>", "rows with chosen and rejected answers (.json, .jsonl), or a mixture (.yaml)")
    .requiredOption("--model <model>", "built-in name, folder or hub name")
    .option("--reference <model>", "what it is compared with (default: the base of an adapter)")
    .option("--images <folder>", "folder of the images", ".")
    .option("--beta <number>", "rewards are this times log p(answer) − log of the reference's", positive, 0.1)
    .option("--max-tokens <n>", "longest side of a pair that is taken", count, 2048)
    .option("--strict", "stop at the first row that cannot be used")
    .option("--json", "print one JSON object with all pairs");
  addModelOptions(command, "float32")
    .addHelpText(
      "after",
      "\nExample:\n  llava reward pairs.jsonl --images images --model runs/preferences --reference llava-smol-135m",
    )
    .action((rows: string, flags: RewardFlags) => run(rows, flags, context));
}

async function run(rows: string, flags: RewardFlags, context: CommandContext): Promise<void> {
  const reference = flags.reference ?? (await baseOf(flags.model, context));
  const problems = new Set<string>();
  // One after the other, so that one model is in memory.
  const policy = await scored(flags.model, rows, flags, context, problems);
  const { base: _, ...others } = flags;
  const compared = await scored(reference, rows, others, context, problems, policy.processor);
  const byOrigin = new Map(compared.pairs.map((pair) => [pair.origin, pair]));
  const pairs = policy.pairs.flatMap((pair) => {
    const other = byOrigin.get(pair.origin);
    return other ? [rewardsOf(pair, other, flags.beta)] : [];
  });
  if (pairs.length === 0)
    throw new LlavaError("data", `${rows}: no pair can be used`, {
      hint: "llava data check lists what is wrong.",
    });
  const mean = (of: (pair: Rewards) => number): number =>
    pairs.reduce((sum, pair) => sum + of(pair), 0) / pairs.length;
  const summary = {
    pairs: pairs.length,
    unusable: problems.size,
    accuracy: mean(({ margin }) => (margin > 0 ? 1 : 0)),
    chosen: mean(({ chosen }) => chosen.reward),
    rejected: mean(({ rejected }) => rejected.reward),
    margin: mean(({ margin }) => margin),
  };
  if (flags.json)
    console.log(
      JSON.stringify(
        {
          model: flags.model,
          reference,
          beta: flags.beta,
          ...summary,
          problems: [...problems],
          rewards: pairs,
        },
        null,
        2,
      ),
    );
  else {
    const shown = pairs.map(({ id, chosen, rejected, margin }) => [
      printable(id),
      ...[chosen.reward, rejected.reward, margin].map((value) => value.toFixed(4)),
    ]);
    console.log(table(["pair", "chosen", "rejected", "margin"], shown));
    for (const problem of problems) console.log(printable(problem));
    console.log(
      `${summary.pairs} pairs, ${summary.unusable} unusable; ${(100 * summary.accuracy).toFixed(1)} % have the chosen answer ahead, by ${summary.margin.toFixed(4)} in the mean`,
    );
  }
}

type Rewards = ReturnType<typeof rewardsOf>;

function rewardsOf(pair: ScoredPair, reference: ScoredPair, beta: number) {
  const [chosen, rejected] = [0, 1].map((side) => {
    const [logp, referenceLogp] = [pair, reference].map(({ logProbabilities }) => logProbabilities[side]!);
    const reward = beta * (logp! - referenceLogp!);
    return { reward, logp: logp!, referenceLogp: referenceLogp!, tokens: pair.lengths[side]! };
  });
  return {
    id: pair.id,
    origin: pair.origin,
    chosen: chosen!,
    rejected: rejected!,
    margin: chosen!.reward - rejected!.reward,
  };
}

async function scored(
  name: string,
  rows: string,
  flags: ModelFlags & Pick<RewardFlags, "images" | "maxTokens" | "strict">,
  context: CommandContext,
  problems: Set<string>,
  processor?: Processor,
): Promise<{ pairs: ScoredPair[]; processor: Processor }> {
  const signal = context.signal();
  using model = await openModel(name, { ...flags, dtype: flags.dtype ?? "float32" }, context, signal);
  const { scorePairs } = await import("../../../training/index.ts");
  const onBadRow = (error: LlavaError): void => {
    if (flags.strict) throw error;
    problems.add(error.message);
  };
  const { images, maxTokens } = flags;
  const { pretrained } = model;
  // The reference is asked as the policy is, whatever its own prompts look like.
  const prompts = processor ?? pretrained.processor;
  const around = { progress: context.progress, report: context.report, signal };
  const options = { rows, images, maxTokens, onBadRow };
  const pairs = await scorePairs({ model: pretrained.model, processor: prompts }, options, around);
  return { pairs, processor: prompts };
}

/** The model that an adapter was trained beside. */
async function baseOf(name: string, { progress, report, signal }: CommandContext): Promise<string> {
  const [{ baseOfRun, readRunFolder, resolveModel }, { readAdapterConfig }] = await Promise.all([
    import("../../../setup/index.ts"),
    import("../../../pretrained/index.ts"),
  ]);
  const resolved = await resolveModel(name, { progress, report, signal: signal() });
  const run = resolved.kind === "folder" ? await readRunFolder(resolved.path) : undefined;
  const path = run?.kind === "whole" ? run.path : resolved.kind === "folder" ? resolved.path : undefined;
  const isAdapter = path !== undefined && existsSync(join(path, "adapter_config.json"));
  const base = isAdapter && ((await baseOfRun(path)) ?? readAdapterConfig(path).baseModel);
  if (base) return base;
  throw new LlavaError("usage", `${name} is no adapter, whose base could be its reference`, {
    hint: "Give --reference: the model that training started from.",
  });
}
