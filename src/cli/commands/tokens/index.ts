import { type Command, InvalidArgumentError } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { FeatureGrid, ImageSize } from "../../../processing/image/index.ts";
import type { MediaSource } from "../../../protocol/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { addMediaOptions, addVideoOptions, mediumOf, type VideoFlags } from "../../frame/media-options.ts";
import { printable } from "../../frame/printable.ts";
import { accountOf, type TokenAccount, type VideoAccount } from "./account.ts";
import { drawFrames } from "./contact-sheet.ts";
import { drawTiles } from "./draw-tiles.ts";

/** Tokens that `--frames auto` leaves for the question and its answer. */
const TEXT_ROOM = 576;

interface Flags extends VideoFlags {
  readonly model: string;
  readonly size?: readonly ImageSize[];
  readonly base?: string;
  readonly visionTower?: string;
  readonly draw?: string;
  readonly together?: boolean;
  readonly json?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description(
      "Show how a model cuts images into tiles, which frames it sees of videos, and how many tokens each takes. It reads configuration and tokenizer files, and the headers of images and videos.",
    )
    .argument("[images...]", "files or addresses, and videos by their suffix")
    .requiredOption("--model <model>", "folder, built-in or hub name of the model")
    .option("--size <WxH>", "an image of this size, without a file; repeatable", sizes)
    .option("--base <model>", "the language model of a projector or adapter")
    .option("--vision-tower <tower>", "folder or hub name of the vision tower")
    .option("--together", "all images are of one prompt: some models cut only a single one into tiles")
    .option(
      "--draw <file.svg>",
      "draw the tiles over the first image, or the frames that are seen of the first video (also .png)",
    )
    .option("--json", "print as JSON");
  const given = addMediaOptions(command);
  addVideoOptions(command)
    .addHelpText(
      "after",
      "\nExample:\n  llava tokens photo.jpg --size 1920x1080 --model llava-hf/llava-v1.6-mistral-7b-hf\n  llava tokens clip.mp4 --frames 32 --draw frames.png --model llava-hf/LLaVA-NeXT-Video-7B-hf",
    )
    .action((images: string[], flags: Flags) => run([...images.map(mediumOf), ...given()], flags, context));
}

function sizes(text: string, before: readonly ImageSize[] = []): ImageSize[] {
  const [, width, height] = /^(\d+)[x×](\d+)$/.exec(text) ?? [];
  if (!Number(width) || !Number(height)) throw new InvalidArgumentError("Expected a size such as 1920x1080.");
  return [...before, { width: Number(width), height: Number(height) }];
}

async function run(
  media: readonly MediaSource[],
  flags: Flags,
  { progress, report, signal }: CommandContext,
): Promise<void> {
  if (media.length === 0 && flags.size === undefined)
    throw new LlavaError("usage", "no image and no video is given", {
      hint: "Name files, or give --size 1920x1080.",
    });
  const [{ resolveModel }, { openModelProcessor }, { layOut, mostThatFit, mostFrames, openMedia }] =
    await Promise.all([
      import("../../../setup/index.ts"),
      import("../../../pretrained/index.ts"),
      import("../../../processing/processor/index.ts"),
    ]);
  const find = (name: string) => resolveModel(name, { progress, report, signal: signal(), weights: false });
  const { base, visionTower } = flags;
  const processor = await openModelProcessor(await find(flags.model), {
    resolve: find,
    ...(base !== undefined && { base }),
    ...(visionTower !== undefined && { visionTower }),
  });
  const opened = await openMedia(media, {});
  const sizesAlone = (flags.size ?? []).map((size) => ({ name: `${size.width}×${size.height}`, size }));
  const { fps } = flags;
  const ropeFactor = flags.ropeFactor === "auto" ? undefined : flags.ropeFactor;
  const account = (frames: number | undefined) => {
    const seen = layOut(opened, processor, { frames, fps });
    const images = seen.flatMap((medium, index) =>
      "image" in medium ? [{ name: String(media[index]), ...medium.image }] : [],
    );
    const videos = seen.flatMap((medium) => ("video" in medium ? [medium] : []));
    return {
      images,
      videos,
      told: accountOf([...images, ...sizesAlone], processor, {
        videos,
        ropeFactor,
        together: flags.together ?? false,
      }),
    };
  };
  const fits = (frames: number) => {
    const { left, contextLength } = account(frames).told;
    return left >= Math.min(TEXT_ROOM, contextLength / 4);
  };
  const chosen = flags.frames === "auto" ? mostThatFit(fits, mostFrames(opened)) : flags.frames;
  const { told, images, videos } = account(chosen);
  if (flags.draw !== undefined)
    await (videos[0] ? drawFrames(flags.draw, videos[0]) : drawTiles(flags.draw, told.images[0]!, images[0]));
  if (flags.json) console.log(JSON.stringify(told, null, 2));
  else console.log(render(told, processor.grid));
}

function render(
  { images, videos, total, contextLength, left }: TokenAccount,
  { rows, columns }: FeatureGrid,
): string {
  const lines = images.map(({ name, size, layout, kept, tokens, counts }) => {
    const head = `${printable(name)}  ${size.width}×${size.height}: ${tokens} tokens`;
    if (layout.tiles !== "anyres")
      return `${head}, seen as a whole (${rows}×${columns}${counts.newlines > 0 ? ", and a newline" : ""})`;
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
  lines.push(...videos.map(renderVideo));
  const sum = lines.length > 1 ? `${total} tokens in all, ` : "";
  const room = Number.isFinite(contextLength)
    ? left < 0
      ? `${-left} more than the model's context of ${contextLength}`
      : `${left} of the model's context of ${contextLength} left for text`
    : "";
  return [...lines, `${sum}${room}`].join("\n");
}

function renderVideo(video: VideoAccount): string {
  const { name, size, frames, framesPerSecond, indices, times, tokensPerFrame, counts, tokens } = video;
  const duration = frames / framesPerSecond;
  return `${printable(name)}  ${size.width}×${size.height}, ${frames} frames, ${duration.toFixed(2)} s at ${framesPerSecond.toFixed(2)} a second: ${tokens} tokens
  ${indices.length} frames of ${tokensPerFrame} tokens${counts.newlines > 0 ? ` + ${counts.newlines} newlines` : ""}
  frames ${indices.join(" ")}
  at ${times.map((time) => time.toFixed(2)).join(" ")} s`;
}
