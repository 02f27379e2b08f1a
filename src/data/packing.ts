import { fromTyped, type Tensor } from "../torch/index.ts";

/** What all captions of an image share: the ids before them, one `imageTokenId` for every feature row. */
export interface SharedPrefix {
  readonly prefix: readonly number[];
  /** Token ids of each caption, the end token last. Each follows the prefix as if the others were not there. */
  readonly continuations: readonly (readonly number[])[];
}

/** Several samples side by side in `rows` rows, kept apart by positions and mask. */
export interface PackedBatch {
  /** int64 [rows, T] */
  readonly inputIds: Tensor;
  /** int64 [rows, T]; they start at 0 in every sample, and again behind the prefix for every continuation. */
  readonly positions: Tensor;
  /** bool [rows, 1, T, T]: true where the query (second to last dimension) sees the key. */
  readonly mask: Tensor;
  /** int64 [S]: indices into the rows laid end to end whose hidden states predict a target. */
  readonly supervised: Tensor;
  /** int64 [S]; −100 in the padding. */
  readonly targets: Tensor;
  /** Targets that are not padding. */
  readonly units: number;
  /** The samples in the order in which their prefixes stand in the rows. */
  readonly order: readonly number[];
  /** Tokens that are not padding. */
  readonly tokens: number;
}

/**
 * T and S are rounded up to multiples of these: libtorch's CPU kernels are compiled, and kept, for every shape they
 * meet, and a run of ever new shapes would spend its time and memory on that.
 */
const [widthStep, targetStep] = [16, 64];

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/**
 * Lays samples into rows of about equal length (longest first, each into the shortest row). A continuation is fed
 * without its last id, which is only predicted; the first id of each is predicted by the end of the prefix.
 */
export function packShared(samples: readonly SharedPrefix[], rows: number): PackedBatch {
  const lengths = samples.map(
    ({ prefix, continuations }) =>
      prefix.length + continuations.reduce((sum, ids) => sum + ids.length - 1, 0),
  );
  const bins = fillRows(lengths, Math.min(rows, samples.length));
  const longest = Math.max(...bins.map((bin) => bin.reduce((sum, sample) => sum + lengths[sample]!, 0)));
  const width = roundUp(longest, widthStep);
  const inputIds = new BigInt64Array(bins.length * width);
  const positions = new BigInt64Array(bins.length * width);
  const mask = new Uint8Array(bins.length * width * width);
  const supervised: bigint[] = [];
  const targets: bigint[] = [];

  bins.forEach((bin, row) => {
    let at = 0;
    const see = (query: number, from: number, to: number) => {
      const start = (row * width + query) * width;
      mask.fill(1, start + from, start + to);
    };
    for (const sample of bin) {
      const { prefix, continuations } = samples[sample]!;
      const start = at;
      const put = (id: number, position: number) => {
        inputIds[row * width + at] = BigInt(id);
        positions[row * width + at] = BigInt(position);
        at++;
      };
      for (const [i, id] of prefix.entries()) {
        see(at, start, at + 1);
        put(id, i);
      }
      const behindPrefix = at;
      for (const ids of continuations) {
        const first = at;
        for (const [i, id] of ids.entries()) {
          supervised.push(BigInt(row * width + (i === 0 ? behindPrefix - 1 : at - 1)));
          targets.push(BigInt(id));
          if (i === ids.length - 1) break;
          see(at, start, behindPrefix);
          see(at, first, at + 1);
          put(id, prefix.length + i);
        }
      }
    }
    // Padding sees itself: a query that sees nothing would be NaN.
    for (; at < width; at++) see(at, at, at + 1);
  });

  const units = targets.length;
  while (targets.length % targetStep !== 0) {
    supervised.push(0n);
    targets.push(-100n);
  }
  const long = (data: BigInt64Array, shape: readonly number[]) => fromTyped(data, { dtype: "int64", shape });
  return {
    inputIds: long(inputIds, [bins.length, width]),
    positions: long(positions, [bins.length, width]),
    mask: fromTyped(mask, { dtype: "bool", shape: [bins.length, 1, width, width] }),
    supervised: long(BigInt64Array.from(supervised), [supervised.length]),
    targets: long(BigInt64Array.from(targets), [targets.length]),
    units,
    order: bins.flat(),
    tokens: lengths.reduce((sum, length) => sum + length, 0),
  };
}

function fillRows(lengths: readonly number[], rows: number): number[][] {
  const bins = Array.from({ length: rows }, () => ({ length: 0, samples: [] as number[] }));
  const longestFirst = lengths
    .map((length, sample) => ({ length, sample }))
    .sort((a, b) => b.length - a.length);
  for (const { length, sample } of longestFirst) {
    const shortest = bins.reduce((best, bin) => (bin.length < best.length ? bin : best));
    shortest.samples.push(sample);
    shortest.length += length;
  }
  return bins.map(({ samples }) => samples);
}
