import { type GgufMetadata, loadTokenizer, type Tokenizer, tokenizerFromGguf } from "../tokenizer/index.ts";
import { choosePromptFormat, type FormatChoice } from "./choose-format.ts";
import type { PromptFormat } from "./templates.ts";

/** All that a tokenizer and a prompt format are made of, as plain data: what other threads are sent to make them too. */
export interface TextSource {
  /** The folder of the tokenizer's files, with control tokens that it may lack, or what a GGUF file says of it. */
  readonly tokenizer:
    | { readonly folder: string; readonly added?: readonly string[] }
    | { readonly metadata: GgufMetadata };
  readonly format: Omit<FormatChoice, "tokenizer">;
}

/** What text becomes ids by. */
export interface OpenText {
  readonly tokenizer: Tokenizer;
  readonly promptFormat: PromptFormat;
}

/** Throws what `loadTokenizer`, `tokenizerFromGguf` and `choosePromptFormat` throw. */
export async function openText({ tokenizer: source, format }: TextSource): Promise<OpenText> {
  const tokenizer =
    "folder" in source
      ? await loadTokenizer(source.folder, source.added)
      : tokenizerFromGguf(source.metadata);
  return { tokenizer, promptFormat: choosePromptFormat({ ...format, tokenizer }) };
}
