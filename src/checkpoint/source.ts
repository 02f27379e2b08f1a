import { LlavaError } from "../errors.ts";
import type { Blocks, DType, Tensor } from "../torch/index.ts";
import type { ForeignType } from "./foreign-types.ts";
import type { GgufType } from "./gguf/types.ts";

export interface TensorInfo {
  /** How the tensor is stored; `read` returns quantised types, and those of 8-bit floating point, as floating point. */
  readonly dtype: DType | GgufType | ForeignType;
  readonly shape: readonly number[];
}

/** Named tensors in a file, several files, or a view of either. Tensors already read outlive the source. */
export interface TensorSource extends Disposable {
  /** The file or folder, for messages. */
  readonly where: string;
  names(): Iterable<string>;
  has(name: string): boolean;
  /** Whether a tensor may be left without a place: an index of shards does not list it. */
  isSpare?(name: string): boolean;
  /** Throws LlavaError("checkpoint") for an unknown name, as does `read`. */
  info(name: string): TensorInfo;
  /**
   * The tensor on the CPU, as stored or converted to `dtype` (quantised ones to float32 unless told otherwise). Plain
   * types are views of the mapped file where possible: copy before writing to one. Throws LlavaError("checkpoint") for a
   * tensor of a type that is not read.
   */
  read(name: string, dtype?: DType): Tensor;
  /** A matrix in blocks as they lie in the file, where it is stored so; a view of the mapped file where possible. */
  blocks?(name: string): Blocks | undefined;
}

/** A source over a table of entries of any kind, given how to describe, read and close them. */
export function tableSource<Entry>(
  where: string,
  entries: ReadonlyMap<string, Entry>,
  access: {
    info(entry: Entry, name: string): TensorInfo;
    read(entry: Entry, name: string, dtype?: DType): Tensor;
    blocks?(entry: Entry, name: string): Blocks | undefined;
    isSpare?(entry: Entry, name: string): boolean;
    dispose?(): void;
  },
): TensorSource {
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name);
    if (entry !== undefined) return entry;
    throw new LlavaError("checkpoint", `${where} has no tensor ${name}`, {
      hint: "The checkpoint is of another architecture, or not complete.",
    });
  };
  return {
    where,
    names: () => entries.keys(),
    has: (name) => entries.has(name),
    isSpare: (name) => access.isSpare?.(entryOf(name), name) ?? false,
    info: (name) => access.info(entryOf(name), name),
    read: (name, dtype) => access.read(entryOf(name), name, dtype),
    blocks: (name) => access.blocks?.(entryOf(name), name),
    [Symbol.dispose]: () => access.dispose?.(),
  };
}

/** A view of `source` with other names; a name mapped to undefined is left out. Two tensors under one name are refused. */
export function renamed(source: TensorSource, rename: (name: string) => string | undefined): TensorSource {
  const stored = new Map<string, string>();
  for (const name of source.names()) {
    const visible = rename(name);
    if (visible === undefined) continue;
    const other = stored.get(visible);
    if (other !== undefined) {
      throw new LlavaError("checkpoint", `${source.where}: ${other} and ${name} are both ${visible}`, {
        hint: "Two copies of a tensor under different naming conventions; remove one set.",
      });
    }
    stored.set(visible, name);
  }
  return tableSource(source.where, stored, {
    info: (name) => source.info(name),
    read: (name, _, dtype) => source.read(name, dtype),
    blocks: (name) => source.blocks?.(name),
    isSpare: (name) => source.isSpare?.(name) ?? false,
    dispose: () => source[Symbol.dispose](),
  });
}

/** The tensors under `prefix`, named without it. */
export function subtree(source: TensorSource, prefix: string): TensorSource {
  return renamed(source, (name) => (name.startsWith(prefix) ? name.slice(prefix.length) : undefined));
}

/** All tensors of several sources; where two have the same name the first source wins. Disposes all of them. */
export function merged(...sources: readonly TensorSource[]): TensorSource {
  const owners = new Map<string, TensorSource>();
  for (const source of sources) {
    for (const name of source.names()) if (!owners.has(name)) owners.set(name, source);
  }
  return routed(sources.map((source) => source.where).join(" + "), owners, sources);
}

/**
 * Each tensor from the source that `owners` names for it, those that `isSpare` tells as spare ones. Disposes all of
 * `sources`.
 */
export function routed(
  where: string,
  owners: ReadonlyMap<string, TensorSource>,
  sources: Iterable<TensorSource>,
  isSpare: (name: string) => boolean = () => false,
): TensorSource {
  return tableSource(where, owners, {
    info: (owner, name) => owner.info(name),
    read: (owner, name, dtype) => owner.read(name, dtype),
    blocks: (owner, name) => owner.blocks?.(name),
    isSpare: (owner, name) => isSpare(name) || (owner.isSpare?.(name) ?? false),
    dispose: () => {
      for (const source of sources) source[Symbol.dispose]();
    },
  });
}
