import { statSync } from "node:fs";
import { LlavaError } from "../errors.ts";
import { readPrefix } from "../files/index.ts";
import { native } from "./binding.ts";
import { codeOf, type DType } from "./dtype.ts";
import { explain } from "./errors.ts";
import { adopt } from "./scope.ts";
import type { Tensor } from "./tensor.ts";

/**
 * A file in memory without having been read: pages come when they are touched, and are shared between processes. It is mapped
 * with the first tensor; until then bytes are read, which needs no libtorch.
 */
export class MappedFile {
  readonly path: string;
  readonly byteLength: number;
  #mapping: object | undefined;

  private constructor(path: string, byteLength: number) {
    this.path = path;
    this.byteLength = byteLength;
  }

  static open(path: string): MappedFile {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isFile()) return new MappedFile(path, found.size);
    throw new LlavaError("checkpoint", `${path}: ${found ? "not a file" : "No such file or directory"}`);
  }

  get #mapped(): object {
    if (this.#mapping !== undefined) return this.#mapping;
    try {
      const [mapping, byteLength] = native.mapFile(this.path);
      if (byteLength !== this.byteLength) throw new Error(`${this.path} has changed since it was opened`);
      this.#mapping = mapping;
      return mapping;
    } catch (error) {
      throw new LlavaError("checkpoint", `${(error as Error).message}`, { cause: error });
    }
  }

  /** A copy of bytes `start` to `end`. */
  bytes(start = 0, end = this.byteLength): Uint8Array {
    try {
      if (this.#mapping !== undefined) return new Uint8Array(native.mappedBytes(this.#mapping, start, end));
      const { bytes } = readPrefix(this.path, end - start, start);
      if (bytes.byteLength === end - start) return bytes;
      throw new Error(`${this.path} ends before byte ${end}`);
    } catch (error) {
      throw explain(error, this.path, []);
    }
  }

  /** A tensor over the file's own pages, with no copy. It keeps the mapping alive; writing to it never reaches the file. */
  tensor(byteOffset: number, shape: readonly number[], dtype: DType): Tensor {
    try {
      return adopt(native.mappedTensor(this.#mapped, byteOffset, shape, codeOf(dtype)));
    } catch (error) {
      throw explain(error, this.path, []);
    }
  }
}

/**
 * Takes the pages under a tensor of a mapped file out of memory, where it has been copied and is not needed any more: as
 * long as any tensor of the file lives, all pages that were touched would stay. Of other tensors nothing is released.
 */
export const releasePages = (tensor: Tensor): void => native.releasePages(tensor.slot);
