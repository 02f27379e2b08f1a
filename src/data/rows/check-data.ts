import { basename, resolve } from "node:path";
import { LlavaError } from "../../errors.ts";
import { ignoreLabel } from "../../processing/conversation/index.ts";
import { type Transparency, transparencyNote } from "../../processing/image/index.ts";
import {
  conversationOfRow,
  type EncodedRow,
  type Processor,
  type TurnMarks,
} from "../../processing/processor/index.ts";
import {
  type LlavaRow,
  mediumKey,
  RowError,
  type RowImage,
  type RowProblem,
  rowError,
  sidesOf,
} from "../../protocol/index.ts";
import { type CheckedMedium, checkImage, checkVideo } from "./check-medium.ts";
import { datasetRows } from "./dataset-rows.ts";
import type { Dataset } from "./mixture.ts";

export interface CheckOptions {
  /** Folder that names of images and videos are relative to, where a dataset has none of its own; they are not looked at without it. */
  readonly images?: string;
  /** Makes ids of rows; they are not counted without it. */
  readonly processor?: Processor;
  readonly turnMarks?: TurnMarks;
  /** Longest row, tokens with those of its images. */
  readonly maxTokens: number;
  /** What transparent pixels show; it decides what is told of them. */
  readonly transparency?: Transparency;
  /** Images that are decoded at a time. */
  readonly concurrency: number;
  /** Told of every row that cannot be used, and of a shard that is damaged; may throw to end the check. */
  readonly onProblem: (problem: LlavaError, source: string) => void;
  readonly onRow?: () => void;
  readonly signal?: AbortSignal;
}

/** What a check found in one source: a file's rows about images and videos of one folder, or without. */
export interface SourceReport {
  readonly source: string;
  rows: number;
  /** Rows without a problem. */
  usable: number;
  textOnly: number;
  /** Rows that are pairs of answers, and tokens of their better and worse answers together. */
  pairs: number;
  chosenTokens: number;
  rejectedTokens: number;
  severalImages: number;
  /** Different images and videos, and how many of both are missing or cannot be decoded. */
  images: number;
  videos: number;
  missingImages: number;
  brokenImages: number;
  /** Rows with an image that is not opaque, and those of them with one that looks otherwise on white. */
  transparentRows: number;
  changedRows: number;
  /** Rows by what is wrong with them. */
  readonly problems: Partial<Record<RowProblem, number>>;
  /** Of each row that could be encoded, tokens with those of its images; of a pair, those of both sides. */
  readonly lengths: number[];
  supervisedTokens: number;
  imageTokens: number;
}

export interface CheckReport {
  readonly sources: readonly SourceReport[];
  /** Files that end early, are damaged or hold no rows, with the reason. */
  readonly damagedFiles: readonly string[];
  /** Files in archives that are an operating system's own. */
  readonly ignoredFiles: readonly string[];
  /** Names of fields that are not read, and how many rows have them. */
  readonly unusedFields: Readonly<Record<string, number>>;
}

const batchSize = 256;

/** Looks at every row that the datasets take, decodes every image and video once and encodes every row, as training would. */
export async function checkData(datasets: readonly Dataset[], options: CheckOptions): Promise<CheckReport> {
  const check = new Check(options);
  for (const dataset of datasets) await check.dataset(dataset);
  return check.report();
}

class Check {
  readonly #options: CheckOptions;
  readonly #sources = new Map<string, SourceReport>();
  readonly #damagedFiles: string[] = [];
  readonly #ignoredFiles: string[] = [];
  readonly #unusedFields: Record<string, number> = {};
  /** By keys of images and videos, with their whole paths. */
  readonly #images = new Map<string, CheckedMedium>();

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  report(): CheckReport {
    const sources = [...this.#sources.values()].sort((a, b) => a.source.localeCompare(b.source, "en"));
    return {
      sources,
      damagedFiles: this.#damagedFiles,
      ignoredFiles: this.#ignoredFiles,
      unusedFields: this.#unusedFields,
    };
  }

  async dataset(dataset: Dataset): Promise<void> {
    let batch: LlavaRow[] = [];
    try {
      for await (const found of datasetRows(dataset, (file) => this.#ignoredFiles.push(file))) {
        if (this.#options.signal?.aborted) throw new LlavaError("aborted", "stopped while checking");
        if ("error" in found) {
          this.#options.onRow?.();
          const source = this.#source(dataset.path);
          source.rows++;
          this.#bad(source, found.error);
        } else if (batch.push(found.row) >= batchSize) {
          await this.#rows(batch, dataset.path);
          batch = [];
        }
      }
    } catch (error) {
      if (!(error instanceof LlavaError) || error.code !== "data") throw error;
      this.#damagedFiles.push(error.message);
      this.#options.onProblem(error, basename(dataset.path));
    }
    await this.#rows(batch, dataset.path);
  }

  async #rows(rows: readonly LlavaRow[], path: string): Promise<void> {
    const sources = rows.map((row) => this.#source(path, row));
    await this.#decode(rows, sources);
    for (const [index, row] of rows.entries()) {
      this.#options.onRow?.();
      for (const name of row.unusedFields ?? [])
        this.#unusedFields[name] = (this.#unusedFields[name] ?? 0) + 1;
      const source = sources[index]!;
      try {
        this.#row(row, source);
      } catch (error) {
        if (!(error instanceof RowError)) throw error;
        this.#bad(source, error);
      }
    }
  }

  #row(row: LlavaRow, source: SourceReport): void {
    source.rows++;
    const { images } = row;
    if (images.length === 0) source.textOnly++;
    if (row.rejected !== undefined) source.pairs++;
    if (images.length > 1) source.severalImages++;
    const checked = images.map((image) => this.#images.get(this.#keyOf(image) ?? ""));
    if (checked.some((image) => image?.transparent)) source.transparentRows++;
    if (checked.some((image) => image?.transparent && transparencyNote(image.transparent)))
      source.changedRows++;
    const { processor, turnMarks, maxTokens } = this.#options;
    const problem = checked.find((image) => image?.problem)?.problem;
    const refuse = () => {
      if (problem)
        throw rowError(row, problem.kind, problem.message, "Get the file again, or take the row out.");
    };
    // Without its shape, nothing is known of the tokens of a video, or of an image that is cut into tiles.
    if (processor?.imageConfig.tiling || images.some(({ isVideo }) => isVideo)) refuse();
    const isUnseen = images.some(({ isVideo }, at) => isVideo && !checked[at]?.shape);
    if (processor && !isUnseen) {
      const layouts = processor.mediaLayouts(checked.map((image) => image?.shape ?? { size: undefined }));
      const encoded = sidesOf(row).map((side) => processor.encodeRow(side, layouts, turnMarks));
      const [chosen, rejected] = encoded.map((side) => this.#count(side, source));
      if (rejected !== undefined) {
        source.chosenTokens += chosen!;
        source.rejectedTokens += rejected;
      }
      const length = Math.max(...encoded.map(({ inputIds }) => inputIds.length));
      if (length > maxTokens)
        throw rowError(
          row,
          "long",
          `${length} tokens, more than ${maxTokens}`,
          "Raise --max-tokens, or let training truncate or skip such rows (--data.onLongRow).",
        );
    } else conversationOfRow(row);
    refuse();
    source.usable++;
  }

  /** Tokens that are trained. */
  #count({ inputIds, labels, imagePositions }: EncodedRow, source: SourceReport): number {
    const trained = labels.filter((label) => label !== ignoreLabel).length;
    source.lengths.push(inputIds.length);
    source.supervisedTokens += trained;
    for (const { length } of imagePositions) source.imageTokens += length;
    return trained;
  }

  #bad(source: SourceReport, error: RowError): void {
    source.problems[error.problem] = (source.problems[error.problem] ?? 0) + 1;
    this.#options.onProblem(error, source.source);
  }

  /** Decodes the images and videos that are new. */
  async #decode(rows: readonly LlavaRow[], sources: readonly SourceReport[]): Promise<void> {
    const jobs: (() => Promise<void>)[] = [];
    for (const [index, row] of rows.entries())
      for (const image of row.images) {
        const key = this.#keyOf(image);
        if (key === undefined || this.#images.has(key)) continue;
        this.#images.set(key, {});
        const source = sources[index]!;
        source[image.isVideo ? "videos" : "images"]++;
        jobs.push(async () => {
          const checked = await this.#checked(image);
          this.#images.set(key, checked);
          if (checked.problem?.kind === "missing") source.missingImages++;
          if (checked.problem?.kind === "broken") source.brokenImages++;
        });
      }
    await inParallel(jobs, this.#options.concurrency);
  }

  async #checked(image: RowImage): Promise<CheckedMedium> {
    const { images, transparency, processor } = this.#options;
    const path = image.bytes ? image.name : resolve(images ?? "", image.name);
    if (!image.isVideo) return await checkImage(image.bytes ?? path, path, transparency);
    return await checkVideo(path, processor);
  }

  /** undefined where images are not looked at. */
  #keyOf(image: RowImage): string | undefined {
    const { name, bytes } = image;
    if (bytes !== undefined) return name;
    const { images } = this.#options;
    if (images === undefined && !name.startsWith("/")) return undefined;
    return mediumKey({ ...image, name: resolve(images ?? "", name) });
  }

  #source(path: string, row?: LlavaRow): SourceReport {
    const [image] = row?.images ?? [];
    const about =
      image === undefined ? "text" : image.name.includes("/") ? image.name.split("/").find(Boolean)! : "";
    const source = [basename(path), row === undefined || image?.bytes ? "" : about]
      .filter(Boolean)
      .join(": ");
    let known = this.#sources.get(source);
    if (!known) {
      const counts = { rows: 0, usable: 0, textOnly: 0, pairs: 0, severalImages: 0, images: 0, videos: 0 };
      const more = { missingImages: 0, brokenImages: 0, transparentRows: 0, changedRows: 0 };
      const tokens = { supervisedTokens: 0, imageTokens: 0, chosenTokens: 0, rejectedTokens: 0 };
      known = { source, ...counts, ...more, ...tokens, problems: {}, lengths: [] };
      this.#sources.set(source, known);
    }
    return known;
  }
}

async function inParallel(jobs: readonly (() => Promise<void>)[], concurrency: number): Promise<void> {
  const queue = jobs.values();
  const work = async (): Promise<void> => {
    for (const job of queue) await job();
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}
