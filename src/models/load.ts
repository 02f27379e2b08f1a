import { existsSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { isAdapter, merged, openAdapter, readAdapterConfig } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { type ResolvedModel, resolveModel } from "../setup/index.ts";
import { Generator } from "../torch/index.ts";
import { loadAdapter } from "./adapter.ts";
import { loadBuiltin } from "./builtin.ts";
import { mergeLora } from "./lora.ts";
import {
  type LoadOptions,
  loadCheckpoint,
  loadFolders,
  type PretrainedLlava,
  weightsOf,
} from "./pretrained.ts";

export interface PretrainedOptions extends LoadOptions {
  /** Base model of an adapter: folder, built-in or hub name, instead of the one that the adapter names. */
  readonly base?: string;
  /** Finds the files of a base model or vision tower; `resolveModel` by default. */
  readonly resolve?: (name: string) => Promise<ResolvedModel>;
}

/** Loads whatever `resolveModel` found. An adapter is merged into its base model, which is loaded for it. */
export async function loadPretrained(
  resolved: ResolvedModel,
  options: PretrainedOptions = {},
): Promise<PretrainedLlava> {
  if (resolved.kind === "builtin") return loadBuiltin(resolved, options);
  if (isAdapter(resolved.path)) return loadAdapted(resolved.path, options);
  return loadCheckpoint(resolved.path, { resolve: resolveModel, ...options });
}

/**
 * Base, then modules trained as a whole, then the low-rank parts. Where the folder has a configuration of its own, as the
 * original LLaVA's have, the base may be a language model alone.
 */
async function loadAdapted(folder: string, options: PretrainedOptions): Promise<PretrainedLlava> {
  const { base: _, ...others } = options;
  const base = await findBase(folder, options);
  const isWhole = existsSync(join(folder, "config.json"));
  if (isWhole && base.kind === "builtin")
    throw new LlavaError(
      "checkpoint",
      `${folder}: its base is a folder's weights, not the built-in ${base.name}`,
      {
        hint: "Give the folder of the language model that it was trained from (--base).",
      },
    );
  const pretrained =
    isWhole && base.kind === "folder"
      ? await loadFolders(
          {
            config: folder,
            files: base.path,
            open: (config) => merged(openAdapter(folder).whole, weightsOf(base.path, config)),
          },
          others,
        )
      : await loadPretrained(base, others);
  using generator = new Generator(0);
  try {
    loadAdapter(pretrained.model, folder, { generator, wholeModules: isWhole ? "none" : "all" });
    mergeLora(pretrained.model);
  } catch (error) {
    pretrained[Symbol.dispose]();
    throw error;
  }
  return pretrained;
}

async function findBase(folder: string, options: PretrainedOptions): Promise<ResolvedModel> {
  const { baseModel } = readAdapterConfig(folder);
  const name = options.base ?? baseModel;
  if (name === undefined)
    throw new LlavaError("checkpoint", `${folder} holds an adapter that names no base model`, {
      hint: "Give its folder or name (--base).",
    });
  const beside = options.base === undefined && !isAbsolute(name) ? join(folder, name) : name;
  if (statSync(beside, { throwIfNoEntry: false })?.isDirectory())
    return { kind: "folder", path: resolve(beside) };
  try {
    return await (options.resolve ?? resolveModel)(name);
  } catch (cause) {
    if (!(cause instanceof LlavaError) || cause.code === "aborted") throw cause;
    throw new LlavaError(cause.code, `${folder} holds an adapter of ${name}: ${cause.message}`, {
      hint: "Give the base model's folder or name (--base).",
      cause,
    });
  }
}
