import { costOf, type Price } from "../../protocol/index.ts";
import { mulberry32, shuffled } from "../../random/index.ts";
import type { LedgerEntry } from "../../runner/index.ts";
import type { InstructionPlan } from "./plan.ts";

/** What all requests of a plan will take, by kind and together. */
export interface Estimate {
  readonly kinds: readonly KindEstimate[];
  readonly cost?: { readonly mean: number; readonly low: number; readonly high: number };
  readonly of1000Items?: number;
}

export interface KindEstimate {
  readonly kind: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Replies that it is computed from; 0 where it comes from the original's rows. */
  readonly pilot: number;
}

/** Characters of an English text a token, and how far tokenizers differ. */
const charactersAToken = 4;
const tokenizerSpread = 0.15;
/** Tokens of the original's replies, mean, by Llama 3's tokenizer; of kinds of one's own a third of the longest. */
const usualReply: Readonly<Record<string, number>> = { conversation: 363, detail: 151, reasoning: 151 };

/** Places for a pilot: `each` items of every kind, drawn. */
export function pilotPlaces(plan: InstructionPlan, each: number, seed: number): number[] {
  const items = shuffled([...plan.items.keys()], mulberry32(seed)).slice(0, each);
  return items
    .flatMap((item) => plan.kinds.map((_, kind) => item * plan.kinds.length + kind))
    .sort((a, b) => a - b);
}

/** From what the replies that are there took, or without any from characters and the original's rows. */
export function estimate(
  plan: InstructionPlan,
  entries: Iterable<LedgerEntry>,
  price: Price | undefined,
): Estimate {
  const seen = plan.kinds.map(() => ({
    replies: 0,
    prompt: 0,
    characters: 0,
    completion: 0,
    costs: [] as number[],
  }));
  for (const { sequence, reply } of entries) {
    if (reply === undefined || reply.usage.promptTokens === 0) continue;
    const kind = seen[sequence % plan.kinds.length]!;
    kind.replies++;
    kind.prompt += reply.usage.promptTokens;
    kind.characters += charactersOf(plan, sequence);
    kind.completion += reply.usage.completionTokens;
    kind.costs.push(price === undefined ? 0 : (costOf(reply.usage, price) ?? 0));
  }
  let [mean, variance, spread] = [0, 0, 0];
  const kinds = plan.kinds.map(({ name, maxTokens }, index): KindEstimate => {
    const { replies, prompt, characters, completion, costs } = seen[index]!;
    const requests = plan.items.length;
    let all = 0;
    for (let item = 0; item < requests; item++) all += charactersOf(plan, item * plan.kinds.length + index);
    const promptTokens = replies > 0 ? (all * prompt) / characters : all / charactersAToken;
    const completionTokens =
      requests * (replies > 0 ? completion / replies : (usualReply[name] ?? maxTokens / 3));
    if (price !== undefined && replies > 0) {
      const average = costs.reduce((sum, cost) => sum + cost, 0) / replies;
      mean += requests * average;
      const deviation =
        costs.reduce((sum, cost) => sum + (cost - average) ** 2, 0) / Math.max(1, replies - 1);
      variance += (requests ** 2 * deviation) / replies;
    } else if (price !== undefined) {
      const cost = (promptTokens * price.input + completionTokens * price.output) / 1e6;
      mean += cost;
      spread += tokenizerSpread * cost;
    }
    return {
      kind: name,
      requests,
      promptTokens: Math.round(promptTokens),
      completionTokens: Math.round(completionTokens),
      pilot: replies,
    };
  });
  if (price === undefined) return { kinds };
  const half = 1.96 * Math.sqrt(variance) + spread;
  return {
    kinds,
    cost: { mean, low: Math.max(0, mean - half), high: mean + half },
    of1000Items: (1000 * mean) / Math.max(1, plan.items.length),
  };
}

function charactersOf(plan: InstructionPlan, sequence: number): number {
  return plan.requestAt(sequence).messages.reduce((sum, { content }) => sum + String(content).length, 0);
}
