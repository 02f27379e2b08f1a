import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";

/** A component of a `tokenizer.json`: its `type` and the settings of that type. */
export interface Component {
  readonly type: string;
  readonly [setting: string]: unknown;
}

/** Normalises a stretch of text and cuts it into the words that byte-pair encoding works on. */
export type WordSplitter = (text: string, isFirst: boolean) => readonly string[];

/** The split of GPT-2: contractions, letters, digits, other marks, each with the space before it. */
export const gpt2Pattern =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

export const isolate = (pattern: string): Component => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});

/**
 * Builds the splitter from the `normalizer` and `pre_tokenizer` of a `tokenizer.json`. The library's own
 * byte-level and digit splitters use JavaScript's `\s` and `\d`, which are not Unicode's White_Space and Number;
 * both are written as `Split`, whose patterns it translates faithfully. Bytes are mapped later, word by word.
 */
export function wordSplitter(normalizer: Component | null, preTokenizer: Component | null): WordSplitter {
  const library = new LibraryTokenizer(
    {
      model: { type: "BPE", vocab: {}, merges: [] },
      added_tokens: [],
      normalizer,
      pre_tokenizer: preTokenizer && faithful(preTokenizer),
      post_processor: null,
      decoder: null,
    },
    {},
  );
  const normalize = library.normalizer;
  const split = library.pre_tokenizer;
  const addsSpace =
    preTokenizer !== null && someComponent(preTokenizer, (c) => c["add_prefix_space"] === true);
  return (text, isFirst) => {
    let normalized = normalize ? normalize.normalize(text) : text;
    if (addsSpace && !normalized.startsWith(" ")) normalized = ` ${normalized}`;
    if (normalized === "") return [];
    return split ? split.pre_tokenize(normalized, { section_index: isFirst ? 0 : 1 }) : [normalized];
  };
}

function faithful(component: Component): Component {
  switch (component.type) {
    case "ByteLevel":
      return component["use_regex"] === false
        ? { type: "Sequence", pretokenizers: [] }
        : isolate(gpt2Pattern);
    case "Digits":
      return isolate(component["individual_digits"] ? "\\p{N}" : "\\p{N}+");
    case "Sequence":
      return { ...component, pretokenizers: (component["pretokenizers"] as Component[]).map(faithful) };
    default:
      return component;
  }
}

/** Whether `component`, or a part of it when it is a sequence, passes the test. */
export function someComponent(component: Component | null, test: (component: Component) => boolean): boolean {
  if (component === null) return false;
  const parts = component["pretokenizers"] ?? component["normalizers"] ?? component["decoders"] ?? [];
  return test(component) || (parts as Component[]).some((part) => someComponent(part, test));
}
