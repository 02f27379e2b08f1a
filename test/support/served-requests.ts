import {
  type Message,
  type ServedPart,
  type ServedRequest,
  type ServedToken,
  type Usage,
  userMessage,
} from "../../src/protocol/index.ts";
import { mulberry32 } from "../../src/random/index.ts";

/** All that is told of a request. */
export interface Told {
  readonly prompt: Usage | undefined;
  readonly choices: readonly {
    readonly text: string;
    readonly tokens: readonly ServedToken[];
    readonly reason: string;
    readonly matched: string | number | undefined;
    readonly usage: Usage;
  }[];
}

export async function told(parts: AsyncIterable<ServedPart>): Promise<Told> {
  let prompt: Usage | undefined;
  const texts: string[] = [];
  const tokens: ServedToken[][] = [];
  const choices: Told["choices"][number][] = [];
  for await (const part of parts)
    if (part.type === "prompt") prompt = part.usage;
    else if (part.type === "delta") {
      texts[part.choice] = (texts[part.choice] ?? "") + part.text;
      tokens[part.choice] = [...(tokens[part.choice] ?? []), ...(part.tokens ?? [])];
    } else {
      const { choice, reason, matched, usage } = part;
      choices[choice] = { text: texts[choice] ?? "", tokens: tokens[choice] ?? [], reason, matched, usage };
    }
  return { prompt, choices };
}

/** What must not depend on anything beside a request; numbers to the last bit. */
export const essence = ({ choices }: Told) =>
  choices.map(({ text, tokens, reason, matched }) => ({
    text,
    reason,
    matched,
    tokens: tokens.map(({ id, logprob, top }) => [
      id,
      logprob,
      top.map((other) => [other.id, other.logprob]),
    ]),
  }));

/** Requests of all kinds, of which some share their beginnings, images and owners; the same for a seed. */
export function requestsOf(
  count: number,
  images: readonly Uint8Array[],
  { seed, mostTokens }: { readonly seed: number; readonly mostTokens: number },
): ServedRequest[] {
  const random = mulberry32(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const ids = (i: number) => Array.from({ length: 1 + (i % 50) }, (_, k) => 5 + ((k * 7 + i) % 60));
  const conversation = (): Message[] => {
    const words = "what is seen here and why is that so ".repeat(pick([1, 2, 3]));
    const seen = pick([[], [pick(images)], [pick(images), pick(images)]]);
    const question = userMessage(words.slice(0, 4 + Math.floor(random() * words.length)), seen);
    if (random() < 0.7) return [question];
    return [question, { role: "assistant", content: "a cat" }, userMessage(pick(["sure?", "why?"]))];
  };
  return Array.from(
    { length: count },
    (_, i): ServedRequest => ({
      prompt: random() < 0.15 ? { ids: ids(i) } : { messages: conversation() },
      choices: pick([1, 1, 1, 2, 3]),
      owner: pick(["one", "other"]),
      sampling: {
        maxTokens: 1 + Math.floor(random() * mostTokens),
        ignoreEos: random() < 0.7,
        topLogprobs: 2,
        ...pick([{}, { temperature: 1, seed: i }, { temperature: 1, topK: 20, seed: i }]),
        ...pick([{}, {}, { frequencyPenalty: 0.5, presencePenalty: 0.25 }, { repetitionPenalty: 1.3 }]),
      },
    }),
  );
}
