import { costOf, type GenerationRequest, type Price, type Usage } from "../../protocol/index.ts";
import { mulberry32, shuffled } from "../../random/index.ts";
import type { LedgerEntry } from "../../runner/index.ts";
import type { InstructionPlan } from "./plan.ts";

/** What all requests of a run will take, by kind and together. */
export interface Estimate {
  readonly kinds: readonly KindEstimate[];
  readonly cost?: { readonly mean: number; readonly low: number; readonly high: number };
  readonly of1000Items?: number;
}

interface KindEstimate {
  readonly kind: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Replies that it is computed from; 0 where it comes from what such replies take as a rule. */
  readonly pilot: number;
}

/** Requests of one kind that an estimate is about. */
export interface EstimatedKind {
  readonly kind: string;
  readonly requests: number;
  /** Of all their prompts, as `charactersOf` counts. */
  readonly characters: number;
  /** Tokens of a reply, where none is there to tell. */
  readonly usualReply: number;
  readonly price: Price | undefined;
  /** What replies that are there took. */
  readonly seen: readonly { readonly characters: number; readonly usage: Usage }[];
}

/** Characters of an English text a token, and how far tokenizers differ. */
const charactersAToken = 4;
const tokenizerSpread = 0.15;
/** Tokens of the original's replies, mean, by Llama 3's tokenizer; of kinds of one's own a third of the longest. */
const usualReply: Readonly<Record<string, number>> = { conversation: 363, detail: 151, reasoning: 151 };
/** Tokens that an image counts for until replies tell what it takes. */
const imageTokens = 576;

/** Places for a pilot: `each` items of every kind, drawn. */
export function pilotPlaces(plan: InstructionPlan, each: number, seed: number): number[] {
  return pilotItems(plan.items.length, each, seed).flatMap((item) =>
    plan.kinds.map((_, kind) => item * plan.kinds.length + kind),
  );
}

/** Some of so many items, drawn, in their order. */
export const pilotItems = (count: number, each: number, seed: number): number[] =>
  shuffled([...Array(count).keys()], mulberry32(seed))
    .slice(0, each)
    .sort((a, b) => a - b);

/** The kinds of a plan, with the replies that are there. */
export function kindsToEstimate(
  plan: InstructionPlan,
  entries: Iterable<LedgerEntry>,
  price: Price | undefined,
): EstimatedKind[] {
  const kinds = plan.kinds.map(({ name, maxTokens }, index) => {
    let characters = 0;
    for (let item = 0; item < plan.items.length; item++)
      characters += charactersOf(plan.requestAt(item * plan.kinds.length + index));
    return {
      kind: name,
      requests: plan.items.length,
      characters,
      usualReply: usualReply[name] ?? maxTokens / 3,
      price,
      seen: [] as EstimatedKind["seen"][number][],
    };
  });
  for (const { sequence, reply } of entries)
    if (reply !== undefined && reply.usage.promptTokens > 0)
      kinds[sequence % kinds.length]!.seen.push({
        characters: charactersOf(plan.requestAt(sequence)),
        usage: reply.usage,
      });
  return kinds;
}

/** From what the replies that are there took, or without any from characters and usual replies. */
export function estimate(kinds: readonly EstimatedKind[], items: number): Estimate {
  let [mean, variance, spread] = [0, 0, 0];
  const estimated = kinds.map((one): KindEstimate => {
    const { kind, requests, characters, price, seen } = one;
    const replies = seen.length;
    const sum = (of: (reply: (typeof seen)[number]) => number): number =>
      seen.reduce((all, reply) => all + of(reply), 0);
    const promptTokens =
      replies > 0
        ? (characters * sum(({ usage }) => usage.promptTokens)) / sum((reply) => reply.characters)
        : characters / charactersAToken;
    const completionTokens =
      requests * (replies > 0 ? sum(({ usage }) => usage.completionTokens) / replies : one.usualReply);
    if (price !== undefined && replies > 0) {
      const costs = seen.map(({ usage }) => costOf(usage, price) ?? 0);
      const average = costs.reduce((all, cost) => all + cost, 0) / replies;
      mean += requests * average;
      const deviation =
        costs.reduce((all, cost) => all + (cost - average) ** 2, 0) / Math.max(1, replies - 1);
      variance += (requests ** 2 * deviation) / replies;
    } else if (price !== undefined) {
      const cost = (promptTokens * price.input + completionTokens * price.output) / 1e6;
      mean += cost;
      spread += tokenizerSpread * cost;
    }
    return {
      kind,
      requests,
      promptTokens: Math.round(promptTokens),
      completionTokens: Math.round(completionTokens),
      pilot: replies,
    };
  });
  if (kinds.every(({ price }) => price === undefined)) return { kinds: estimated };
  const half = 1.96 * Math.sqrt(variance) + spread;
  return {
    kinds: estimated,
    cost: { mean, low: Math.max(0, mean - half), high: mean + half },
    of1000Items: (1000 * mean) / Math.max(1, items),
  };
}

/** Of a prompt; an image counts for those of as many tokens as it may have. */
export const charactersOf = ({ messages }: Pick<GenerationRequest, "messages">): number =>
  messages
    .flatMap(({ content }) =>
      typeof content === "string" ? [{ type: "text" as const, text: content }] : content,
    )
    .reduce(
      (sum, part) => sum + (part.type === "text" ? part.text.length : imageTokens * charactersAToken),
      0,
    );
