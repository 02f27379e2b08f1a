import { setImmediate } from "node:timers/promises";
import { LlavaError } from "../errors.ts";
import type { Visual } from "../models/index.ts";
import type { Tokenizer } from "../processing/tokenizer/index.ts";
import type { FinishReason } from "../protocol/index.ts";
import { aten, tensor } from "../torch/index.ts";
import { type Budget, budgetOf } from "./budget.ts";
import { Engine } from "./engine.ts";
import type { BeamSettings, GenerationInput, GenerationOptions, TextGenerator } from "./input.ts";
import { type GenerationOutput, Stopwatch } from "./output.ts";
import { type Continuation, type Decoding, type NextLogits, visualOf } from "./sequence.ts";
import { StopStrings } from "./stopping.ts";

export interface BeamOptions extends BeamSettings, GenerationOptions {
  readonly beams: number;
}

/** An answer with the score that it was chosen by. */
export interface BeamAnswer {
  readonly text: string;
  /** With the end token if it came to one. */
  readonly tokenIds: readonly number[];
  readonly score: number;
}

/** An answer under way. */
interface Beam {
  readonly tokenIds: readonly number[];
  /** Sum of log probabilities. */
  readonly logProbability: number;
}

/** A token more after the beam at an index. */
interface Candidate {
  readonly beam: number;
  readonly id: number;
  readonly logProbability: number;
}

/** Of a beam that nothing is left for: it is followed on, and any other is likelier. */
const LOST = -1e9;

/**
 * The likeliest answers that beam search finds, one for each prompt, as transformers' `num_beams` does: of the continuations
 * that are looked at in each step as many are open as there are beams; a prompt is done when it has as many ended answers as
 * beams and no open one can overtake the worst of them.
 * @throws LlavaError "usage" for settings of sampling; "prompt" for a prompt that does not fit the context; "aborted" by the
 * signal
 */
export async function beamSearch(
  generator: TextGenerator,
  inputs: readonly GenerationInput[],
  { beams, lengthPenalty = 1, signal, prefillChunk }: BeamOptions,
): Promise<BeamAnswer[]> {
  using engine = new Engine<BeamSequence>(generator.model, { prefillChunk });
  const sequences = inputs.map((input) => new BeamSequence(generator, { ...input, beams, lengthPenalty }));
  for (const sequence of sequences) engine.admit(sequence);
  while (engine.size > 0) {
    if (signal?.aborted) throw new LlavaError("aborted", "stopped while searching");
    for (const { error } of engine.step()) if (error !== undefined) throw error;
    await setImmediate();
  }
  return sequences.map((sequence) => sequence.best());
}

/** The open and ended answers to one prompt. */
export class BeamSequence implements Decoding {
  readonly rows: number;
  readonly promptIds: readonly number[];
  readonly visual: Visual | undefined;
  readonly ropeFactor: number | undefined;
  readonly capacity: number;
  readonly #tokenizer: Tokenizer;
  readonly #budget: Budget;
  readonly #lengthPenalty: number;
  readonly #watch = new Stopwatch();
  #open: readonly Beam[] = [{ tokenIds: [], logProbability: 0 }];
  #ended: readonly { readonly tokenIds: readonly number[]; readonly score: number }[] = [];
  #finishReason: FinishReason | undefined;

  constructor(generator: TextGenerator, input: GenerationInput) {
    const { beams = 1, lengthPenalty = 1 } = input;
    const most = Math.floor(generator.model.languageModel.config.vocabSize / 2);
    if (!(Number.isInteger(beams) && beams > 0 && beams <= most))
      throw new LlavaError("usage", `beams must be a whole number above 0 and up to ${most}, got ${beams}`);
    if (!Number.isFinite(lengthPenalty))
      throw new LlavaError("usage", `lengthPenalty must be a number, got ${lengthPenalty}`);
    refuseSampling(input);
    this.rows = beams;
    this.promptIds = input.inputIds;
    this.visual = visualOf(input);
    this.ropeFactor = input.ropeFactor;
    this.#budget = budgetOf(generator, input);
    this.capacity = input.inputIds.length + this.#budget.maxTokens;
    this.#tokenizer = generator.processor.tokenizer;
    this.#lengthPenalty = lengthPenalty;
  }

  get isFinished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** A search that stopped begins anew: what its beams hold cannot be told in one row. */
  resume(): readonly number[] {
    this.#open = [{ tokenIds: [], logProbability: 0 }];
    this.#ended = [];
    return [];
  }

  next({ tensor: logits }: NextLogits): Continuation {
    const [beams, vocabulary] = logits.shape as [number, number];
    // Each beam has an end for each end token: as many go on as there are beams whatever they are.
    const count = Math.min(Math.max(2, 1 + this.#budget.stopIds.size) * this.rows, vocabulary);
    const sums = tensor(
      this.#open.map(({ logProbability }) => logProbability),
      { shape: [beams, 1] },
    ).toDevice(logits.device);
    const all = aten.logSoftmax(logits.to("float32"), -1).add(sums).flatten();
    const [values, places] = aten.topk(all, count).map((found) => found.toNumbers()) as [number[], number[]];
    this.#watch.token();
    const chosen = this.#choose(
      places.map((place, rank) => ({
        beam: Math.floor(place / vocabulary),
        id: place % vocabulary,
        logProbability: values[rank]!,
      })),
    );
    const text = this.isFinished ? this.best().text : "";
    return { text, ids: chosen.map(({ id }) => id), parents: chosen.map(({ beam }) => beam) };
  }

  /** Takes the best continuations, likeliest first. */
  #choose(candidates: readonly Candidate[]): readonly Candidate[] {
    const answer = ({ beam, id }: Candidate) => [...this.#open[beam]!.tokenIds, id];
    const isEnd = candidates.map((candidate) => this.#isEnd(answer(candidate)));
    for (const [rank, candidate] of candidates.slice(0, this.rows).entries())
      if (isEnd[rank]) this.#end(answer(candidate), candidate.logProbability);
    const going = candidates.filter((_, rank) => !isEnd[rank]).slice(0, this.rows);
    const lost = { ...(going.at(-1) ?? candidates[0]!), logProbability: LOST };
    const next = [...going, ...Array<Candidate>(this.rows - going.length).fill(lost)];
    this.#open = next.map((candidate) => ({
      tokenIds: answer(candidate),
      logProbability: candidate.logProbability,
    }));
    const length = this.#open[0]!.tokenIds.length;
    const best = this.#open[0]!.logProbability / length ** this.#lengthPenalty;
    const worst = this.#ended.length < this.rows ? -Infinity : this.#ended.at(-1)!.score;
    const isFull = length >= this.#budget.maxTokens;
    if (isFull) for (const beam of this.#open) this.#end(beam.tokenIds, beam.logProbability);
    if (isFull || worst >= best || going.length === 0)
      this.#finishReason = this.#isEnd(this.#ended[0]!.tokenIds) ? "stop" : "length";
    return next;
  }

  #isEnd(tokenIds: readonly number[]): boolean {
    const { stopIds, stopStrings } = this.#budget;
    if (stopIds.has(tokenIds.at(-1)!)) return true;
    return (
      stopStrings.length > 0 && new StopStrings(stopStrings).push(this.#tokenizer.decode(tokenIds)).stopped
    );
  }

  /** Best first, no more than there are beams. */
  #end(tokenIds: readonly number[], logProbability: number): void {
    const score = logProbability / tokenIds.length ** this.#lengthPenalty;
    this.#ended = [...this.#ended, { tokenIds, score }]
      .sort((one, other) => other.score - one.score)
      .slice(0, this.rows);
  }

  abort(): string {
    const { tokenIds, logProbability } = this.#open[0]!;
    if (tokenIds.length > 0) this.#end(tokenIds, logProbability);
    this.#finishReason = "aborted";
    return this.best().text;
  }

  best(): BeamAnswer {
    const { tokenIds, score } = this.#ended[0] ?? { tokenIds: [], score: 0 };
    const isEnded = this.#budget.stopIds.has(tokenIds.at(-1)!);
    const text = this.#tokenizer.decode(isEnded ? tokenIds.slice(0, -1) : tokenIds);
    const stops = new StopStrings(this.#budget.stopStrings);
    return { text: stops.push(text).text + stops.flush(), tokenIds, score };
  }

  output(): GenerationOutput {
    const { text, tokenIds, score } = this.best();
    return {
      text,
      tokenIds,
      promptTokens: this.promptIds.length,
      imageTokens: this.#budget.imageTokens,
      finishReason: this.#finishReason!,
      timings: this.#watch.timings(tokenIds.length),
      score,
    };
  }
}

/** A search draws nothing, and the sums that it compares are those of the model's own probabilities. */
function refuseSampling({
  temperature = 0,
  topK = 0,
  topP = 1,
  minP = 0,
  repetitionPenalty = 1,
}: GenerationInput): void {
  const changed = Object.entries({
    temperature: temperature !== 0,
    topK: topK !== 0,
    topP: topP !== 1,
    minP: minP !== 0,
    repetitionPenalty: repetitionPenalty !== 1,
  }).flatMap(([name, isChanged]) => (isChanged ? name : []));
  if (changed.length === 0) return;
  throw new LlavaError(
    "usage",
    `${changed.join(" and ")} ${changed.length > 1 ? "have" : "has"} no place in a beam search`,
    {
      hint: "It takes the likeliest answer that it finds. Leave beams out to draw one.",
    },
  );
}
