import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { LlavaError } from "../errors.ts";
import { sha256 } from "../files/index.ts";
import {
  type ContentPart,
  heldBytes,
  type ImageSource,
  isBase64Image,
  type Message,
  type SamplingOptions,
  type VideoSource,
} from "../protocol/index.ts";
import type { Answerer } from "./answerer.ts";

/** What a model is asked. The id is that of the benchmark's item. */
export interface Question {
  readonly id: string;
  readonly messages: readonly Message[];
  readonly sampling: SamplingOptions;
  /** Counted from 0; a question that is asked again although it was answered is another request. */
  readonly round?: number;
}

/** Digests of files that were read before: a file of the same size and time is not read again. */
export interface FileDigests {
  digest(path: string, size: number, changed: number): string | undefined;
  keepDigest(path: string, size: number, changed: number, digest: string): void;
}

/**
 * Names requests by all they consist of: SHA-256 over question id, model and its identity, messages, sampling, and the
 * content of each image, so that moving a dataset changes nothing and changing one image asks its questions again.
 */
export class RequestKeys {
  readonly #model: readonly string[];
  readonly #digests = new Map<string, Promise<string>>();

  readonly #kept: FileDigests | undefined;

  constructor({ id, identity }: Pick<Answerer, "id" | "identity">, kept?: FileDigests) {
    this.#model = [id, identity];
    this.#kept = kept;
  }

  /** @throws LlavaError "image" for a file that cannot be read */
  async of({ id, messages, sampling, round = 0 }: Question): Promise<string> {
    const pending: Promise<void>[] = [];
    const rendered = messages.map(({ role, content }) => [
      role,
      typeof content === "string" ? content : content.map((part) => this.#rendered(part, pending)),
    ]);
    if (pending.length > 0) await Promise.all(pending);
    const settings = Object.entries(sampling).sort(([one], [other]) => (one < other ? -1 : 1));
    return sha256(JSON.stringify([this.#model, id, round, rendered, settings]));
  }

  /** A part as its request is known by; what of it is still to come goes into `pending`. */
  #rendered(part: ContentPart, pending: Promise<void>[]): string | Readonly<Record<string, unknown>> {
    if (part.type === "text") return part.text;
    const digest = part.type === "image" ? this.#digest(part.image) : this.#digestVideo(part.video);
    const named: Record<string, unknown> = { [part.type]: digest };
    if (digest instanceof Promise)
      pending.push(
        (digest as Promise<unknown>).then((known) => {
          named[part.type] = known;
        }),
      );
    return named;
  }

  /** Lets go of digests of files, of which there may be very many. */
  forget(): void {
    this.#digests.clear();
  }

  #digestVideo(video: VideoSource): string | Promise<string | readonly string[]> {
    if ("path" in video) return this.#digest(video.path);
    return Promise.all(video.frames.map((frame) => this.#digest(frame)));
  }

  #digest(image: ImageSource): string | Promise<string> {
    if (!(image instanceof URL) && (typeof image !== "string" || isBase64Image(image)))
      return heldBytes(image).then((bytes) => sha256(bytes!));
    const text = String(image);
    if (/^(https?|data):/i.test(text)) return sha256(text);
    const known = this.#digests.get(text);
    if (known !== undefined) return known;
    const digest = fileDigest(/^file:/i.test(text) ? fileURLToPath(text) : text, this.#kept);
    this.#digests.set(text, digest);
    return digest;
  }
}

async function fileDigest(path: string, kept: FileDigests | undefined): Promise<string> {
  try {
    if (kept === undefined) return sha256(await readFile(path));
    const { size, mtimeMs } = await stat(path);
    const known = kept.digest(path, size, mtimeMs);
    if (known !== undefined) return known;
    const digest = sha256(await readFile(path));
    kept.keepDigest(path, size, mtimeMs, digest);
    return digest;
  } catch (cause) {
    throw new LlavaError("image", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "Check that the images lie where the benchmark expects them.",
      cause,
    });
  }
}
