import { setImmediate } from "node:timers/promises";
import { BeamSequence } from "./beam-search.ts";
import { Engine } from "./engine.ts";
import type { GenerationInput, GenerationOptions, TextGenerator } from "./input.ts";
import type { BatchPart, GenerationPart } from "./output.ts";
import { type Decoding, Sequence } from "./sequence.ts";

/**
 * Answers one prompt, token by token.
 * @throws LlavaError "prompt" for a prompt that does not fit the context, before anything is computed
 */
export async function* generate(
  generator: TextGenerator,
  input: GenerationInput,
  options: GenerationOptions = {},
): AsyncGenerator<GenerationPart, void, undefined> {
  for await (const { part } of generateBatch(generator, [input], options)) yield part;
}

/**
 * Answers several prompts side by side, each as it would be answered alone, with a sampler of its own. The event loop gets
 * a turn every few milliseconds; an abort ends all unfinished answers with what they have.
 * @throws LlavaError "prompt" for a prompt that does not fit the context, before anything is computed
 */
export async function* generateBatch(
  generator: TextGenerator,
  inputs: readonly GenerationInput[],
  options: GenerationOptions = {},
): AsyncGenerator<BatchPart, void, undefined> {
  using engine = new Engine(generator.model, options);
  const sequences = inputs.map((input) => decodingOf(generator, input));
  yield* runAll(engine, sequences, options.signal);
}

/** @throws LlavaError "usage" for settings that are wrong, "prompt" for a prompt that leaves no room */
export const decodingOf = (generator: TextGenerator, input: GenerationInput): Decoding =>
  input.beams === undefined && input.lengthPenalty === undefined
    ? new Sequence(generator, input)
    : new BeamSequence(generator, input);

/** Admits all sequences to an engine and steps until they are finished. Parts carry their index among them. */
export async function* runAll(
  engine: Engine,
  sequences: readonly Decoding[],
  signal: AbortSignal | undefined,
): AsyncGenerator<BatchPart, void, undefined> {
  const rows = new Map(sequences.map((sequence, row) => [sequence, row]));
  const pause = pauses();
  if (!signal?.aborted) for (const sequence of sequences) engine.admit(sequence);
  while (engine.size > 0 && !signal?.aborted) {
    for (const { sequence, text, error } of engine.step()) {
      if (error !== undefined) throw error;
      yield* partsOf(rows.get(sequence)!, sequence, text);
    }
    if (engine.size > 0) await pause();
  }
  for (const [row, sequence] of sequences.entries())
    if (!sequence.isFinished) yield* partsOf(row, sequence, sequence.abort());
}

function* partsOf(row: number, sequence: Decoding, text: string): Generator<BatchPart> {
  if (text !== "") yield { row, part: { type: "text-delta", text } };
  if (sequence.isFinished) yield { row, part: { type: "finish", output: sequence.output() } };
}

/** Gives the event loop a turn when it had none for some milliseconds, so that signals and other work get through. */
function pauses(interval = 5): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < interval) return;
    await setImmediate();
    last = performance.now();
  };
}
