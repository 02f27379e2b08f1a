import { open as openFile, stat } from "node:fs/promises";
import { describeBytes, KIND_BYTES } from "../../files/index.ts";
import type { VideoSource } from "../../protocol/index.ts";
import { openAnimation } from "./animation.ts";
import type { VideoDecoder } from "./decoder.ts";
import { ffmpegDecoder } from "./ffmpeg.ts";
import { openFolder, openFrames } from "./frame-images.ts";
import { nodeAvDecoder } from "./node-av.ts";
import {
  distinctOf,
  type OpenedVideo,
  repeated,
  requireSize,
  type VideoOptions,
  videoError,
} from "./opened-video.ts";
import { statedLength } from "./stated-length.ts";

/**
 * Opens a video: a file (MP4, QuickTime, WebM, Matroska, AVI and whatever else the decoder reads; an animated GIF or WebP),
 * a folder of frames, or frames as images. Its frames are counted, and none is decoded.
 * @throws LlavaError "video" for what is none, is damaged, or needs a decoder that is not here
 */
export async function openVideo(source: VideoSource, options: VideoOptions = {}): Promise<OpenedVideo> {
  if ("frames" in source) return await openFrames(source, options);
  const { path } = source;
  const { where = path } = options;
  if (/^https?:/i.test(path))
    throw videoError(`${where}: a video at an address is not fetched`, "Download it, and give the file.");
  const kind = await kindOf(path, where);
  if (kind === "folder") return await openFolder(path, { ...options, where });
  if (kind === "a GIF image" || kind === "a WebP image")
    return await openAnimation(path, { ...options, where });
  if (/ image$/.test(kind))
    throw videoError(
      `${where}: is ${kind}, expected a video`,
      "Give it as an image (--image), or as a frame of one (--video-frame).",
    );
  if (!/ video$|sound or video$|^binary data/.test(kind))
    throw videoError(
      `${where}: looks like ${kind}, expected a video`,
      "Check the path, or get the file again; read are MP4, QuickTime, WebM, Matroska, AVI, animated GIF and WebP, and folders of frames.",
    );
  await requireWhole(path, where);
  return await openContainer(path, await decoderFor(options), { ...options, where });
}

/** @throws LlavaError "video" for a file that ends before it says that it does */
async function requireWhole(path: string, where: string): Promise<void> {
  await using file = await openFile(path);
  const stated = await statedLength(file);
  const { size } = await file.stat();
  if (stated !== undefined && size < stated)
    throw videoError(`${where}: cut short: ${size} of ${stated} bytes are there`, "Get the file again.");
}

/** The program where it is named or asked for, else the library where that is installed. */
async function decoderFor({ isApart = false }: VideoOptions): Promise<VideoDecoder> {
  const named = process.env["LLAVA_FFMPEG"];
  const library = named || isApart ? undefined : await nodeAvDecoder();
  return library ?? ffmpegDecoder(named || "ffmpeg");
}

async function openContainer(
  path: string,
  decoder: VideoDecoder,
  options: VideoOptions & { readonly where: string },
): Promise<OpenedVideo> {
  const { where } = options;
  const video = await decoder.probe(path, options).catch((cause: unknown) => {
    throw (cause as NodeJS.ErrnoException).code === "ENOENT" ? noDecoder(options, cause) : cause;
  });
  const { size, timeBase, pts, count, rate } = video;
  requireSize(size, where, options.maxPixels);
  return {
    where,
    size,
    rate,
    times: Array.from({ length: count }, (_, i) => (pts ? (pts[i]! - pts[0]!) * timeBase : i / rate)),
    frames: (indices) => repeated(indices, decoder.frames(path, video, distinctOf(indices), options)),
  };
}

const noDecoder = ({ where = "", isApart = false }: VideoOptions, cause: unknown) =>
  videoError(
    `${where}: there is no decoder for video files here`,
    `Install ffmpeg and have it on the PATH, or name the program in LLAVA_FFMPEG${isApart ? "" : "; or `npm install node-av` (FFmpeg's libraries under the GPL-3)"}. Animated GIF and WebP, and folders of frames, need none.`,
    cause,
  );

/** @throws LlavaError "video" for what cannot be read or is empty */
async function kindOf(path: string, where: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) return "folder";
    await using file = await openFile(path);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(KIND_BYTES), 0, KIND_BYTES, 0);
    if (bytesRead === 0) throw videoError(`${where}: the file is empty`, "Get the file again.");
    return describeBytes(buffer.subarray(0, bytesRead));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "video") throw cause;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw videoError(`${where}: no such file`, "Check the path.", cause);
    throw videoError(
      `${where}: cannot be read: ${(cause as Error).message}`,
      "Check that it may be read.",
      cause,
    );
  }
}
