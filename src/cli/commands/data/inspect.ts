import { styleText } from "node:util";
import type { Command } from "commander";
import type { LlavaRow, RowImage } from "../../../data/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { ImageLayout } from "../../../processing/image/index.ts";
import type { EncodedRow, Processor } from "../../../processing/processor/index.ts";
import type { Tokenizer } from "../../../processing/tokenizer/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { collect, count } from "../../frame/model-options.ts";
import { printable } from "../../frame/printable.ts";
import { addEncodingOptions, type EncodingFlags, openEncoding } from "./encoding.ts";

interface Options extends EncodingFlags {
  count: number;
  id?: string[];
  ids?: boolean;
  images: string;
  json?: boolean;
}

export function configure(data: Command, context: CommandContext): void {
  const command = data
    .command("inspect")
    .description("Print rows as the model sees them: what is trained, tokens of images, ids.")
    .argument("<data>", "rows (.json, .jsonl), shards (.tar, .parquet), or a mixture (.yaml)");
  addEncodingOptions(command)
    .option("--count <n>", "rows from the begin", count, 3)
    .option("--id <id>", "rows with this id instead (may be repeated)", collect)
    .option("--images <folder>", "where images and videos lie, whose tokens may depend on them", ".")
    .option("--ids", "print the ids too, −200 or the model's own at images")
    .option("--json", "print as JSON lines, with ids and labels")
    .addHelpText(
      "after",
      `
Trained text is green; without colours it stands between ⟦ and ⟧.

Example:
  llava data inspect train.json --tokenizer vicuna-7b-v1.5 --template v1 --id 000000033471 --ids`,
    )
    .action((name: string, options: Options) => run(name, options, context));
}

async function run(name: string, options: Options, context: CommandContext): Promise<void> {
  const encoding = await openEncoding(options, context);
  if (!encoding)
    throw new LlavaError("usage", "inspecting takes a tokenizer and a template", {
      hint: "Give --model, or --tokenizer and --template.",
    });
  let failed = 0;
  const { sidesOf } = await import("../../../data/index.ts");
  for await (const { row, error } of chosenRows(name, options)) {
    try {
      if (error) throw error;
      const { processor, turnMarks } = encoding;
      const layouts = await layoutsOf(row!, processor, options.images);
      const sides = sidesOf(row!);
      for (const [at, side] of sides.entries()) {
        const encoded = processor.encodeRow(side, layouts, turnMarks);
        const answer = sides.length > 1 ? { answer: at === 0 ? "chosen" : "rejected" } : {};
        if (options.json) console.log(JSON.stringify({ origin: row!.origin, ...answer, ...encoded }));
        else console.log(`${shownRow({ ...side, ...answer }, encoded, processor, options.ids ?? false)}\n`);
      }
    } catch (problem) {
      if (!(problem instanceof LlavaError)) throw problem;
      failed++;
      if (options.json)
        console.log(JSON.stringify({ origin: row?.origin, id: row?.id, error: problem.message }));
      else console.log(`${styled("red", printable(problem.message))}\n`);
    }
  }
  if (failed > 0)
    throw new LlavaError("data", `${failed} of the rows cannot be used`, {
      hint: "llava data check lists all that is wrong.",
    });
}

/** Files are opened only where tokens depend on their shapes: of videos, and where a model cuts images into tiles. */
async function layoutsOf(row: LlavaRow, processor: Processor, folder: string): Promise<ImageLayout[]> {
  const { layoutsOfRow, mediumKey, openRowMedium } = await import("../../../data/index.ts");
  const isShaped = ({ isVideo }: RowImage) => isVideo || processor.imageConfig.tiling !== undefined;
  const opened = row.images.filter(isShaped).map(async (medium) => {
    const { shape } = await openRowMedium(medium, folder, processor);
    return [mediumKey(medium), shape] as const;
  });
  return layoutsOfRow(row, new Map(await Promise.all(opened)), processor);
}

async function* chosenRows(name: string, { count: most, id: wanted }: Options) {
  const { datasetRows, readDatasets } = await import("../../../data/index.ts");
  const missing = new Set(wanted);
  let shown = 0;
  for (const dataset of await readDatasets(name))
    for await (const found of datasetRows(dataset)) {
      if (wanted !== undefined) {
        if (!("row" in found) || !wanted.includes(found.row.id)) continue;
        missing.delete(found.row.id);
      } else if (shown++ >= most) return;
      yield "row" in found ? { row: found.row, error: undefined } : { row: undefined, error: found.error };
    }
  if (missing.size > 0)
    throw new LlavaError("data", `${name} has no row with the id ${[...missing].join(", ")}`, {
      hint: "Ids are compared as text.",
    });
}

const styled = (format: Parameters<typeof styleText>[0], text: string): string =>
  styleText(format, text, { stream: process.stdout });
const hasColours = (): boolean => styled("green", "x") !== "x";

function shownRow(
  row: LlavaRow & { readonly answer?: string },
  encoded: EncodedRow,
  { tokenizer }: Processor,
  withIds: boolean,
): string {
  const { inputIds, labels, imagePositions, segments } = encoded;
  const trained = labels.filter((label) => label >= 0).length;
  const images = imagePositions.map(({ image, length }) => `${encoded.images[image]} (${length} tokens)`);
  const head = [
    styled("bold", printable(`${row.origin ?? ""} id ${row.id}`.trim())),
    ...(row.answer === undefined ? [] : [row.answer]),
    `${inputIds.length} tokens, ${trained} trained`,
    ...(images.length > 0 ? [`images: ${printable(images.join(", "))}`] : []),
  ];
  const text = segments.map(({ kind, supervised, start, length }) => {
    const ids = inputIds.slice(start, start + length);
    if (kind === "image") return styled("magenta", `<image ×${length}>`);
    const shown = printable(textOf(tokenizer, ids));
    if (!supervised) return shown;
    return hasColours() ? styled("green", shown) : `⟦${shown}⟧`;
  });
  return [head.join("; "), text.join(""), ...(withIds ? [shownIds(encoded)] : [])].join("\n");
}

/** Special tokens by their names; the space that SentencePiece puts before the first word is left in. */
const textOf = (tokenizer: Tokenizer, ids: readonly number[]): string =>
  Buffer.concat(
    ids.map((id) => {
      const bytes = tokenizer.bytesOf(id);
      return bytes.length > 0 ? bytes : Buffer.from(tokenizer.idToToken(id) ?? "");
    }),
  ).toString("utf8");

/** Ids of images as one number and how often it stands there. */
function shownIds({ inputIds, segments }: EncodedRow): string {
  return segments
    .map(({ kind, supervised, start, length }) => {
      if (kind === "image") return styled("magenta", `${inputIds[start]}×${length}`);
      const ids = inputIds.slice(start, start + length).join(" ");
      if (!supervised) return styled("dim", ids);
      return hasColours() ? styled("green", ids) : `⟦${ids}⟧`;
    })
    .join(" ");
}
