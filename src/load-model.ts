import type { LocalModel } from "./generation/index.ts";
import type { LoadOptions as ImageLoadOptions } from "./processing/image/index.ts";
import type { ProgressFactory } from "./setup/index.ts";
import type { DType } from "./torch/index.ts";

export interface LoadModelOptions {
  /**
   * Element type of the weights. Without it they stay as stored, but for those of built-in models, which are stored in
   * 4 bits: those become what the device computes fastest in (bfloat16 on a GPU and on processors with instructions for it,
   * otherwise float32).
   */
  readonly dtype?: DType;
  /** "cpu" (the default), "cuda" or "cuda:N". */
  readonly device?: string;
  /** Base model of an adapter, by name or folder, instead of the one that the adapter names. */
  readonly base?: string;
  /** Name of a conversation template to use instead of the model's own. */
  readonly template?: string;
  /** Threads of libtorch's operators; all cores without it. */
  readonly threads?: number;
  /** Limits for images of prompts, and whether private addresses may be fetched. */
  readonly images?: ImageLoadOptions;
  /** Use only what is on this machine. */
  readonly offline?: boolean;
  /** Where downloads report how far they are. */
  readonly progress?: ProgressFactory;
  readonly report?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Loads the default model, or one by built-in name, folder or hub name ("organisation/name"), and fetches its files if
 * they are not here. The tensor library is loaded by the first call, not by importing this module.
 * @throws LlavaError "setup" without libtorch and its addon; "config", "network" or "checkpoint" for the model
 */
export async function loadModel(nameOrPath?: string, options: LoadModelOptions = {}): Promise<LocalModel> {
  const { dtype, device, base, template, threads, images, ...fetching } = options;
  const torch = await import("./torch/index.ts");
  const [{ defaultModel, resolveModel }, { loadPretrained }, { LocalModel }] = await Promise.all([
    import("./setup/index.ts"),
    import("./models/index.ts"),
    import("./generation/index.ts"),
  ]);
  const name = nameOrPath ?? defaultModel;
  const resolved = await resolveModel(name, fetching);
  if (threads !== undefined) torch.setNumThreads(threads);
  const chosen = dtype ?? (resolved.kind === "builtin" ? torch.fastDType(device).dtype : undefined);
  const pretrained = await loadPretrained(resolved, {
    ...(chosen && { dtype: chosen }),
    ...(device && { device: torch.useDevice(device) }),
    ...(template && { template }),
    ...(base && { base }),
    resolve: (other) => resolveModel(other, fetching),
  });
  return new LocalModel(pretrained, { id: name, ...(images && { images }) });
}
