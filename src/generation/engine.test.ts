import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { randomize, tinyText } from "../../test/support/random-model.ts";
import { Llama, Llava } from "../models/index.ts";
import { loadCheckpoint } from "../pretrained/index.ts";
import { liveTensors } from "../torch/index.ts";
import { BeamSequence } from "./beam-search.ts";
import { type Emitted, Engine } from "./engine.ts";
import type { GenerationInput, TextGenerator } from "./input.ts";
import { type PromptInputs, preparePrompt } from "./prompt.ts";
import { type Continuation, type Decoding, type NextLogits, Sequence } from "./sequence.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/llava/", import.meta.url));

/** A sequence that remembers the logits that it chose from. */
class Watched extends Sequence {
  readonly logits: Float32Array[] = [];
  override next(logits: NextLogits): Continuation {
    this.logits.push(logits.tensor.toFloat32Array());
    return super.next(logits);
  }
}

function finish(engine: Engine, steps = 1000): void {
  for (let step = 0; engine.size > 0; step++) {
    assert.ok(step < steps, "the engine comes to an end");
    for (const { error } of engine.step()) if (error !== undefined) throw error;
  }
}

function alone(generator: TextGenerator, input: GenerationInput): Watched {
  const sequence = new Watched(generator, input);
  using engine = new Engine(generator.model);
  engine.admit(sequence);
  finish(engine);
  return sequence;
}

/** Float32 sums of the tiny models in another order differ by about 1e-6. */
function assertSameLogits(sequence: Watched, expected: Watched): void {
  for (const [step, row] of sequence.logits.entries()) {
    let largest = 0;
    for (const [id, value] of row.entries()) {
      const difference = Math.abs(value - expected.logits[step]![id]!);
      if (!(difference <= largest)) largest = difference; // not a number: a difference
    }
    assert.ok(largest < 1e-4, `logits of token ${step} differ by ${largest}`);
  }
}

/** When a sequence comes, when it is made to go, and what it asks. */
interface Visit {
  readonly admitted: number;
  readonly released: number;
  readonly returns: boolean;
  readonly input: GenerationInput;
}

function visits(prompts: readonly PromptInputs[]): fc.Arbitrary<Visit[]> {
  const text = fc.integer({ min: 1, max: 180 }).map((length) => ({
    inputIds: Array.from({ length }, (_, i) => 5 + ((i * 13 + length * 7) % 90)),
  }));
  const prompt = fc.oneof(
    text,
    fc.constantFrom(...prompts.map(({ inputIds, pixelValues }) => ({ inputIds, pixelValues }))),
  );
  const sampling = fc.oneof(
    fc.constant({}),
    fc.record({ temperature: fc.constant(1), topK: fc.constantFrom(0, 20), seed: fc.nat(9) }),
    fc.constant({ repetitionPenalty: 1.3 }),
  );
  const visit = fc.record({
    admitted: fc.nat(12),
    released: fc.oneof({ weight: 3, arbitrary: fc.constant(1000) }, fc.nat(20)),
    returns: fc.boolean(),
    input: fc
      .tuple(prompt, sampling, fc.integer({ min: 1, max: 20 }))
      .map(
        ([asked, drawn, maxTokens]): GenerationInput =>
          ({ ...asked, ...drawn, maxTokens, ignoreEos: true }) as GenerationInput,
      ),
  });
  return fc.array(visit, { minLength: 1, maxLength: 6 });
}

for (const name of ["llama", "llama-gqa-full", "qwen2"])
  describe(`checkpoint ${name}`, async () => {
    const pretrained = await loadCheckpoint(`${fixtures}${name}`);
    const image = `${fixtures}images/wide.png`;
    const prompts = await Promise.all(
      ["<image> What?", "Why is this <image> here, and not <image> there?"].map((raw) =>
        preparePrompt(pretrained, { raw, images: Array(raw.split("<image>").length - 1).fill(image) }),
      ),
    );
    after(() => pretrained[Symbol.dispose]());

    test("sequences that come and go at any step say what they say alone", () => {
      const before = liveTensors();
      fc.assert(
        fc.property(
          visits(prompts),
          fc.constantFrom(1, 7, 64, 512),
          fc.boolean(),
          (visitors, prefillChunk, recordsSteps) => {
            using engine = new Engine<Watched>(pretrained.model, { prefillChunk, recordsSteps });
            const guests = visitors.map((visit) => ({
              ...visit,
              sequence: new Watched(pretrained, visit.input),
            }));
            for (let step = 0; step <= 20 || engine.size > 0; step++) {
              for (const { sequence, admitted, released, returns } of guests) {
                if (step === admitted) engine.admit(sequence);
                if (step === released) engine.release(sequence);
                // It was away for a step, and goes on where it stopped.
                if (step === released + 1 && step > admitted + 1 && returns && !sequence.isFinished)
                  engine.admit(sequence);
              }
              for (const { error } of engine.step()) assert.equal(error, undefined);
            }
            assert.equal(engine.capacity, 0, "all memory came back");
            for (const { sequence, input, released, returns } of guests) {
              const expected = alone(pretrained, input);
              const { tokenIds, text } = sequence.answer;
              assert.deepEqual(tokenIds, expected.answer.tokenIds.slice(0, tokenIds.length));
              assert.ok(expected.answer.text.startsWith(text));
              if (released === 1000 || (returns && sequence.isFinished))
                assert.equal(text, expected.answer.text);
              assertSameLogits(sequence, expected);
            }
          },
        ),
        { seed: 11, numRuns: 25 },
      );
      assert.equal(liveTensors(), before);
    });
  });

describe("an engine", async () => {
  const pretrained = await loadCheckpoint(`${fixtures}llama-gqa-full`);
  after(() => pretrained[Symbol.dispose]());
  const input = (
    length: number,
    maxTokens: number,
    more: Partial<GenerationInput> = {},
  ): GenerationInput => ({
    inputIds: Array.from({ length }, (_, i) => 5 + ((i * 11) % 90)),
    maxTokens,
    ignoreEos: true,
    ...more,
  });

  test("the same prompt many times is answered alike; seeds are each one's own", () => {
    const seeds = [1, 2, 1, 3];
    const sequences = seeds.map((seed) => new Watched(pretrained, input(30, 8, { temperature: 1, seed })));
    using engine = new Engine<Watched>(pretrained.model);
    for (const sequence of sequences) engine.admit(sequence);
    finish(engine as Engine);
    const [first, second, third] = sequences.map(({ answer }) => answer.tokenIds);
    assert.deepEqual(third, first);
    assert.notDeepEqual(second, first);
    for (const [at, seed] of seeds.entries())
      assert.deepEqual(
        sequences[at]!.answer.tokenIds,
        alone(pretrained, input(30, 8, { temperature: 1, seed })).answer.tokenIds,
      );
  });

  test("an answer of one token ends in the step that reads its prompt, and a stop string ends one row alone", () => {
    const whole = alone(pretrained, input(20, 16)).answer.text;
    const stop = [whole.slice(4, 6)];
    const sequences = [input(60, 1), input(20, 16, { stop }), input(20, 16)].map(
      (asked) => new Watched(pretrained, asked),
    );
    using engine = new Engine<Watched>(pretrained.model);
    for (const sequence of sequences) engine.admit(sequence);
    const [{ sequence }] = engine.step() as [Emitted<Watched>];
    assert.deepEqual([sequence.isFinished, sequence.answer.tokenIds.length, engine.size], [true, 1, 2]);
    finish(engine as Engine);
    assert.equal(sequences[1]!.answer.text, whole.slice(0, whole.indexOf(stop[0]!)));
    assert.equal(sequences[1]!.answer.finishReason, "stop");
    assert.equal(sequences[2]!.answer.text, whole);
  });

  test("a step reads as much of the prompts as its budget allows, in the order of their admission", () => {
    using engine = new Engine<Watched>(pretrained.model, { prefillChunk: 16 });
    const [first, second] = [new Watched(pretrained, input(20, 4)), new Watched(pretrained, input(10, 4))];
    engine.admit(first);
    engine.admit(second);
    const cached = () => [engine.cached(first), engine.cached(second)];
    assert.deepEqual([engine.step().length, ...cached()], [0, 16, 0]);
    assert.deepEqual([engine.step().length, ...cached()], [2, 20, 10]);
    assert.deepEqual([engine.step().length, ...cached()], [2, 21, 11]);
    engine.release(first);
    engine.release(first);
    assert.deepEqual([engine.step().length, ...cached()], [1, 0, 12]);
    assert.throws(() => engine.admit(second), { code: "usage" });
    assert.throws(() => new Engine(pretrained.model, { prefillChunk: 0 }), { code: "usage" });
  });

  test("memory is that of the rows under way, whatever the longest needs, and a row that is free is used again", () => {
    using engine = new Engine<Watched>(pretrained.model);
    const [short, long] = [new Watched(pretrained, input(4, 16)), new Watched(pretrained, input(200, 20))];
    engine.admit(short);
    engine.admit(long);
    engine.step();
    assert.equal(engine.capacity, 20 + 220);
    engine.release(long);
    assert.equal(engine.capacity, 20);
    const others = [0, 1].map(() => new Watched(pretrained, input(3, 16)));
    for (const other of others) engine.admit(other);
    engine.step();
    assert.equal(engine.capacity, 20 + 2 * 19);
    engine.release(others[0]!);
    engine.admit(new Watched(pretrained, input(2, 16)));
    engine.step();
    assert.equal(engine.capacity, 20 + 2 * 19);
  });

  test("searches run beside answers that are drawn, and find what they find alone", () => {
    const search = (length: number, beams: number) =>
      new BeamSequence(pretrained, { ...input(length, 10), ignoreEos: false, beams });
    const found = (sequences: readonly Decoding[]) => {
      using engine = new Engine(pretrained.model, { prefillChunk: 24 });
      for (const sequence of sequences) {
        engine.admit(sequence);
        engine.step();
      }
      finish(engine);
      return sequences.map((sequence) => sequence.output().tokenIds);
    };
    const make = [() => search(40, 3), () => new Sequence(pretrained, input(90, 12)), () => search(12, 2)];
    assert.deepEqual(
      found(make.map((sequence) => sequence())),
      make.flatMap((sequence) => found([sequence()])),
    );
  });

  test("one that fails says why and harms nobody", () => {
    class Broken extends Watched {
      override next(logits: NextLogits): Continuation {
        if (this.logits.length === 2) logits.tensor.fill_(Number.NaN);
        return super.next(logits);
      }
    }
    using engine = new Engine<Watched>(pretrained.model);
    const drawn = { temperature: 1, seed: 4 };
    const broken = new Broken(pretrained, input(30, 8, drawn));
    const other = new Watched(pretrained, input(31, 8, drawn));
    engine.admit(broken);
    engine.admit(other);
    const errors = [];
    while (engine.size > 0)
      for (const { sequence, error } of engine.step())
        if (error) errors.push([sequence === broken, error.code]);
    assert.deepEqual(errors, [[true, "torch"]]);
    assert.deepEqual(other.answer.tokenIds, alone(pretrained, input(31, 8, drawn)).answer.tokenIds);
  });

  test("a model with a sliding window answers as far as the window goes", () => {
    const { visionTower, projector, imageTokenId } = pretrained.model;
    const languageModel = randomize(new Llama({ ...tinyText, slidingWindow: 40 }), 5);
    const model = new Llava({ visionTower, projector, languageModel, imageTokenId });
    const generator = { ...pretrained, model };
    const asked = [30, 8].map((length) => ({
      inputIds: Array.from({ length }, (_, i) => (i * 7) % 48),
      maxTokens: 100,
      ignoreEos: true,
    }));
    const sequences = asked.map((each) => new Watched(generator, each));
    using engine = new Engine<Watched>(model);
    for (const sequence of sequences) engine.admit(sequence);
    finish(engine as Engine);
    for (const [at, { answer }] of sequences.entries()) {
      assert.equal(answer.tokenIds.length, 40 - asked[at]!.inputIds.length);
      assert.deepEqual(answer.tokenIds, alone(generator, asked[at]!).answer.tokenIds);
    }
    assert.throws(() => new Sequence(generator, input(40, 1)), /holds 40/);
  });
});
