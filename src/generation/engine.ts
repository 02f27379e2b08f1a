import { LlavaError } from "../errors.ts";
import type { Llava, Visual } from "../models/index.ts";
import { type CachePiece, type CacheRow, CacheStep, type KeyValueCache, KeyValuePool } from "../nn/index.ts";
import type { ImageLayout } from "../processing/image/index.ts";
import { cat, inference, keep, longTensor, scope, type Tensor } from "../torch/index.ts";
import { RecordedPass } from "./recorded-pass.ts";
import type { Decoding, NextLogits } from "./sequence.ts";

/** What a sequence said in a step, or why it cannot go on. */
export interface Emitted<S extends Decoding = Decoding> {
  readonly sequence: S;
  /** May be empty: a token is not always the end of a character. */
  readonly text: string;
  readonly error?: LlavaError;
}

export interface EngineOptions {
  /** Tokens of prompts that a step reads at most; 512. */
  readonly prefillChunk?: number | undefined;
  /** Whether steps in which the rows of a cache all go on by a token are recorded and repeated (see `RecordedPass`); no. */
  readonly recordsSteps?: boolean | undefined;
}

/** Steps alike after which one is recorded: recording takes as long as a few. */
const ALIKE = 4;

/** Where a sequence stands. */
interface Place {
  /** Of the prompt [1, T, D], until all of it is in the cache; with the answer so far, where that was released. */
  embeddings: Tensor | undefined;
  /** None before its first step. */
  rows: readonly CacheRow[];
  /** Tokens of each row that the cache does not hold yet. */
  next: readonly number[];
}

/** A row's part of a step. */
interface Piece extends CachePiece {
  readonly place: Place;
  /** Whether what follows it is chosen. */
  readonly isLast: boolean;
}

/** How images were cut, also where each is one tile and nobody says so. */
function layoutsOf(visual: Visual): readonly ImageLayout[] {
  const tiles = "pixels" in visual ? visual.pixels : visual.features;
  return visual.layouts ?? Array.from({ length: tiles.size(0) }, () => ({ tiles: "whole", size: undefined }));
}

/**
 * Runs sequences beside each other, each as if it were alone. They come and go between steps: a step reads on in the prompts
 * that are not read yet, as far as its budget goes, and lets all others go on by a token, in one pass of the language model.
 */
export class Engine<S extends Decoding = Decoding> implements Disposable {
  readonly #model: Llava;
  readonly #prefillChunk: number;
  readonly #recordsSteps: boolean;
  #recorded: RecordedPass | undefined;
  /** The cache whose rows alone went on in the last steps, and in how many. */
  #alike: { readonly cache: KeyValueCache; steps: number } | undefined;
  readonly #pool: KeyValuePool;
  /** In the order of their admission. */
  readonly #places = new Map<S, Place>();

  /** @throws LlavaError "usage" for a chunk that is none */
  constructor(model: Llava, { prefillChunk = 512, recordsSteps = false }: EngineOptions = {}) {
    if (!(Number.isInteger(prefillChunk) && prefillChunk > 0))
      throw new LlavaError("usage", `prefillChunk must be a whole number above 0, got ${prefillChunk}`);
    this.#model = model;
    this.#prefillChunk = prefillChunk;
    this.#recordsSteps = recordsSteps;
    this.#pool = new KeyValuePool((size) => model.languageModel.newCache(size));
  }

  /** Sequences under way. */
  get size(): number {
    return this.#places.size;
  }

  /** Positions that its caches have room for, over all rows. */
  get capacity(): number {
    return this.#pool.capacity;
  }

  /** Positions of a sequence that the cache holds, in the longest of its rows. */
  cached(sequence: S): number {
    const rows = this.#places.get(sequence)?.rows ?? [];
    return Math.max(0, ...rows.map(({ cache, row }) => cache.lengths[row]!));
  }

  /**
   * Takes a sequence in; the next step begins with it. One that was released goes on where it stopped.
   * @throws LlavaError "usage" for one that is here already or has ended
   */
  admit(sequence: S): void {
    if (this.#places.has(sequence) || sequence.isFinished)
      throw new LlavaError(
        "usage",
        `a sequence ${sequence.isFinished ? "that has ended" : "under way"} is admitted`,
        {
          hint: "Each answer is a sequence of its own.",
        },
      );
    this.#places.set(sequence, { embeddings: undefined, rows: [], next: [] });
  }

  /** Lets a sequence go, ended or not, and takes back its memory. One that is not here changes nothing. */
  release(sequence: S): void {
    const place = this.#places.get(sequence);
    if (place === undefined) return;
    this.#places.delete(sequence);
    place.embeddings?.dispose();
    if (place.rows.some(({ cache }) => cache === this.#alike?.cache)) this.#forgetRecorded();
    for (const row of place.rows) this.#pool.give(row);
  }

  /** What came of one pass; a sequence that it ended is released. Nothing to do: nothing. */
  step(): Emitted<S>[] {
    const emitted: Emitted<S>[] = [];
    if (this.size === 0) return emitted;
    inference(() =>
      scope(() => {
        this.#begin([...this.#places].filter(([, { rows }]) => rows.length === 0));
        const logits = this.#forward(this.#pieces());
        for (const [sequence, place] of this.#places) {
          const next = logits.get(place);
          if (next !== undefined) emitted.push(this.#goOn(sequence, place, next));
        }
      }),
    );
    for (const { sequence, error } of emitted)
      if (error !== undefined || sequence.isFinished) this.release(sequence);
    return emitted;
  }

  /** Sees the images of sequences that are new, embeds their prompts and gives them rows. */
  #begin(fresh: readonly (readonly [S, Place])[]): void {
    if (fresh.length === 0) return;
    const ids = fresh.flatMap(([{ promptIds }]) => promptIds);
    const visual = this.#together(fresh.flatMap(([{ visual }]) => visual ?? []));
    const prompts = this.#model.embed(this.#tensor(ids), visual); // [1, ΣT, D]
    const rows = this.#pool.take(fresh.map(([{ rows, capacity }]) => ({ rows, capacity })));
    let start = 0;
    for (const [index, [sequence, place]] of fresh.entries()) {
      for (const { cache, row } of rows[index]!) cache.setRopeFactor(row, sequence.ropeFactor);
      const end = start + sequence.promptIds.length;
      const prompt = prompts.slice(1, start, end);
      // Apart from the prompt: a model may say the id that stands for an image.
      const said = sequence.resume();
      place.embeddings = keep(
        said.length > 0 ? cat([prompt, this.#model.embed(this.#tensor(said))], 1) : prompt,
      );
      place.rows = rows[index]!;
      start = end;
    }
  }

  /** Images of several prompts as those of one. */
  #together(visuals: readonly Visual[]): Visual | undefined {
    if (visuals.length < 2) return visuals[0];
    const layouts = visuals.flatMap(layoutsOf);
    const pixels = visuals.flatMap((visual) => ("pixels" in visual ? visual.pixels : []));
    if (pixels.length === visuals.length) return { pixels: cat(pixels), layouts };
    const seen = visuals.map((visual) =>
      "pixels" in visual ? this.#model.encodeImages(visual.pixels) : visual.features,
    );
    return { features: cat(seen), layouts };
  }

  /** Sequences that go on, as their rows lie in the caches, and then prompts. */
  #pieces(): Piece[] {
    const going: Piece[] = [];
    const reading: Piece[] = [];
    let budget = this.#prefillChunk;
    for (const place of this.#places.values()) {
      const [first] = place.rows as [CacheRow];
      if (place.embeddings === undefined)
        going.push(...place.rows.map((row) => ({ ...row, tokens: 1, place, isLast: true })));
      else if (budget > 0) {
        const left = place.embeddings.size(1) - first.cache.lengths[first.row]!;
        const tokens = Math.min(budget, left);
        reading.push({ ...first, tokens, place, isLast: tokens === left });
        budget -= tokens;
      }
    }
    return [...this.#pool.inOrder(going), ...this.#pool.inOrder(reading)];
  }

  /** One pass over the pieces; → logits of what follows those that are the last of a prompt or an answer. */
  #forward(pieces: readonly Piece[]): Map<Place, NextLogits> {
    const { languageModel } = this.#model;
    const going = pieces.filter(({ place }) => place.embeddings === undefined);
    const read = pieces.slice(going.length).map(({ cache, row, tokens, place }) => {
      const start = cache.lengths[row]!;
      return place.embeddings!.slice(1, start, start + tokens);
    });
    const ids = going.map(({ row, place }) => place.next[row - place.rows[0]!.row]!);
    const recorded = this.#recordsSteps ? this.#recordedFor(pieces) : undefined;
    if (recorded !== undefined) return nextLogits(recorded.run(ids), pieces);
    const parts = ids.length > 0 ? [this.#model.embed(this.#tensor(ids)), ...read] : read; // each [1, T, D]
    const step = new CacheStep(pieces);
    const embeddings = (parts.length === 1 ? parts[0]! : cat(parts, 1)).reshape([...step.shape, -1]);
    const hidden = languageModel.forward(embeddings, { cache: step }).flatten(0, 1); // [ΣT, D]
    for (const { place, isLast } of pieces.slice(going.length))
      if (isLast) {
        place.embeddings!.dispose();
        place.embeddings = undefined;
      }
    const chosen = pieces.filter(({ isLast }) => isLast);
    if (chosen.length === 0) return new Map();
    let end = -1;
    const ends = pieces.flatMap(({ tokens, isLast }) => {
      end += tokens;
      return isLast ? [end] : [];
    });
    const last =
      ends.length === hidden.size(0) ? hidden : hidden.indexSelect(0, this.#tensor(ends).flatten());
    return nextLogits(languageModel.logits(last), chosen);
  }

  /** What stands for a pass over these pieces, where they are all rows of one cache, again and again. */
  #recordedFor(pieces: readonly Piece[]): RecordedPass | undefined {
    const { cache } = pieces[0]!;
    const isWhole =
      pieces.length === cache.lengths.length &&
      pieces.every((piece) => piece.cache === cache && piece.place.embeddings === undefined);
    if (!isWhole || cache !== this.#alike?.cache) this.#forgetRecorded();
    if (!isWhole) return undefined;
    this.#alike ??= { cache, steps: 0 };
    if (++this.#alike.steps > ALIKE && RecordedPass.fits(cache))
      this.#recorded ??= new RecordedPass(this.#model.languageModel, cache);
    return this.#recorded;
  }

  #forgetRecorded(): void {
    this.#recorded?.[Symbol.dispose]();
    this.#recorded = undefined;
    this.#alike = undefined;
  }

  #goOn(sequence: S, place: Place, logits: NextLogits): Emitted<S> {
    try {
      const { text, ids, parents } = sequence.next(logits);
      place.next = ids;
      const [{ cache, row: first }] = place.rows as [CacheRow];
      if (parents?.some((parent, at) => parent !== at) && !sequence.isFinished)
        cache.copyRows(
          cache,
          parents.map((parent) => first + parent),
          first,
        );
      return { sequence, text };
    } catch (error) {
      if (error instanceof LlavaError) return { sequence, text: "", error };
      throw error;
    }
  }

  /** int64 [1, T] where the model computes. */
  #tensor(ids: readonly number[]): Tensor {
    return longTensor(ids, [1, ids.length]).toDevice(this.#model.languageModel.device);
  }

  [Symbol.dispose](): void {
    for (const sequence of [...this.#places.keys()]) this.release(sequence);
    this.#forgetRecorded();
    this.#pool[Symbol.dispose]();
  }
}

/** Logits [N, V] of pieces, given to the places that they belong to; the likeliest of all are looked up at once. */
function nextLogits(logits: Tensor, pieces: readonly Piece[]): Map<Place, NextLogits> {
  let likeliest: readonly number[] | undefined;
  const places = Map.groupBy(pieces.keys(), (index) => pieces[index]!.place);
  const parts = Array.from(places, ([place, [first, ...others]]): [Place, NextLogits] => [
    place,
    {
      get tensor() {
        return logits.slice(0, first!, first! + 1 + others.length);
      },
      get likeliest() {
        likeliest ??= logits.argmax(-1).toNumbers();
        return likeliest[first!]!;
      },
    },
  ]);
  return new Map(parts);
}
