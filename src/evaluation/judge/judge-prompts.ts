import type { BenchmarkItem, JudgeProtocol } from "../benchmark.ts";
import { flattenPrompt, PromptHash } from "../prompting/index.ts";

/** Stands where an answer does. */
const placeholder = "<answer>";

/** Answers that are all the placeholder, for judgements that compare two. */
class Placeholders extends Map<string, string> {
  override get(): string {
    return placeholder;
  }

  override has(): boolean {
    return true;
  }
}

const placeholders = new Placeholders();

/** What a judge is asked, apart from the answers: equal for two models whose answers were judged alike. */
export class JudgePrompts {
  readonly #protocol: JudgeProtocol<BenchmarkItem>;
  readonly #hash = new PromptHash();
  /** The first prompt. */
  example = "";

  constructor(protocol: JudgeProtocol<BenchmarkItem>) {
    this.#protocol = protocol;
  }

  add(item: BenchmarkItem): void {
    const prompt = this.#protocol.prompt(item, placeholder, placeholders);
    this.example ||= flattenPrompt(prompt).text;
    this.#hash.add(item.id, prompt);
  }

  digest(): string {
    return this.#hash.digest();
  }
}
