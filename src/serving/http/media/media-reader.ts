import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LlavaError } from "../../../errors.ts";
import { describeBytes } from "../../../files/index.ts";
import { dataUrlBytes, openEncoded } from "../../../processing/image/index.ts";
import { openVideo } from "../../../processing/video/index.ts";
import type { VideoSource } from "../../../protocol/index.ts";
import { ApiError, apiErrorOf, invalidField } from "../api-error.ts";
import type { Holding } from "../guard/totals.ts";
import type { ServerLimits } from "../limits.ts";
import type { Fetcher } from "./fetcher.ts";

/** The images and videos of one request: as bytes, wherever they come from, and never a file that a client names. */
export class MediaReader implements AsyncDisposable {
  readonly #limits: ServerLimits;
  readonly #fetcher: Fetcher;
  readonly #holding: Holding;
  readonly #signal: AbortSignal;
  readonly #folders: string[] = [];
  #images = 0;
  #videos = 0;

  constructor(limits: ServerLimits, fetcher: Fetcher, holding: Holding, signal: AbortSignal) {
    this.#limits = limits;
    this.#fetcher = fetcher;
    this.#holding = holding;
    this.#signal = signal;
  }

  /** An encoded image whose header says that it may be decoded. @param param the field that names it */
  async image(url: string, param: string): Promise<Uint8Array> {
    if (++this.#images > this.#limits.images)
      throw invalidField(
        param,
        `there are more than ${this.#limits.images} images, which is the limit`,
        "too_many_images",
      );
    const bytes = await this.#bytes(url, param, { kind: "image", most: this.#limits.imageBytes });
    await this.#checkImage(bytes, param);
    return bytes;
  }

  /**
   * A video by its frames (`data:video/jpeg;base64,` and JPEGs joined by commas) or its file.
   * @param frames how many are read of a file
   */
  async video(url: string, param: string, frames: number): Promise<VideoSource> {
    if (++this.#videos > this.#limits.videos)
      throw invalidField(
        param,
        `there are more than ${this.#limits.videos} videos, which is the limit`,
        "too_many_videos",
      );
    const list = /^data:video\/jpeg;base64,/i.exec(url)?.[0];
    if (list !== undefined) return await this.#frameList(url.slice(list.length).split(","), param);
    const bytes = await this.#bytes(url, param, { kind: "video", most: this.#limits.videoBytes });
    const kind = describeBytes(bytes);
    if (!/^a (GIF|WebP) image$|^an? [\w ]+ video$/.test(kind))
      throw invalidField(param, `expected a video, an animated GIF or WebP`, "video_decode_failed");
    return await this.#videoFile(bytes, param, frames, / image$/.test(kind));
  }

  async #frameList(parts: readonly string[], param: string): Promise<VideoSource> {
    const { frames: most } = this.#limits;
    if (parts.length > most)
      throw invalidField(param, `has ${parts.length} frames; at most ${most} are read`, "too_many_frames");
    this.#holding.take("frames", parts.length);
    const frames: Uint8Array[] = [];
    for (const [index, base64] of parts.entries()) {
      const where = `${param}, frame ${index + 1}`;
      const bytes = this.#decoded(`data:image/jpeg;base64,${base64}`, where, "image");
      await this.#checkImage(bytes, where);
      frames.push(bytes);
    }
    return { frames };
  }

  /** Decoders of videos read files, so that one is written under a name of the server's own. */
  async #videoFile(
    bytes: Uint8Array,
    param: string,
    frames: number,
    isAnimation: boolean,
  ): Promise<VideoSource> {
    const folder = await mkdtemp(join(tmpdir(), "llava-serve-"));
    this.#folders.push(folder);
    const path = join(folder, "video");
    await writeFile(path, bytes, { mode: 0o600 });
    try {
      const { times, size } = await openVideo(
        { path },
        {
          where: param,
          signal: this.#signal,
          isApart: true,
        },
      );
      // All of an animation is decoded, however few of its frames are seen.
      const read = isAnimation ? times.length : Math.min(times.length, frames);
      this.#holding.take("frames", read);
      this.#holding.take("pixels", read * size.width * size.height);
    } catch (error) {
      throw this.#refused(error, param);
    }
    return { path };
  }

  async #bytes(
    url: string,
    param: string,
    { kind, most }: { readonly kind: "image" | "video"; readonly most: number },
  ): Promise<Uint8Array> {
    const scheme = /^\s*([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
    if (scheme === "http" || scheme === "https") {
      const bytes = await this.#fetcher.fetch(url, { kind, most, param, signal: this.#signal });
      this.#holding.take("bytes", bytes.length);
      return bytes;
    }
    // Of a file nothing is told, not even whether it exists.
    if (scheme !== "data")
      throw invalidField(param, "expected an http:, https: or data: URL", `invalid_${kind}_url`);
    if (url.length > (most * 4) / 3 + 1000)
      throw new ApiError(
        413,
        `${kind}_too_large`,
        `${param}: the ${kind} is larger than ${most} bytes, which is the limit.`,
        { param },
      );
    return this.#decoded(url, param, kind);
  }

  #decoded(url: string, param: string, kind: "image" | "video"): Uint8Array {
    const type = /^\s*data:([^;,]*)/i.exec(url)![1]!.trim().toLowerCase();
    const isFitting = type === "" || type === "application/octet-stream" || type.startsWith(`${kind}/`);
    if (!isFitting && !(kind === "video" && /^image\/(gif|webp)$/.test(type)))
      throw invalidField(
        param,
        `a data: URL of ${kind === "image" ? "an image" : "a video"} says ${kind}/…`,
        `invalid_${kind}_url`,
      );
    try {
      const bytes = dataUrlBytes(url.trimStart(), param);
      this.#holding.take("bytes", bytes.length);
      return bytes;
    } catch (error) {
      throw this.#refused(error, param);
    }
  }

  async #checkImage(bytes: Uint8Array, param: string): Promise<void> {
    const { imagePixels: maxPixels, imageBytes: maxBytes } = this.#limits;
    try {
      const { size } = await openEncoded(bytes, { where: param, maxPixels, maxBytes });
      this.#holding.take("pixels", size.width * size.height);
    } catch (error) {
      throw this.#refused(error, param);
    }
  }

  #refused(error: unknown, param: string): unknown {
    if (!(error instanceof LlavaError)) return error;
    const { status, code, message } = apiErrorOf(error);
    // What a file begins with may be a text.
    return new ApiError(status, code, message.replace(/ that starts ".*?"(?=,|$)/s, ""), {
      param,
      cause: error,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const folders = this.#folders.splice(0);
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  }
}
