import { extname } from "node:path";
import {
  countParquetRows,
  type ParquetRow,
  readParquet,
  readTar,
  type TarMember,
} from "../../formats/index.ts";
import { type LlavaRow, parseRow, RowError, rowHint } from "../rows.ts";

/** A row with the bytes of its images, or why it is none. */
export type ShardRow = { readonly row: LlavaRow } | { readonly error: RowError };

/**
 * The rows of a shard in order, one at a time in memory (of parquet, a row group).
 * @throws LlavaError "data" for a shard that is damaged or cut short, after the rows before the damage
 */
export async function* shardRows(path: string): AsyncGenerator<ShardRow> {
  const samples = extname(path) === ".parquet" ? parquetSamples(path) : tarSamples(path);
  for await (const sample of samples)
    try {
      yield { row: rowOf(sample) };
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      yield { error };
    }
}

/** Counts the rows of a shard, usable or not, one by one, without reading them. @throws LlavaError "data" */
export async function* countShardRows(path: string): AsyncGenerator<number> {
  if (extname(path) === ".parquet") {
    yield await countParquetRows(path);
    return;
  }
  let last: string | undefined;
  for await (const { name } of readTar(path, { wants: () => false })) {
    const key = keyOf(name);
    if (key !== last) yield 1;
    last = key;
  }
}

interface Sample {
  /** Path and place of the row. */
  readonly origin: string;
  /** @throws RowError for what is not JSON */
  readonly fields: () => Readonly<Record<string, unknown>>;
  readonly images: readonly Uint8Array[];
}

/** Rows carry conversations in LLaVA's form, or a caption, which becomes the answer to the bare image. */
function rowOf({ origin, fields: read, images }: Sample): LlavaRow {
  const fields = read();
  const { id, key, conversations } = fields;
  const image = images.map((_, index) => `${origin}#${index}`);
  const shared = { id: id ?? key, image: image.length === 1 ? image[0] : image };
  const caption = captionOf(fields);
  const turns = conversations ?? (caption === undefined ? undefined : captionTurns(caption));
  if (turns === undefined)
    throw new RowError("form", `${origin}: has neither conversations nor a caption`, { hint: rowHint });
  const row = parseRow({ ...shared, conversations: turns }, origin);
  const { image: names, ...rest } = row;
  return images.length === 0 ? rest : { ...rest, image: names!, imageBytes: images };
}

const captionOf = ({ caption, text }: Readonly<Record<string, unknown>>): string | undefined =>
  [caption, text].find((value) => typeof value === "string");

const captionTurns = (caption: string) => [
  { from: "human", value: "<image>" },
  { from: "gpt", value: caption },
];

/**
 * WebDataset: files with the same name up to its first dot, one after another, are a sample. `.json` holds fields, `.txt` a
 * caption; of images, `a.0.jpg` and `a.1.jpg` are the first and the second of sample a.
 */
async function* tarSamples(path: string): AsyncGenerator<Sample> {
  let key: string | undefined;
  let members: TarMember[] = [];
  for await (const member of readTar(path)) {
    const own = keyOf(member.name);
    if (key !== undefined && own !== key) yield tarSample(path, key, members);
    if (own !== key) members = [];
    key = own;
    members.push(member);
  }
  if (key !== undefined) yield tarSample(path, key, members);
}

const keyOf = (name: string): string => {
  const file = name.lastIndexOf("/") + 1;
  const dot = name.indexOf(".", file);
  return dot < 0 ? name : name.slice(0, dot);
};

const imageEndings = new Set([".jpg", ".jpeg", ".png", ".webp", ".gif"]);

function tarSample(path: string, key: string, members: readonly TarMember[]): Sample {
  const ending = ({ name }: TarMember): string => extname(name).toLowerCase();
  const images = members
    .filter((member) => imageEndings.has(ending(member)))
    .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const text = members.find((member) => ending(member) === ".txt");
  const json = members.find((member) => ending(member) === ".json");
  return {
    origin: `${path}/${key}`,
    fields: () => ({
      key,
      ...(text && { caption: text.bytes.toString("utf8").trim() }),
      ...(json && (parseJson(json.bytes.toString("utf8"), `${path}/${json.name}`) as object)),
    }),
    images: images.map(({ bytes }) => bytes),
  };
}

function parseJson(text: string, origin: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `${origin}: not valid JSON: ${(cause as Error).message}`;
    throw new RowError("form", message, { hint: rowHint, cause });
  }
}

/** Images are in the columns `image` or `images`: bytes, or `{ bytes, path }` as Hugging Face's datasets have them. */
async function* parquetSamples(path: string): AsyncGenerator<Sample> {
  for await (const { values, row } of readParquet(path)) yield parquetSample(path, values, row);
}

function parquetSample(path: string, values: ParquetRow["values"], row: number): Sample {
  const { image, images = image, conversations, ...fields } = values;
  const cells = Array.isArray(images) ? (images as unknown[]) : [images];
  const origin = `${path}: row ${row}`;
  return {
    origin,
    fields: () => ({
      ...fields,
      id: plainId(fields["id"]),
      conversations: typeof conversations === "string" ? parseJson(conversations, origin) : conversations,
    }),
    images: cells.flatMap((cell) => bytesOf(cell) ?? []),
  };
}

const plainId = (id: unknown): unknown => (typeof id === "bigint" ? String(id) : (id ?? undefined));

function bytesOf(cell: unknown): Uint8Array | undefined {
  if (cell instanceof Uint8Array) return cell;
  const bytes = (cell as { bytes?: unknown } | null | undefined)?.bytes;
  return bytes instanceof Uint8Array ? bytes : undefined;
}
