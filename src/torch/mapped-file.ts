import { LlavaError } from "../errors.ts";
import { native } from "./binding.ts";
import { codeOf, type DType } from "./dtype.ts";
import { explain } from "./errors.ts";
import { adopt } from "./scope.ts";
import type { Tensor } from "./tensor.ts";

/** A file in memory without having been read: pages come when they are touched, and are shared between processes. */
export class MappedFile {
  readonly path: string;
  readonly byteLength: number;
  readonly #mapping: object;

  private constructor(path: string, mapping: object, byteLength: number) {
    this.path = path;
    this.#mapping = mapping;
    this.byteLength = byteLength;
  }

  static open(path: string): MappedFile {
    try {
      const [mapping, byteLength] = native.mapFile(path);
      return new MappedFile(path, mapping, byteLength);
    } catch (error) {
      throw new LlavaError("checkpoint", `${(error as Error).message}`, { cause: error });
    }
  }

  /** A copy of bytes `start` to `end`. */
  bytes(start = 0, end = this.byteLength): Uint8Array {
    try {
      return new Uint8Array(native.mappedBytes(this.#mapping, start, end));
    } catch (error) {
      throw explain(error, this.path, []);
    }
  }

  /** A tensor over the file's own pages, with no copy. It keeps the mapping alive; writing to it never reaches the file. */
  tensor(byteOffset: number, shape: readonly number[], dtype: DType): Tensor {
    try {
      return adopt(native.mappedTensor(this.#mapping, byteOffset, shape, codeOf(dtype)));
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
