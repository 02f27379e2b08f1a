import { type Command, InvalidArgumentError } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { FeatureGrid, ImageSize } from "../../../processing/image/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { printable } from "../../frame/printable.ts";
import { accountOf, type TokenAccount } from "./account.ts";
import { drawTiles } from "./draw-tiles.ts";

interface Flags {
  readonly model: string;
  readonly size?: readonly ImageSize[];
  readonly base?: string;
  readonly visionTower?: string;
  readonly draw?: string;
  readonly json?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description(
      "Show how a model cuts images into tiles and how many tokens each takes. It reads configuration and tokenizer files, and the headers of the images.",
    )
    .argument("[images...]", "files or addresses")
    .requiredOption("--model <model>", "folder, built-in or hub name of the model")
    .option("--size <WxH>", "an image of this size, without a file; repeatable", sizes)
    .option("--base <model>", "the language model of a projector or adapter")
    .option("--vision-tower <tower>", "folder or hub name of the vision tower")
    .option("--draw <file.svg>", "draw the tiles over the first image")
    .option("--json", "print as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  llava tokens photo.jpg --size 1920x1080 --model llava-hf/llava-v1.6-mistral-7b-hf",
    )
    .action((images: string[], flags: Flags) => run(images, flags, context));
}

function sizes(text: string, before: readonly ImageSize[] = []): ImageSize[] {
  const [, width, height] = /^(\d+)[x×](\d+)$/.exec(text) ?? [];
  if (!Number(width) || !Number(height)) throw new InvalidArgumentError("Expected a size such as 1920x1080.");
  return [...before, { width: Number(width), height: Number(height) }];
}

async function run(
  images: readonly string[],
  flags: Flags,
  { progress, report, signal }: CommandContext,
): Promise<void> {
  if (images.length === 0 && flags.size === undefined)
    throw new LlavaError("usage", "no image is given", {
      hint: "Name image files, or give --size 1920x1080.",
    });
  const [{ resolveModel }, { openModelProcessor }, { openImage }] = await Promise.all([
    import("../../../setup/index.ts"),
    import("../../../pretrained/index.ts"),
    import("../../../processing/image/index.ts"),
  ]);
  const find = (name: string) => resolveModel(name, { progress, report, signal: signal(), weights: false });
  const { base, visionTower } = flags;
  const processor = await openModelProcessor(await find(flags.model), {
    resolve: find,
    ...(base !== undefined && { base }),
    ...(visionTower !== undefined && { visionTower }),
  });
  const opened = await Promise.all(images.map((image) => openImage(image)));
  const named = [
    ...images.map((name, index) => ({ name, size: opened[index]!.size })),
    ...(flags.size ?? []).map((size) => ({ name: `${size.width}×${size.height}`, size })),
  ];
  const account = accountOf(named, processor);
  if (flags.draw !== undefined) await drawTiles(flags.draw, account.images[0]!, opened[0]);
  if (flags.json) console.log(JSON.stringify(account, null, 2));
  else console.log(render(account, processor.grid));
}

function render(
  { images, total, contextLength, left }: TokenAccount,
  { rows, columns }: FeatureGrid,
): string {
  const lines = images.map(({ name, size, layout, kept, tokens, counts }) => {
    const head = `${printable(name)}  ${size.width}×${size.height}: ${tokens} tokens`;
    if (layout.tiles !== "anyres") return `${head}, seen as a whole (${rows}×${columns})`;
    const { canvas, grid } = layout;
    const parts = [
      `${counts.overview} of the whole image`,
      `${counts.tiles} of ${grid.columns}×${grid.rows} tiles`,
      ...(counts.newlines > 0 ? [`${counts.newlines} newlines`] : []),
    ];
    return `${head}
  resized to fit ${canvas.width}×${canvas.height}, ${kept!.columns} columns and ${kept!.rows} rows of its features kept
  ${parts.join(" + ")}`;
  });
  const sum = images.length > 1 ? `${total} tokens in all, ` : "";
  const room = Number.isFinite(contextLength)
    ? left < 0
      ? `${-left} more than the model's context of ${contextLength}`
      : `${left} of the model's context of ${contextLength} left for text`
    : "";
  return [...lines, `${sum}${room}`].join("\n");
}
