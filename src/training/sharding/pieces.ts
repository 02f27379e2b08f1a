import { LlavaError } from "../../errors.ts";
import { noGrad, scope, type Tensor } from "../../torch/index.ts";

/** What a tensor of a checkpoint is: a whole one, or the elements [from, to) of one. */
interface Range {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

const pattern = /^(.*)\[(\d+):(\d+)\](.*)$/;

function rangeOf(name: string, elements: number): Range {
  const match = pattern.exec(name);
  if (match === null) return { name, from: 0, to: elements };
  return { name: match[1]! + match[4]!, from: Number(match[2]), to: Number(match[3]) };
}

/** Whether tensors by these names are pieces of others. */
export const areInPieces = (names: Iterable<string>): boolean =>
  [...names].some((name) => pattern.test(name));

/**
 * Copies values by name, whatever pieces they are kept in and are wanted in. Steps of an optimizer, which every piece of a
 * weight has, are taken from any.
 * @throws LlavaError "checkpoint" naming what is not there in full
 */
export function copyPieces(
  saved: ReadonlyMap<string, Tensor>,
  into: ReadonlyMap<string, Tensor>,
  where: string,
): void {
  const known = Map.groupBy(
    [...saved].map(([name, tensor]) => ({ ...rangeOf(name, tensor.elements), tensor })),
    ({ name }) => name,
  );
  for (const [name, tensor] of into) {
    const wanted = rangeOf(name, tensor.elements);
    const sources = known.get(wanted.name) ?? [];
    const copied = scope(() => noGrad(() => copyRange(sources, wanted, tensor)));
    if (copied < tensor.elements)
      throw new LlavaError(
        "checkpoint",
        `${where} has ${copied} of the ${tensor.elements} numbers of ${name}`,
        { hint: "Take a checkpoint of the same model, with the files of all its ranks." },
      );
  }
}

/** How many numbers were there. */
function copyRange(
  sources: readonly (Range & { readonly tensor: Tensor })[],
  { from, to }: Range,
  into: Tensor,
): number {
  const isScalar = into.shape.length === 0;
  if (isScalar) {
    if (sources.length > 0) into.copy_(sources[0]!.tensor);
    return Math.min(sources.length, 1);
  }
  let copied = 0;
  for (const source of sources) {
    const [start, end] = [Math.max(from, source.from), Math.min(to, source.to)];
    if (start >= end) continue;
    const values = source.tensor.flatten().slice(0, start - source.from, end - source.from);
    into
      .view([-1])
      .slice(0, start - from, end - from)
      .copy_(values);
    copied += end - start;
  }
  return copied;
}
