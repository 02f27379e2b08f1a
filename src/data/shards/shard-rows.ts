import { extname } from "node:path";
import {
  countParquetRows,
  describeBytes,
  type ParquetRow,
  parseJson,
  readParquet,
  readTar,
  type TarMember,
} from "../../files/index.ts";
import { type LlavaRow, RowError } from "../../protocol/index.ts";
import { isPair } from "../rows/pair-fields.ts";
import { parseRow } from "../rows/parse-row.ts";
import { isAbsent, rowHint } from "../rows/row-fields.ts";

/** A row with the bytes of its images, or why it is none. */
export type ShardRow = { readonly row: LlavaRow } | { readonly error: RowError };

/** Told of each file in an archive that is an operating system's own and no part of a row. */
export type OnIgnored = (file: string) => void;

/**
 * The rows of a shard in order, one at a time in memory (of parquet, a row group).
 * @throws LlavaError "data" for a shard that is damaged or cut short, after the rows before the damage
 */
export async function* shardRows(path: string, onIgnored: OnIgnored = () => {}): AsyncGenerator<ShardRow> {
  const samples = extname(path) === ".parquet" ? parquetSamples(path) : tarSamples(path, onIgnored);
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
    if (isSystemFile(name)) continue;
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
  /** Encoded, or named. */
  readonly images: readonly (Uint8Array | string)[];
}

/** Rows carry conversations, or a caption, which becomes the answer to the bare image. */
function rowOf({ origin, fields: read, images }: Sample): LlavaRow {
  const { id, ...fields } = read();
  const bytes = images.filter((image) => typeof image !== "string");
  if (bytes.length > 0 && bytes.length < images.length)
    throw new RowError(
      "form",
      `${origin}: ${bytes.length} of its ${images.length} images come with it, the others are paths`,
      {
        hint: "Either all images of a row lie in the shard, or all in the folder of images.",
      },
    );
  const names = images.map((image, index) => (typeof image === "string" ? image : `${origin}#${index}`));
  const value = {
    ...withTurns(fields, origin),
    id: isAbsent(id) ? fields["key"] : id,
    ...(names.length > 0 && { image: names.length === 1 ? names[0] : names, images: undefined }),
  };
  const row = parseRow(value, origin);
  if (bytes.length === 0) return row;
  const rest = [...bytes];
  return {
    ...row,
    images: row.images.map((image) => (image.isVideo ? image : { ...image, bytes: rest.shift()! })),
  };
}

function withTurns(fields: Readonly<Record<string, unknown>>, origin: string): Record<string, unknown> {
  if (!isAbsent(fields["conversations"]) || !isAbsent(fields["messages"]) || isPair(fields)) return fields;
  const name = ["caption", "text"].find((each) => typeof fields[each] === "string");
  if (name === undefined)
    throw new RowError("form", `${origin}: has neither conversations nor a caption`, { hint: rowHint });
  const { [name]: caption, ...rest } = fields;
  return { ...rest, conversations: captionTurns(caption as string) };
}

const captionTurns = (caption: string) => [
  { from: "human", value: "<image>" },
  { from: "gpt", value: caption },
];

/** What macOS and Windows add to folders and archives, resource forks such as `._a.png` among them. */
const isSystemFile = (name: string): boolean =>
  /(^|\/)(\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini)$|(^|\/)__MACOSX\//.test(name);

/**
 * WebDataset: files with the same name up to its first dot, one after another, are a sample. `.json` holds fields, `.txt` a
 * caption; of images, `a.0.jpg` and `a.1.jpg` are the first and the second of sample a.
 */
async function* tarSamples(path: string, onIgnored: OnIgnored): AsyncGenerator<Sample> {
  let key: string | undefined;
  let members: TarMember[] = [];
  for await (const member of readTar(path)) {
    if (isSystemFile(member.name)) {
      onIgnored(`${path}/${member.name}`);
      continue;
    }
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

const imageEndings = /\.(jpe?g|jfif|png|webp|gif|tiff?|avif|bmp|dib|ico|p[bgnp]m|tga|jp2|heic)$/i;

function tarSample(path: string, key: string, members: readonly TarMember[]): Sample {
  const ending = ({ name }: TarMember): string => extname(name).toLowerCase();
  const images = members
    .filter(({ name }) => imageEndings.test(name))
    .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const text = members.find((member) => ending(member) === ".txt");
  const json = members.find((member) => ending(member) === ".json");
  return {
    origin: `${path}/${key}`,
    fields: () => ({
      key,
      ...(text && { caption: text.bytes.toString("utf8").trim() }),
      ...(json && fieldsOf(json.bytes.toString("utf8"), `${path}/${json.name}`)),
    }),
    images: images.map(({ bytes }) => bytes),
  };
}

function fieldsOf(text: string, origin: string): object {
  try {
    return parseJson(text) as object;
  } catch (cause) {
    const message = `${origin}: not valid JSON: ${(cause as Error).message}`;
    throw new RowError("form", message, { hint: rowHint, cause });
  }
}

/** Images are in the columns `image` or `images`: bytes, paths, or `{ bytes, path }` as Hugging Face's datasets have them. */
async function* parquetSamples(path: string): AsyncGenerator<Sample> {
  for await (const { values, row } of readParquet(path)) yield parquetSample(path, values, row);
}

function parquetSample(path: string, values: ParquetRow["values"], row: number): Sample {
  const { image, images, ...fields } = values;
  const cells = (isAbsent(images) ? [image] : Array.isArray(images) ? images : [images]) as unknown[];
  return {
    origin: `${path}: row ${row}`,
    fields: () => fields,
    images: cells.flat().flatMap((cell) => imageOf(cell) ?? []),
  };
}

function imageOf(cell: unknown): Uint8Array | string | undefined {
  if (isAbsent(cell)) return undefined;
  if (cell instanceof Uint8Array) return pathIn(cell) ?? cell;
  if (typeof cell === "string") return cell;
  const { bytes, path } = cell as { bytes?: unknown; path?: unknown };
  if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
  return typeof path === "string" && path !== "" ? path : undefined;
}

/** A path whose column does not say that it is text. */
function pathIn(bytes: Uint8Array): string | undefined {
  const isPath = bytes.length <= 4096 && describeBytes(bytes).startsWith("text that starts");
  return isPath ? Buffer.from(bytes).toString("utf8") : undefined;
}
