import { type Command, InvalidArgumentError, Option } from "commander";
import type { JudgePromptChoice } from "../../evaluation/index.ts";
import { costOf, type Price, type Usage } from "../../protocol/index.ts";
import type { Answerer, RetryOptions } from "../../runner/index.ts";
import { count, positive } from "./model-options.ts";

/** What `addEndpointOptions` reads. */
export interface EndpointFlags {
  readonly concurrency: number;
  readonly timeout: number;
  readonly attempts: number;
  readonly keyVariable: string;
  readonly tokenLimitField: "max_tokens" | "max_completion_tokens";
  readonly extraBody?: Readonly<Record<string, unknown>>;
  readonly price?: Price;
}

/** Options of a command that asks an OpenAI-compatible endpoint. */
export function addEndpointOptions(command: Command): Command {
  return command
    .option("--concurrency <n>", "requests to an endpoint at once", count, 16)
    .option("--timeout <seconds>", "longest wait for one answer", positive, 600)
    .option("--attempts <n>", "times that a request is tried", count, 8)
    .option("--key-variable <name>", "environment variable that holds the endpoint's key", "OPENAI_API_KEY")
    .addOption(
      new Option("--token-limit-field <name>", "how the endpoint calls the longest answer")
        .choices(["max_tokens", "max_completion_tokens"])
        .default("max_tokens"),
    )
    .option("--extra-body <json>", "fields added to every request", jsonObject)
    .option(
      "--price <input/output[/cached]>",
      "of a million tokens each way, to show what a run costs; the third is that of the prompt's tokens from a cache",
      parsePrice,
    );
}

/** What `judgePromptOption` reads. */
export interface JudgePromptFlags {
  readonly judgePrompt: JudgePromptChoice;
}

/** Whose words a judge is asked in. */
export const judgePromptOption = (): Option =>
  new Option(
    "--judge-prompt <words>",
    "ask the judge in this project's own words or the official ones, where eval list shows both",
  )
    .choices(["own", "official"])
    .default("own");

/** An endpoint as flags describe it. */
export const endpointOptions = (
  url: string,
  model: string,
  { concurrency, timeout, keyVariable, tokenLimitField, extraBody }: EndpointFlags,
) => ({
  url,
  model,
  concurrency,
  apiKeyVariable: keyVariable,
  timeoutMs: timeout * 1000,
  tokenLimitField,
  ...(extraBody && { extraBody }),
});

/** The same as one who answers questions. */
export async function openEndpoint(url: string, model: string, flags: EndpointFlags): Promise<Answerer> {
  const { endpointAnswerer } = await import("../../runner/index.ts");
  return endpointAnswerer(endpointOptions(url, model, flags));
}

export const retryOf = ({ attempts }: EndpointFlags): RetryOptions => ({ attempts });

/** "1.2 M tokens, 0.43" */
export function showCost(usage: Usage, price: Price | undefined): string {
  const tokens = usage.promptTokens + usage.completionTokens;
  const amount =
    tokens < 10_000
      ? String(tokens)
      : tokens < 1e6
        ? `${Math.round(tokens / 1000)} k`
        : `${(tokens / 1e6).toFixed(1)} M`;
  if (price === undefined) return `${amount} tokens`;
  const cost = costOf(usage, price) ?? 0;
  return `${amount} tokens, cost ${cost.toFixed(cost < 1 ? 4 : 2)}`;
}

function jsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // told below
  }
  throw new InvalidArgumentError('Expected a JSON object, such as {"top_k": 1}.');
}

export function parsePrice(text: string): Price {
  const [input, output, cached, more] = text
    .split("/")
    .map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const isRight = [input, output, cached ?? 0].every((price) => price !== undefined && price >= 0);
  if (more === undefined && isRight)
    return { input: input!, output: output!, ...(cached !== undefined && { cached }) };
  throw new InvalidArgumentError("Expected two or three numbers, such as 2.50/10 or 2.50/10/1.25.");
}
