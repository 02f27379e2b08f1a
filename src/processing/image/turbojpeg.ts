import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { nativeFunctions } from "../../files/index.ts";
import type { JpegHeader } from "./jpeg-header.ts";

/** The functions of libjpeg-turbo's TurboJPEG 3 that decoding takes; they return 0 unless something is wrong. */
type Library = {
  readonly init: (type: number) => unknown;
  readonly destroy: (handle: unknown) => void;
  readonly set: (handle: unknown, parameter: number, value: number) => number;
  readonly get: (handle: unknown, parameter: number) => number;
  readonly readHeader: (handle: unknown, jpeg: Uint8Array, bytes: number) => number;
  readonly decompress: Decompress & {
    readonly async: (...parameters: [...Parameters<Decompress>, Done]) => void;
  };
};
type Decompress = (
  handle: unknown,
  jpeg: Uint8Array,
  bytes: number,
  pixels: Uint8Array,
  pitch: number,
  format: number,
) => number;
type Done = (error: unknown, status: number) => void;

// turbojpeg.h
const DECOMPRESS = 1;
const RGB = 0;
const [STOP_ON_WARNING, WIDTH, HEIGHT] = [0, 5, 6];

/** The calls that run at a time in other threads: as many as Node has for that, and libraries share them. */
const mostAtOnce = 4;
/** What calls that run read and write: held here, so that the garbage collector cannot take it from under them. */
const inUse = new Set<Uint8Array[]>();
const waiting: (() => void)[] = [];

/**
 * The RGB pixels of a grey or colour JPEG by libjpeg-turbo, with the exact inverse transform and smooth chroma, as Pillow
 * decodes it, in less than half of sharp's time. undefined where the library is not installed, and for a file in which it finds
 * anything to complain of. The main thread stays free meanwhile; a worker thread decodes by itself.
 */
export async function decodeJpeg(jpeg: Uint8Array, header: JpegHeader): Promise<Uint8Array | undefined> {
  library ??= load();
  const turbo = await library;
  if (turbo === undefined) return undefined;
  while (isMainThread && inUse.size >= mostAtOnce)
    await new Promise<void>((resolve) => waiting.push(resolve));
  const held = [jpeg];
  inUse.add(held);
  try {
    const pixels = new Uint8Array(Buffer.allocUnsafeSlow(header.width * header.height * 3).buffer);
    held.push(pixels);
    return (await decompress(turbo, jpeg, header, pixels)) ? pixels : undefined;
  } finally {
    inUse.delete(held);
    waiting.shift()?.();
  }
}

/** Whether all went well, so that `pixels` are filled. */
async function decompress(
  turbo: Library,
  jpeg: Uint8Array,
  { width, height }: JpegHeader,
  pixels: Uint8Array,
): Promise<boolean> {
  const handle = turbo.init(DECOMPRESS);
  try {
    turbo.set(handle, STOP_ON_WARNING, 1);
    if (turbo.readHeader(handle, jpeg, jpeg.length) !== 0) return false;
    if (turbo.get(handle, WIDTH) !== width || turbo.get(handle, HEIGHT) !== height) return false;
    const parameters = [handle, jpeg, jpeg.length, pixels, 0, RGB] as const;
    if (!isMainThread) return turbo.decompress(...parameters) === 0;
    return await new Promise((resolve, reject) =>
      turbo.decompress.async(...parameters, (error, status) =>
        error ? reject(error) : resolve(status === 0),
      ),
    );
  } finally {
    turbo.destroy(handle);
  }
}

let library: Promise<Library | undefined> | undefined;

/** @julusian/jpeg-turbo's own functions use the fast, inexact transform: only the library that lies beside is used. */
async function load(): Promise<Library | undefined> {
  try {
    const require = createRequire(import.meta.url);
    const folder = dirname(require.resolve("@julusian/jpeg-turbo/package.json"));
    const { resolve } = require("pkg-prebuilds") as {
      resolve(folder: string, options: object, verify: boolean, isNeeded: boolean): string | null;
    };
    const binding = resolve(folder, require("@julusian/jpeg-turbo/binding-options"), true, false);
    const path = binding && join(dirname(binding), "libturbojpeg.so.0");
    if (!path || !existsSync(path)) return undefined;
    const koffi = await nativeFunctions();
    const turbo = koffi.load(path);
    return {
      init: turbo.func("void *tj3Init(int type)"),
      destroy: turbo.func("void tj3Destroy(void *handle)"),
      set: turbo.func("int tj3Set(void *handle, int parameter, int value)"),
      get: turbo.func("int tj3Get(void *handle, int parameter)"),
      readHeader: turbo.func("int tj3DecompressHeader(void *handle, const uint8_t *jpeg, size_t bytes)"),
      decompress: turbo.func(
        "int tj3Decompress8(void *handle, const uint8_t *jpeg, size_t bytes, uint8_t *pixels, int pitch, int format)",
      ),
    };
  } catch {
    return undefined; // not for this machine: sharp decodes instead
  }
}
