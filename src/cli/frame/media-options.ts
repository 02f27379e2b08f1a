import { type Command, InvalidArgumentError } from "commander";
import type { PromptInputs } from "../../generation/index.ts";
import type { MediaSource } from "../../protocol/index.ts";
import { printable } from "./printable.ts";

/** What `addVideoOptions` reads. */
export interface VideoFlags {
  readonly frames?: number | "auto";
  readonly fps?: number;
  readonly ropeFactor?: number | "auto";
}

/** How videos are seen. */
export const addVideoOptions = (command: Command): Command =>
  command
    .option(
      "--frames <n>",
      "frames of each video, or auto: the most that fit (default: the model's own)",
      frames,
    )
    .option("--fps <n>", "frames a second, up to --frames of them", number(Number.MIN_VALUE))
    .option(
      "--rope-factor <k>",
      "divide positions by k, for prompts longer than the model was trained with; auto takes what a video needs (default: auto)",
      (text) => (text === "auto" ? text : number(1)(text)),
    );

export const videoOptions = ({ frames, fps, ropeFactor }: VideoFlags): VideoFlags => ({
  ...(frames !== undefined && { frames }),
  ...(fps !== undefined && { fps }),
  ...(ropeFactor !== undefined && { ropeFactor }),
});

function frames(text: string): number | "auto" {
  if (text === "auto") return text;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("Expected a whole number above 0, or auto.");
}

const number =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a number ${least < 1 ? "above 0" : "from 1"}.`);
  };

/**
 * Options that name images and videos, in the order in which they are given; frames of --video-frame are one video, which
 * stands where the first of them does.
 * @returns what was given, once the command line has been read
 */
export function addMediaOptions(command: Command, suffix = ""): () => readonly MediaSource[] {
  const given: MediaSource[] = [];
  let shown: string[] | undefined;
  const add = (medium: MediaSource): true => {
    given.push(medium);
    return true;
  };
  command
    .option("-i, --image <source>", `path or URL of an image${suffix} (may be repeated)`, add)
    .option(
      "--video <path>",
      `a video's file, or a folder of its frames${suffix} (may be repeated)`,
      (path: string) => add({ path }),
    )
    .option(
      "--video-frame <source>",
      "a frame of one video, as an image (repeated, in order)",
      (frame: string) => {
        if (shown === undefined) {
          shown = [];
          add({ frames: shown });
        }
        shown.push(frame);
        return true;
      },
    );
  return () => given;
}

const videoSuffix = /\.(?:mp4|m4v|mov|webm|mkv|avi|mpe?g|wmv|flv|ogv)$/i;

/** A path that is named among words: a video's by its suffix, else an image's. */
export const mediumOf = (path: string): MediaSource =>
  videoSuffix.test(path) && !/^[a-z][a-z0-9+.-]+:/i.test(path) ? { path } : path;

/** Which frames are seen of the videos of a prompt, and what is left of the context; nothing of a prompt without videos. */
export function videoNotes({ videos = [], inputIds, contextLength, ropeFactor }: PromptInputs): string[] {
  if (videos.length === 0) return [];
  const clips = videos.map(
    ({ name, times }) =>
      `(${printable(name)}: ${times.length} frames, ${times[0]!.toFixed(2)} to ${times.at(-1)!.toFixed(2)} s)`,
  );
  const factor = ropeFactor === undefined ? "" : `, positions divided by ${ropeFactor} (--rope-factor)`;
  return [
    ...clips,
    `(${inputIds.length} tokens, ${contextLength - inputIds.length} of ${contextLength} left${factor})`,
  ];
}
