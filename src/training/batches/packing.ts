import { type AttentionBlock, type AttentionMask, packedSequences, shortRow } from "../../nn/index.ts";
import { ignoreLabel } from "../../processing/conversation/index.ts";
import { fromTyped, type Tensor } from "../../torch/index.ts";

/** Ids and, at each position, what the model is to predict there: the id itself where it is trained, else −100. */
export interface LabelledIds {
  readonly inputIds: readonly number[];
  readonly labels: readonly number[];
}

/** A sequence, and others that go on from its end as if they were alone: rows that share their image. */
export interface PackingSample extends LabelledIds {
  readonly continuations: readonly LabelledIds[];
}

/** Several samples side by side in rows, kept apart by positions and attention. */
export interface PackedBatch {
  /** int64 [rows, T] */
  readonly inputIds: Tensor;
  /** int64 [rows, T]; they start at 0 in every sample, and behind the prefix in every continuation. */
  readonly positions: Tensor;
  /** In short rows a mask over each, bool [rows, 1, T, T]; otherwise there is one row, of a block for every sample. */
  readonly attention: { readonly mask: Tensor } | { readonly blocks: readonly AttentionBlock[] };
  /** int64 [S]: indices into the rows laid end to end whose hidden states predict a target. */
  readonly supervised: Tensor;
  /** int64 [S]; −100 in the padding. */
  readonly targets: Tensor;
  /** Targets that are not padding. */
  readonly units: number;
  /** The sample, and which of its continuations if it has any, that each of these targets is from. */
  readonly owners: readonly { readonly sample: number; readonly continuation: number }[];
  /** The samples in the order in which they stand in the rows. */
  readonly order: readonly number[];
  /** Tokens that are not padding. */
  readonly tokens: number;
}

/**
 * T and S are rounded up to multiples of these: libtorch's CPU kernels are compiled, and kept, for every shape they
 * meet, and a run of ever new shapes would spend its time and memory on that.
 */
export const [widthStep, targetStep] = [16, 64];

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** Ids that are fed: the last of a sequence is only predicted, unless continuations go on from it. */
const fedLength = ({ inputIds, continuations }: PackingSample): number =>
  continuations.reduce((sum, continuation) => sum + continuation.inputIds.length - 1, inputIds.length) -
  (continuations.length === 0 ? 1 : 0);

/** Lays samples into rows of about equal length, longest first, each into the shortest row; or end to end if those are long. */
export function packSamples(samples: readonly PackingSample[], rows: number): PackedBatch {
  const lengths = samples.map(fedLength);
  const total = (bin: readonly number[]): number => bin.reduce((sum, sample) => sum + lengths[sample]!, 0);
  const widest = (bins: readonly number[][]): number => roundUp(Math.max(...bins.map(total), 1), widthStep);
  const balanced = fillRows(lengths, Math.min(rows, samples.length));
  // Seeing short rows whole costs less than going through their samples one by one.
  const isShort = widest(balanced) <= shortRow;
  const bins = isShort ? balanced : [balanced.flat()];
  const width = widest(bins);
  const inputIds = new BigInt64Array(bins.length * width);
  const positions = new BigInt64Array(bins.length * width);
  const supervised: bigint[] = [];
  const targets: bigint[] = [];
  const owners: PackedBatch["owners"][number][] = [];

  bins.forEach((bin, row) => {
    let at = row * width;
    const put = (id: number, position: number): void => {
      inputIds[at] = BigInt(id);
      positions[at] = BigInt(position);
      at++;
    };
    const predict = (target: number, from: number, sample: number, continuation = 0): void => {
      if (target === ignoreLabel) return;
      supervised.push(BigInt(from));
      targets.push(BigInt(target));
      owners.push({ sample, continuation });
    };
    for (const sample of bin) {
      const { inputIds: ids, labels, continuations } = samples[sample]!;
      const start = at;
      const fed = continuations.length === 0 ? ids.length - 1 : ids.length;
      for (let i = 0; i < fed; i++) put(ids[i]!, i);
      for (let i = 1; i < ids.length; i++) predict(labels[i]!, start + i - 1, sample);
      const prefixEnd = at;
      for (const [number, continuation] of continuations.entries()) {
        const first = at;
        for (let i = 0; i < continuation.inputIds.length - 1; i++)
          put(continuation.inputIds[i]!, ids.length + i);
        for (const [i, label] of continuation.labels.entries())
          predict(label, i === 0 ? prefixEnd - 1 : first + i - 1, sample, number);
      }
    }
  });

  const units = targets.length;
  while (targets.length === 0 || targets.length % targetStep !== 0) {
    supervised.push(0n);
    targets.push(BigInt(ignoreLabel));
  }
  const long = (data: BigInt64Array, shape: readonly number[]) => fromTyped(data, { dtype: "int64", shape });
  const binned = bins.map((bin) => bin.map((sample) => samples[sample]!));
  return {
    inputIds: long(inputIds, [bins.length, width]),
    positions: long(positions, [bins.length, width]),
    attention: isShort ? { mask: maskOf(binned, width) } : { blocks: blocksOf(binned[0]!, width) },
    supervised: long(BigInt64Array.from(supervised), [supervised.length]),
    targets: long(BigInt64Array.from(targets), [targets.length]),
    units,
    owners,
    order: bins.flat(),
    tokens: total(bins.flat()),
  };
}

export const masksOf = (attention: PackedBatch["attention"]): Tensor[] =>
  "mask" in attention ? [attention.mask] : attention.blocks.flatMap(({ mask }) => mask ?? []);

export function placeAttention(
  attention: PackedBatch["attention"],
  device: string,
): PackedBatch["attention"] & AttentionMask {
  if ("mask" in attention) return { mask: attention.mask.toDevice(device) };
  const blocks = attention.blocks.map(
    ({ mask, ...block }): AttentionBlock => (mask ? { ...block, mask: mask.toDevice(device) } : block),
  );
  return device === "cpu" ? { blocks } : { blocks, packed: packedSequences(blocks, device) };
}

/** [from, to) of what each fed position of a sample sees, counted from the sample's first. */
function* sightOf({
  inputIds,
  continuations,
}: PackingSample): Iterable<readonly (readonly [number, number])[]> {
  const prefix = continuations.length === 0 ? inputIds.length - 1 : inputIds.length;
  for (let at = 0; at < prefix; at++) yield [[0, at + 1]];
  let first = prefix;
  for (const continuation of continuations) {
    const end = first + continuation.inputIds.length - 1;
    for (let at = first; at < end; at++)
      yield [
        [0, prefix],
        [first, at + 1],
      ];
    first = end;
  }
}

function maskOf(rows: readonly (readonly PackingSample[])[], width: number): Tensor {
  const mask = new Uint8Array(rows.length * width * width);
  rows.forEach((row, i) => {
    let at = 0;
    const see = (from: number, to: number): void => {
      const start = (i * width + at) * width;
      mask.fill(1, start + from, start + to);
    };
    for (const sample of row) {
      const start = at;
      for (const ranges of sightOf(sample)) {
        for (const [from, to] of ranges) see(start + from, start + to);
        at++;
      }
    }
    // Padding sees itself: a query that sees nothing would be NaN.
    for (; at < width; at++) see(at, at + 1);
  });
  return fromTyped(mask, { dtype: "bool", shape: [rows.length, 1, width, width] });
}

function blocksOf(row: readonly PackingSample[], width: number): AttentionBlock[] {
  const blocks = row.map((sample): AttentionBlock => {
    const length = fedLength(sample);
    const { inputIds, continuations } = sample;
    if (continuations.length === 0) return { length };
    const branches = [inputIds.length, ...continuations.map((branch) => branch.inputIds.length - 1)];
    return { length, mask: maskOf([[sample]], length), branches };
  });
  const padding = width - blocks.reduce((sum, { length }) => sum + length, 0);
  return [...blocks, { length: padding }].filter(({ length }) => length > 0);
}

/**
 * Sequences that begin alike and train nothing there, such as questions about one image, as a shared prefix with continuations.
 * The prefix reaches to the first difference, or before the first trained id.
 */
export function sharePrefix(sequences: readonly LabelledIds[]): PackingSample {
  const [first, ...others] = sequences as [LabelledIds, ...LabelledIds[]];
  if (others.length === 0) return { ...first, continuations: [] };
  const differs = (i: number): boolean =>
    sequences.some(({ inputIds, labels }) => inputIds[i] !== first.inputIds[i] || labels[i] !== ignoreLabel);
  let length = 0;
  while (length < first.inputIds.length && !differs(length)) length++;
  const cut = ({ inputIds, labels }: LabelledIds, from: number, to?: number): LabelledIds => ({
    inputIds: inputIds.slice(from, to),
    labels: labels.slice(from, to),
  });
  return { ...cut(first, 0, length), continuations: sequences.map((sequence) => cut(sequence, length)) };
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
