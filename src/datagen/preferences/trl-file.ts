import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import { writeRows } from "../../files/index.ts";
import type { Pair } from "./pairs.ts";
import { trlRow } from "./preference-rows.ts";

/** Rows whose images are in memory at once. */
const groupSize = 100;

/**
 * Pairs as TRL's DPOTrainer reads them: a .parquet file with its images inside, which `datasets` shows as images, or
 * .jsonl with their paths. @throws LlavaError "data" for an image that cannot be read or pairs about videos, "setup"
 * without the package that writes parquet
 */
export async function writeTrl(path: string, pairs: readonly Pair[], images: string): Promise<void> {
  const video = pairs.find(({ asked }) => asked.item.isVideo);
  if (video)
    throw new LlavaError("data", `${video.asked.item.image}: TRL's files of preferences have no videos`, {
      hint: "LLaVA's and LLaMA-Factory's forms have.",
    });
  if (!path.endsWith(".parquet")) {
    await writeRows(
      path,
      pairs.map((pair) => trlRow(pair, [join(images, pair.asked.item.image)])),
    );
    return;
  }
  const { fileWriter, parquetWriteRows } = await import("hyparquet-writer").catch((cause: unknown) => {
    throw new LlavaError("setup", `${path}: parquet files are written by a package that is not there`, {
      hint: "npm install hyparquet-writer, or give a name that ends in .jsonl.",
      cause,
    });
  });
  const partial = `${path}.${process.pid}.partial`;
  try {
    await parquetWriteRows({
      writer: fileWriter(partial),
      rows: rowsWithImages(pairs, images),
      columns: ["images", "prompt", "chosen", "rejected"].map((name) => ({ name })),
      schema: [...schema],
      rowGroupSize: groupSize,
      kvMetadata: [{ key: "huggingface", value: JSON.stringify({ info: { features } }) }],
    });
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true });
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("data", `${path}: cannot be written: ${(cause as Error).message}`, {
      hint: "Check that the folder exists, may be written, and has room.",
      cause,
    });
  }
}

async function* rowsWithImages(pairs: readonly Pair[], images: string) {
  for (const pair of pairs) {
    const name = join(images, pair.asked.item.image);
    const bytes = await readFile(name).catch((cause: unknown) => {
      throw new LlavaError("data", `${name}: cannot be read: ${(cause as Error).message}`, {
        hint: "Give the folder of the images with --images.",
        cause,
      });
    });
    yield trlRow(pair, [{ bytes, path: pair.asked.item.image }]);
  }
}

const optional = (name: string, converted?: "UTF8") =>
  ({
    name,
    type: "BYTE_ARRAY",
    repetition_type: "OPTIONAL",
    ...(converted && { converted_type: converted }),
  }) as const;
type Element = ReturnType<typeof optional> | GroupElement;
interface GroupElement {
  readonly name: string;
  readonly num_children: number;
  readonly repetition_type: "OPTIONAL" | "REPEATED";
  readonly converted_type?: "LIST";
}

/** A list of structures, as parquet spells it. */
const listOf = (name: string, fields: readonly (readonly Element[])[]): Element[] => [
  { name, num_children: 1, repetition_type: "OPTIONAL", converted_type: "LIST" },
  { name: "list", num_children: 1, repetition_type: "REPEATED" },
  { name: "element", num_children: fields.length, repetition_type: "OPTIONAL" },
  ...fields.flat(),
];
const messages = (name: string): Element[] =>
  listOf(name, [
    [optional("role", "UTF8")],
    listOf("content", [[optional("type", "UTF8")], [optional("text", "UTF8")]]),
  ]);
const schema = [
  { name: "root", num_children: 4 },
  ...listOf("images", [[optional("bytes")], [optional("path", "UTF8")]]),
  ...messages("prompt"),
  ...messages("chosen"),
  ...messages("rejected"),
];

/** What `datasets` takes columns for. */
const text = { dtype: "string", _type: "Value" };
const said = {
  _type: "List",
  feature: { role: text, content: { _type: "List", feature: { type: text, text } } },
};
const features = {
  images: { _type: "List", feature: { _type: "Image" } },
  prompt: said,
  chosen: said,
  rejected: said,
};
