import { loadStrict, type ParameterTree, renamed, type TensorSource } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { createLlava, type Llava, type LlavaConfig } from "../models/index.ts";
import { aten, scope } from "../torch/index.ts";
import { isAdapter } from "./adapter-files.ts";
import { type CheckpointFolders, checkpointFolders } from "./checkpoint-folders.ts";
import { keeping, placementOf } from "./kept-weights.ts";
import { openFolders, someOf } from "./open-processor.ts";
import {
  type DescribedModel,
  type LoadOptions,
  loaded,
  moduleName,
  type PretrainedLlava,
} from "./pretrained.ts";
import { unusedTensors } from "./unused-tensors.ts";

/** Loads a checkpoint in Hugging Face's or the original LLaVA layout. Its small files are read before its weights. */
export async function loadCheckpoint(folder: string, options: LoadOptions = {}): Promise<PretrainedLlava> {
  if (isAdapter(folder))
    throw new LlavaError("checkpoint", `${folder} holds an adapter, no model (adapter_config.json)`, {
      hint: "loadPretrained finds its base model and loads both.",
    });
  return loaded(await describeFolders(await checkpointFolders(folder, options), options));
}

export async function describeFolders(
  folders: CheckpointFolders,
  options: LoadOptions,
): Promise<DescribedModel> {
  const { config, processor, origin } = await openFolders(folders, options);
  return { processor, origin, load: () => loadWeights(folders, config, options) };
}

/** The weights of what `described` says. */
export function loadWeights(
  { open, withoutProjector = false }: Pick<CheckpointFolders, "open" | "withoutProjector">,
  described: LlavaConfig,
  { report = () => {}, ...options }: LoadOptions,
): Llava {
  using source = renamed(open(described), moduleName);
  const config = withStoredHead(described, source, report);
  const model = createLlava(config);
  const target = keeping(model, model.languageModel, { ...options, report });
  const unused = unusedTensors(model);
  const { ignored } = loadStrict(withoutProjector ? allButProjector(target) : target, source, {
    ...placementOf(options),
    ignore: [...unused, ELSEWHERE],
  });
  const strays = ignored.filter((name) => !unused.some((pattern) => pattern.test(name)));
  if (strays.length > 0)
    report(`${source.where}: not used, being of no part of the model: ${someOf(strays)}`);
  if (options.computeDtype !== undefined) model.computeDtype = options.computeDtype;
  return model;
}

/** Tensors that lie in none of the model's parts, and so cannot be of another form of one. */
const ELSEWHERE =
  /^(?!(?:language_model|vision_tower|vision_resampler|multi_modal_projector|mm_projector|image_newline)(?:\.|$))/;

const HEAD = "language_model.lm_head.weight";
const EMBEDDING = "language_model.embed_tokens.weight";

/**
 * Output weights that are stored beside the embedding they are said to be tied to, with other values, are used, as
 * transformers does since version 5.
 */
function withStoredHead(
  config: LlavaConfig,
  source: TensorSource,
  report: (line: string) => void,
): LlavaConfig {
  if (!config.text.tieWordEmbeddings || !source.has(HEAD) || !source.has(EMBEDDING)) return config;
  const isSame = scope(() => {
    const [head, embedding] = [source.read(HEAD), source.read(EMBEDDING)];
    return aten.equal(head, embedding.to(head.dtype));
  });
  if (isSame) return config;
  report(
    `${source.where}: tie_word_embeddings is true, but lm_head is stored with other values than the embedding's; it is used as stored`,
  );
  return { ...config, text: { ...config.text, tieWordEmbeddings: false } };
}

/** A projector that is to be drawn, or comes from another file, has no place in the checkpoint. */
const allButProjector = (target: ParameterTree): ParameterTree => ({
  namedParameters: () =>
    new Map([...target.namedParameters()].filter(([name]) => !name.startsWith("multi_modal_projector."))),
  setParameter: (name, tensor) => target.setParameter(name, tensor),
  load: (name, source) => target.load?.(name, source) ?? false,
});
