import { type Continuation, Sampler } from "../../generation/index.ts";
import type { Llava } from "../../models/index.ts";
import { PAGE, PagedStep, type PageStore } from "../../nn/index.ts";
import { aten, cat, inference, longTensor, rowsApart, scope, type Tensor } from "../../torch/index.ts";
import type { Choice } from "./choice.ts";

/** So many positions of a choice, after those that it has. */
export interface Portion {
  readonly choice: Choice;
  readonly tokens: number;
}

/** What is seen of each medium of a request's prompt, [T, D]; undefined where its keys and values are cached. */
export type SeenMedia = readonly (Tensor | undefined)[];

/** What came of a portion, where it was the last of its choice. */
export type Outcome = { readonly choice: Choice } & (
  | { readonly continuation: Continuation }
  | { readonly error: unknown }
);

/** Takes the likeliest token, the first of equals. */
const greedy = new Sampler();

/**
 * One pass of the language model over portions in a row, each computed as if it were alone; → how the choices go on whose last
 * token was among them.
 */
export function pass(
  model: Llava,
  store: PageStore,
  portions: readonly Portion[],
  seen: (choice: Choice) => SeenMedia,
): Outcome[] {
  return inference(() =>
    scope(() =>
      rowsApart((): Outcome[] => {
        const { languageModel } = model;
        const step = new PagedStep(
          store,
          portions.map(({ choice, tokens }) => ({
            pages: choice.pages,
            start: choice.computed,
            tokens,
            ropeFactor: choice.task.input.ropeFactor,
          })),
        );
        const hidden = languageModel.forward(embed(model, portions, seen), { cache: step }).flatten(0, 1); // [ΣT, D]
        let end = -1;
        const ends: number[] = [];
        const chosen: Choice[] = [];
        for (const { choice, tokens } of portions) {
          end += tokens;
          choice.computed += tokens;
          if (choice.computed < choice.length) continue;
          ends.push(end);
          chosen.push(choice);
        }
        if (chosen.length === 0) return [];
        const last = hidden.indexSelect(0, longTensor(ends).toDevice(languageModel.device));
        const logits = languageModel.logits(last); // [N, V]
        let likeliest: readonly number[] | undefined;
        return chosen.map((choice, row) =>
          choose(choice, logits.slice(0, row, row + 1), () => {
            likeliest ??= aten.likeliest(logits).toNumbers();
            return likeliest[row]!;
          }),
        );
      }),
    ),
  );
}

/** @param likeliest the place of the largest logit, the first of equals; negative where one is no finite number */
function choose(choice: Choice, tensor: Tensor, likeliest: () => number): Outcome {
  try {
    const continuation = choice.sequence.next({
      tensor,
      get likeliest() {
        const place = likeliest();
        return place < 0 ? greedy.choose(tensor.toFloat32Array(), []) : place;
      },
    });
    return { choice, continuation };
  } catch (error) {
    return { choice, error };
  }
}

/** [1, ΣT, D]: tokens' embeddings, and what is seen of media in their places. */
function embed(model: Llava, portions: readonly Portion[], seen: (choice: Choice) => SeenMedia): Tensor {
  const { languageModel } = model;
  const rows: Tensor[] = []; // each [T, D]
  let text: number[] = [];
  const endText = () => {
    if (text.length === 0) return;
    const ids = longTensor(text, [1, text.length]).toDevice(languageModel.device);
    rows.push(languageModel.embed(ids).squeeze(0));
    text = [];
  };
  for (const { choice, tokens } of portions) {
    const { places } = choice.task.input;
    const end = choice.computed + tokens;
    for (let at = choice.computed; at < end; ) {
      const index = places.findIndex(({ start, length }) => start + length > at);
      const place = places[index];
      const isSeen = place !== undefined && place.start <= at;
      const stop = Math.min(end, isSeen ? place.start + place.length : (place?.start ?? end));
      if (isSeen) {
        endText();
        rows.push(seen(choice)[index]!.slice(0, at - place.start, stop - place.start));
      } else text.push(...choice.ids(at, stop));
      at = stop;
    }
  }
  endText();
  return (rows.length === 1 ? rows[0]! : cat(rows, 0)).unsqueeze(0);
}

/** Pages that so many positions take. */
export const pagesOf = (positions: number): number => Math.ceil(positions / PAGE);
