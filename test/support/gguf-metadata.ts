import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** What a GGUF file would say of a byte-level tokenizer among the fixtures, its words cut as `pre` names. */
export async function ggufMetadata(name: string, pre: string): Promise<Map<string, unknown>> {
  const file = fileURLToPath(new URL(`../fixtures/tokenizer/${name}/tokenizer.json`, import.meta.url));
  const json = JSON.parse(await readFile(file, "utf8"));
  const tokens: string[] = [];
  for (const [token, id] of Object.entries<number>(json.model.vocab)) tokens[id] = token;
  const kinds = tokens.map(() => 1);
  for (const { id, content, special } of json.added_tokens) {
    tokens[id] = content;
    kinds[id] = special ? 3 : 4;
  }
  return new Map<string, unknown>([
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", pre],
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", kinds],
    [
      "tokenizer.ggml.merges",
      json.model.merges.map((pair: string | string[]) => (typeof pair === "string" ? pair : pair.join(" "))),
    ],
    ["tokenizer.ggml.bos_token_id", tokens.indexOf("<s>")],
    ["tokenizer.ggml.eos_token_id", tokens.indexOf("</s>")],
    ["tokenizer.ggml.add_bos_token", false],
  ]);
}
