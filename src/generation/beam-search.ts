import { setImmediate } from "node:timers/promises";
import { LlavaError } from "../errors.ts";
import { aten, inference, keep, longTensor, scope, type Tensor, tensor } from "../torch/index.ts";
import { PaddedBatch } from "./batch.ts";
import { type GenerationInput, limitsOf, type TextGenerator } from "./generate.ts";
import { decodeOne, embedPrompts, prefill } from "./steps.ts";

export interface BeamOptions {
  /** Continuations of each prompt that are followed at once. */
  readonly beams: number;
  /** Power of the length, end token included, that a sum of log probabilities is divided by; 1: their mean. */
  readonly lengthPenalty?: number;
  readonly signal?: AbortSignal | undefined;
}

/** An answer with the score that it was chosen by. */
export interface BeamAnswer {
  readonly text: string;
  /** With the end token if it came to one. */
  readonly tokenIds: readonly number[];
  readonly score: number;
}

interface Beam {
  readonly tokenIds: readonly number[];
  /** Sum of log probabilities. */
  readonly logProbability: number;
}

/**
 * The likeliest answers that beam search finds, one for each prompt, as transformers' `num_beams` does: twice as many
 * continuations as beams are looked at in each step; a prompt is done when it has as many ended answers as beams and no
 * open one can overtake the worst of them. Sampling options but `maxTokens` are not looked at.
 * @throws LlavaError "prompt" for a prompt that does not fit the context; "aborted" by the signal
 */
export async function beamSearch(
  generator: TextGenerator,
  inputs: readonly GenerationInput[],
  { beams, lengthPenalty = 1, signal }: BeamOptions,
): Promise<BeamAnswer[]> {
  if (!(Number.isInteger(beams) && beams > 0))
    throw new LlavaError("usage", `beams must be a whole number above 0, got ${beams}`);
  if (inputs.length === 0) return [];
  const { model } = generator;
  const prompts = inputs.map((input) => new Prompt(generator, input, beams, lengthPenalty));
  const longest = Math.max(...prompts.map(({ maxTokens }) => maxTokens));
  const { device } = model.languageModel.embedTokens.weight;
  const promptIds = inputs.map(({ inputIds }) => inputIds);
  using single = PaddedBatch.of(promptIds, model);
  using batch = PaddedBatch.of(
    promptIds.flatMap((ids) => Array<readonly number[]>(beams).fill(ids)),
    model,
  );
  const capacity = single.length + longest;
  using cache = model.languageModel.newCache({ batch: inputs.length * beams, capacity });
  let logits: Tensor; // [B · beams, V]
  {
    using first = model.languageModel.newCache({ batch: inputs.length, capacity: single.length });
    using embeddings = embedPrompts(
      model,
      single,
      inputs.flatMap(({ pixelValues }) => pixelValues ?? []),
    );
    using once = prefill(model, first, single, embeddings, [0, single.length]);
    const rows = inputs.flatMap((_, row) => Array<number>(beams).fill(row));
    logits = inference(() =>
      scope(() => {
        const index = longTensor(rows).toDevice(device);
        cache.copyRows(first, index);
        return keep(aten.indexSelect(once, 0, index));
      }),
    );
  }
  try {
    for (;;) {
      if (signal?.aborted) throw new LlavaError("aborted", "stopped while searching");
      const { ids, parents } = advance(logits, prompts, beams);
      if (prompts.every(({ isDone }) => isDone)) break;
      inference(() => scope(() => cache.copyRows(cache, longTensor(parents).toDevice(device))));
      logits.dispose();
      logits = decodeOne(model, cache, batch, ids);
      await setImmediate();
    }
  } finally {
    logits.dispose();
  }
  return prompts.map((prompt) => prompt.best());
}

/** Lets every prompt choose; → the next token of each row, and the row that it goes on from. */
function advance(
  logits: Tensor,
  prompts: readonly Prompt[],
  beams: number,
): { ids: number[]; parents: number[] } {
  const vocabulary = logits.size(1);
  const [scores, places] = inference(() =>
    scope(() => {
      const sums = tensor(
        prompts.flatMap(({ open }) => open.map(({ logProbability }) => logProbability)),
        { shape: [prompts.length * beams, 1] },
      ).toDevice(logits.device);
      const all = aten
        .logSoftmax(logits.to("float32"), -1)
        .add(sums)
        .view([prompts.length, beams * vocabulary]);
      const [values, indices] = aten.topk(all, 2 * beams);
      return [values.toNumbers(), indices.toNumbers()];
    }),
  );
  const chosen = prompts.map((prompt, at) => {
    const candidates = Array.from({ length: 2 * beams }, (_, rank) => {
      const place = places[at * 2 * beams + rank]!;
      const beam = Math.floor(place / vocabulary);
      return { beam, id: place % vocabulary, logProbability: scores[at * 2 * beams + rank]! };
    });
    return prompt.choose(candidates);
  });
  return {
    ids: chosen.flatMap((rows) => rows.map(({ id }) => id)),
    parents: chosen.flatMap((rows, at) => rows.map(({ beam }) => at * beams + beam)),
  };
}

interface Candidate {
  readonly beam: number;
  readonly id: number;
  readonly logProbability: number;
}

/** The open and ended answers of one prompt. */
class Prompt {
  readonly maxTokens: number;
  open: readonly Beam[];
  isDone = false;
  readonly #generator: TextGenerator;
  readonly #stopIds: ReadonlySet<number>;
  readonly #lengthPenalty: number;
  #ended: { readonly tokenIds: readonly number[]; readonly score: number }[] = [];

  constructor(generator: TextGenerator, input: GenerationInput, beams: number, lengthPenalty: number) {
    const { maxTokens, stopIds } = limitsOf(generator, input);
    this.maxTokens = maxTokens;
    this.#generator = generator;
    this.#stopIds = stopIds;
    this.#lengthPenalty = lengthPenalty;
    // All beams begin alike: only the first may be followed.
    this.open = Array.from({ length: beams }, (_, beam) => ({
      tokenIds: [],
      logProbability: beam === 0 ? 0 : -1e9,
    }));
  }

  /** Takes the best continuations, likeliest first; those of a prompt that is done go nowhere. */
  choose(candidates: readonly Candidate[]): readonly Candidate[] {
    const beams = this.open.length;
    if (this.isDone) return candidates.slice(0, beams);
    const going = candidates.filter(({ id }) => !this.#stopIds.has(id)).slice(0, beams);
    const answer = ({ beam, id }: Candidate) => [...this.open[beam]!.tokenIds, id];
    for (const candidate of candidates.slice(0, beams))
      if (this.#stopIds.has(candidate.id)) this.#end(answer(candidate), candidate.logProbability);
    this.open = going.map((candidate) => ({
      tokenIds: answer(candidate),
      logProbability: candidate.logProbability,
    }));
    const length = this.open[0]!.tokenIds.length;
    const best = this.open[0]!.logProbability / length ** this.#lengthPenalty;
    const worst = this.#ended.length < beams ? -Infinity : this.#ended.at(-1)!.score;
    if (length >= this.maxTokens) for (const beam of this.open) this.#end(beam.tokenIds, beam.logProbability);
    this.isDone = length >= this.maxTokens || worst >= best;
    return going;
  }

  /** Best first, no more than there are beams. */
  #end(tokenIds: readonly number[], logProbability: number): void {
    const score = logProbability / tokenIds.length ** this.#lengthPenalty;
    this.#ended = [...this.#ended, { tokenIds, score }]
      .sort((one, other) => other.score - one.score)
      .slice(0, this.open.length);
  }

  best(): BeamAnswer {
    const { tokenIds, score } = this.#ended[0]!;
    const { tokenizer } = this.#generator;
    const isEnded = this.#stopIds.has(tokenIds.at(-1)!);
    return { text: tokenizer.decode(isEnded ? tokenIds.slice(0, -1) : tokenIds), tokenIds, score };
  }
}
