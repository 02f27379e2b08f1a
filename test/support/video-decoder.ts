import { spawnSync } from "node:child_process";

const program = process.env["LLAVA_FFMPEG"] || "ffmpeg";
const isHere = spawnSync(program, ["-version"], { stdio: "ignore" }).status === 0;
if (!isHere) console.warn("NO ffmpeg HERE: tests of video files are skipped (LLAVA_FFMPEG names one)");

/** Why tests of video files are skipped; false where there is a decoder. */
export const withoutDecoder: string | false = isHere ? false : "no ffmpeg on the PATH or in LLAVA_FFMPEG";
