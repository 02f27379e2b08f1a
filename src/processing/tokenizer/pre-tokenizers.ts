import { type Component, gpt2Pattern, isolate } from "./words.ts";

/** How byte-level tokenizers cut text into words before they merge bytes. */
export interface PreTokenizer {
  readonly patterns: readonly string[];
  readonly normalizer?: Component;
  readonly takesWholeWords?: boolean;
}

const byteLevelPattern = (digits: string): string =>
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
  `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const gpt2: PreTokenizer = { patterns: [gpt2Pattern] };
const singleDigits: PreTokenizer = { patterns: ["\\p{N}", gpt2Pattern] };
export const llama3: PreTokenizer = { patterns: [byteLevelPattern("\\p{N}{1,3}")], takesWholeWords: true };
const qwen2: PreTokenizer = { patterns: [byteLevelPattern("\\p{N}")], normalizer: { type: "NFC" } };

/** How text is cut into words, by the name in `tokenizer.ggml.pre`. */
export const preTokenizers: Readonly<Record<string, PreTokenizer>> = {
  default: gpt2,
  "gpt-2": gpt2,
  smollm: singleDigits,
  starcoder: singleDigits,
  refact: singleDigits,
  "command-r": singleDigits,
  "llama-bpe": llama3,
  "llama-v3": llama3,
  llama3,
  qwen2,
  "deepseek-r1-qwen": qwen2,
};

/** The same as a component of a `tokenizer.json`. */
export const splitsOf = ({ patterns }: PreTokenizer): Component => ({
  type: "Sequence",
  pretokenizers: patterns.map(isolate),
});

/** What GGUF files call the cutting that a `tokenizer.json` describes; undefined for one that has no name here. */
export function preTokenizerName(json: {
  readonly normalizer?: Component | null;
  readonly pre_tokenizer?: Component | null;
  readonly model: { readonly ignore_merges?: boolean };
}): string | undefined {
  const patterns = patternsOf(json.pre_tokenizer ?? null);
  const normalizer = json.normalizer?.type;
  const found = Object.entries(preTokenizers).find(
    ([name, known]) =>
      name !== "default" &&
      String(known.patterns) === String(patterns) &&
      known.normalizer?.type === normalizer &&
      (known.takesWholeWords ?? false) === (json.model.ignore_merges ?? false),
  );
  return patterns && found?.[0];
}

/** Patterns that isolate words, one after another; undefined where other components are among them. */
function patternsOf(component: Component | null): string[] | undefined {
  if (component === null) return [];
  const { type, pattern, behavior, invert } = component;
  if (type === "Sequence") {
    const parts = (component["pretokenizers"] as Component[]).map(patternsOf);
    return parts.includes(undefined) ? undefined : (parts as string[][]).flat();
  }
  const regex = (pattern as { Regex?: string } | undefined)?.Regex;
  if (type === "Split" && regex !== undefined && behavior === "Isolated" && invert !== true) return [regex];
  if (type === "Digits" && component["individual_digits"] === true) return ["\\p{N}"];
  if (type !== "ByteLevel" || component["add_prefix_space"] === true) return undefined;
  return component["use_regex"] === false ? [] : [gpt2Pattern];
}
