import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Judge, Rule } from "../../../datagen/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { Price } from "../../../protocol/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { askOptions, type LedgerFlags } from "./ledger-options.ts";
import { type AnswererFlags, openAnswerer } from "./open-sampler.ts";

/** Who judges answers, and how. */
export interface JudgeFlags extends LedgerFlags {
  readonly judgeEndpoint?: string;
  readonly judgeModel?: string;
  readonly judgeLocal?: string;
  readonly judgePrice?: Price;
  readonly judgeMaxTokens: number;
  readonly judgeRounds: number;
  readonly compare?: boolean;
  readonly rule?: string;
  readonly pairsPerQuestion: number;
  readonly seed: number;
}

/** The judge that flags describe; a rule where they name no model. @throws LlavaError "usage" for what does not go together */
export async function openJudge(
  options: JudgeFlags,
  {
    flags,
    open,
    context,
    signal,
  }: {
    readonly flags: AnswererFlags;
    /** Closes a model on this machine. */
    readonly open: AsyncDisposableStack;
    readonly context: CommandContext;
    readonly signal: AbortSignal;
  },
): Promise<Judge> {
  const { judgeEndpoint, judgeModel, judgeLocal, judgePrice, compare, rule, seed } = options;
  if (judgeEndpoint === undefined && judgeLocal === undefined) {
    if (compare || judgeModel !== undefined)
      throw new LlavaError("usage", `${compare ? "--compare" : "--judge-model"} takes --judge-endpoint`, {
        hint: "A rule scores answers one by one.",
      });
    if (rule !== undefined) return { by: "rule", name: rule, rule: await loadRule(rule) };
    const { englishReader, namingRule } = await import("../../../datagen/index.ts");
    return { by: "rule", name: "things named", rule: namingRule(englishReader()) };
  }
  const name = judgeLocal ?? judgeModel;
  if (rule !== undefined || name === undefined)
    throw new LlavaError("usage", `--judge-endpoint takes ${rule ? "no --rule" : "--judge-model"}`, {
      hint: "Answers are scored by a model or by a rule.",
    });
  const { answerer, batches } = open.use(await openAnswerer(name, judgeEndpoint, flags, context, signal));
  const { budget: _, price: __, ...free } = options;
  const price = judgePrice ?? options.price;
  const priced = judgeEndpoint === undefined ? free : { ...options, ...(price && { price }) };
  return {
    by: compare ? "compare" : "score",
    asked: { answerer, batches, asking: askOptions(priced, context, signal) },
    maxTokens: options.judgeMaxTokens,
    rounds: options.judgeRounds,
    each: options.pairsPerQuestion,
    seed,
  };
}

async function loadRule(path: string): Promise<Rule> {
  const { default: rule } = (await import(pathToFileURL(resolve(path)).href)) as { default?: Rule };
  if (typeof rule === "function") return rule;
  throw new LlavaError("usage", `${path}: exports no rule`, {
    hint: "Its default export is a function of a question with its captions and of an answer, which returns { score, unsupported } (Rule of llava/datagen).",
  });
}
