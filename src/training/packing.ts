import { ignoreLabel } from "../processing/conversation/index.ts";
import { fromTyped, type Tensor } from "../torch/index.ts";

/** Ids and, at each position, what the model is to predict there: the id itself where it is trained, else −100. */
export interface LabelledIds {
  readonly inputIds: readonly number[];
  readonly labels: readonly number[];
}

/** A sequence, and others that go on from its end as if they were alone: rows that share their image. */
export interface PackingSample extends LabelledIds {
  readonly branches: readonly LabelledIds[];
}

/** Several samples side by side in `rows` rows, kept apart by positions and mask. */
export interface PackedBatch {
  /** int64 [rows, T] */
  readonly inputIds: Tensor;
  /** int64 [rows, T]; they start at 0 in every sample, and behind the trunk in every branch. */
  readonly positions: Tensor;
  /** bool [rows, 1, T, T]: true where the query (second to last dimension) sees the key. */
  readonly mask: Tensor;
  /** int64 [S]: indices into the rows laid end to end whose hidden states predict a target. */
  readonly supervised: Tensor;
  /** int64 [S]; −100 in the padding. */
  readonly targets: Tensor;
  /** Targets that are not padding. */
  readonly units: number;
  /** The samples in the order in which they stand in the rows. */
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

/** Ids that are fed: the last of a sequence is only predicted, unless branches go on from it. */
const fedLength = ({ inputIds, branches }: PackingSample): number =>
  branches.reduce((sum, branch) => sum + branch.inputIds.length - 1, inputIds.length) -
  (branches.length === 0 ? 1 : 0);

/** Lays samples into rows of about equal length: longest first, each into the shortest row. */
export function packSamples(samples: readonly PackingSample[], rows: number): PackedBatch {
  const lengths = samples.map(fedLength);
  const bins = fillRows(lengths, Math.min(rows, samples.length));
  const longest = Math.max(...bins.map((bin) => bin.reduce((sum, sample) => sum + lengths[sample]!, 0)));
  const width = roundUp(Math.max(longest, 1), widthStep);
  const inputIds = new BigInt64Array(bins.length * width);
  const positions = new BigInt64Array(bins.length * width);
  const mask = new Uint8Array(bins.length * width * width);
  const supervised: bigint[] = [];
  const targets: bigint[] = [];

  bins.forEach((bin, row) => {
    let at = 0;
    const see = (from: number, to: number): void => {
      const start = (row * width + at) * width;
      mask.fill(1, start + from, start + to);
    };
    const put = (id: number, position: number): void => {
      inputIds[row * width + at] = BigInt(id);
      positions[row * width + at] = BigInt(position);
      at++;
    };
    const predict = (target: number, from: number): void => {
      if (target === ignoreLabel) return;
      supervised.push(BigInt(row * width + from));
      targets.push(BigInt(target));
    };
    for (const sample of bin) {
      const { inputIds: ids, labels, branches } = samples[sample]!;
      const start = at;
      const fed = branches.length === 0 ? ids.length - 1 : ids.length;
      for (let i = 0; i < fed; i++) {
        see(start, at + 1);
        put(ids[i]!, i);
      }
      for (let i = 1; i < ids.length; i++) predict(labels[i]!, start + i - 1);
      const trunkEnd = at;
      for (const branch of branches) {
        const first = at;
        for (let i = 0; i < branch.inputIds.length - 1; i++) {
          see(start, trunkEnd);
          see(first, at + 1);
          put(branch.inputIds[i]!, ids.length + i);
        }
        for (const [i, label] of branch.labels.entries())
          predict(label, i === 0 ? trunkEnd - 1 : first + i - 1);
      }
    }
    // Padding sees itself: a query that sees nothing would be NaN.
    for (; at < width; at++) see(at, at + 1);
  });

  const units = targets.length;
  while (targets.length === 0 || targets.length % targetStep !== 0) {
    supervised.push(0n);
    targets.push(BigInt(ignoreLabel));
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

/**
 * Sequences that begin alike and train nothing there, such as questions about one image, as a trunk with branches.
 * The trunk reaches to the first difference, or before the first trained id.
 */
export function shareTrunk(sequences: readonly LabelledIds[]): PackingSample {
  const [first, ...others] = sequences as [LabelledIds, ...LabelledIds[]];
  if (others.length === 0) return { ...first, branches: [] };
  const differs = (i: number): boolean =>
    sequences.some(({ inputIds, labels }) => inputIds[i] !== first.inputIds[i] || labels[i] !== ignoreLabel);
  let length = 0;
  while (length < first.inputIds.length && !differs(length)) length++;
  const cut = ({ inputIds, labels }: LabelledIds, from: number, to?: number): LabelledIds => ({
    inputIds: inputIds.slice(from, to),
    labels: labels.slice(from, to),
  });
  return { ...cut(first, 0, length), branches: sequences.map((sequence) => cut(sequence, length)) };
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
