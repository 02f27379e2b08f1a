import { type GgufHeader, readGgufHeader } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { type JsonObject, parseJsonObject } from "../../files/index.ts";
import {
  configFromGguf,
  describeGgufText,
  type LanguageModelConfig,
  parseTextConfig,
  textFieldsFromGguf,
} from "../../models/index.ts";
import { TEXT_CONFIG } from "../gguf-words.ts";

export interface GgufText {
  readonly header: GgufHeader;
  readonly config: LanguageModelConfig;
  /** transformers' text_config. @throws LlavaError "config" where that has no words for it */
  fields(): JsonObject;
}

/** The language model that a GGUF file describes: by this project's words where they agree with the format's own. */
export function readText(path: string, report: (line: string) => void = () => {}): GgufText {
  const header = readGgufHeader(path);
  const config = configFromGguf(header, path);
  const stated = statedText(header, path);
  if (stated !== undefined && agrees(header, stated.config, config))
    return { header, config: stated.config, fields: () => stated.fields };
  if (stated !== undefined)
    report(`${path}: ${TEXT_CONFIG} is of another model than the other keys, which are followed`);
  const architecture = String(header.metadata.get("general.architecture"));
  return { header, config, fields: () => textFieldsFromGguf(config, architecture) };
}

function statedText({ metadata }: GgufHeader, path: string) {
  const text = metadata.get(TEXT_CONFIG);
  if (typeof text !== "string") return undefined;
  try {
    const fields = parseJsonObject(Buffer.from(text), path);
    return { fields, config: parseTextConfig(fields, `${path}, ${TEXT_CONFIG}`) };
  } catch (error) {
    if (error instanceof LlavaError) return undefined;
    throw error;
  }
}

/** Whether a file would say the same of `stated`. */
function agrees({ metadata }: GgufHeader, stated: LanguageModelConfig, own: LanguageModelConfig): boolean {
  if (stated.tieWordEmbeddings !== own.tieWordEmbeddings) return false;
  const described = typeOf(metadata);
  return [...describeGgufText(described, stated).metadata].every(([key, value]) => {
    const expected = typeof value === "object" && "float32" in value ? Math.fround(value.float32) : value;
    return metadata.get(key) === expected;
  });
}

const typeOf = (metadata: GgufHeader["metadata"]): string =>
  String(JSON.parse(String(metadata.get(TEXT_CONFIG)))["model_type"]);
