import { spawnSync } from "node:child_process";

const program = process.env["LLAVA_FFMPEG"] || "ffmpeg";
const isProgramHere = spawnSync(program, ["-version"], { stdio: "ignore" }).status === 0;
const isLibraryHere = await import("node-av/lib").then(
  () => true,
  () => false,
);

/** Why tests of the program are skipped; false where it is there. */
const withoutProgram: string | false = isProgramHere ? false : "no ffmpeg on the PATH or in LLAVA_FFMPEG";
const withoutLibrary: string | false = isLibraryHere ? false : "no node-av for this machine";
if (withoutProgram && withoutLibrary)
  console.warn("NO ffmpeg AND NO node-av HERE: tests of video files are skipped");

/** Why tests of video files are skipped; false where there is a decoder. */
export const withoutDecoder: string | false = withoutLibrary && withoutProgram;

/** The ways in which a video file is read, with why tests of one are skipped. */
export const decoders = [
  { way: "node-av", isApart: false, skip: withoutLibrary },
  { way: "the program", isApart: true, skip: withoutProgram },
] as const;
