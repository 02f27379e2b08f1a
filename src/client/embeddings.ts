import { z } from "zod";
import { describeIssues } from "../files/index.ts";
import { imageUrl } from "./data-url.ts";
import { EndpointError, statusError } from "./endpoint-error.ts";
import { readText } from "./endpoint-model.ts";
import { authorization, completionsUrl, type EndpointModelOptions } from "./endpoint-options.ts";
import { post } from "./post.ts";

const answer = z.object({
  data: z.array(z.object({ index: z.int().min(0).optional(), embedding: z.array(z.number()).min(1) })),
});

/** Embeddings of an endpoint that speaks OpenAI's protocol; of images in the form that vLLM takes, as a message. */
export class EmbeddingEndpoint {
  readonly id: string;
  readonly #url: string;
  readonly #options: EndpointModelOptions;

  /** @throws LlavaError "usage" for an address that is none */
  constructor(options: EndpointModelOptions) {
    this.id = options.model;
    this.#options = options;
    this.#url = completionsUrl(options.url).replace(/\/chat\/completions$/, "/embeddings");
  }

  /** In the order of the texts. @throws EndpointError */
  async texts(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    const vectors = await this.#ask({ input: texts }, signal);
    if (vectors.length === texts.length) return vectors;
    throw new EndpointError(
      `${this.#url} answered with ${vectors.length} embeddings of ${texts.length} texts`,
      {
        retryable: false,
      },
    );
  }

  /** @throws EndpointError, LlavaError "image" for one that cannot be sent */
  async image(path: string, signal: AbortSignal): Promise<Float32Array> {
    const url = await imageUrl(path, this.#options.maxImageBytes);
    const messages = [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }];
    return (await this.#ask({ messages }, signal))[0]!;
  }

  async #ask(input: object, signal: AbortSignal): Promise<Float32Array[]> {
    const headers = { "content-type": "application/json", ...authorization(this.#options) };
    const body = JSON.stringify({
      model: this.id,
      encoding_format: "float",
      ...input,
      ...this.#options.extraBody,
    });
    const within = AbortSignal.any([signal, AbortSignal.timeout(this.#options.timeoutMs ?? 600_000)]);
    const text = await this.#post(headers, body, within);
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw new EndpointError(`${this.#url} answered with no JSON`, { retryable: true, cause });
    }
    const { success, data, error } = answer.safeParse(json);
    if (!success)
      throw new EndpointError(`${this.#url} answered with no embeddings: ${describeIssues(error)}`, {
        retryable: true,
      });
    return data.data
      .map(({ index, embedding }, place) => ({ index: index ?? place, embedding }))
      .sort((a, b) => a.index - b.index)
      .map(({ embedding }) => Float32Array.from(embedding));
  }

  async #post(headers: Readonly<Record<string, string>>, body: string, signal: AbortSignal): Promise<string> {
    try {
      const response = await post(this.#url, headers, body, signal);
      const { statusCode: status = 0, headers: sent } = response;
      const text = await readText(response);
      if (status >= 200 && status <= 299) return text;
      throw statusError(this.#url, { status, headers: sent }, text, Date.now());
    } catch (cause) {
      if (cause instanceof EndpointError || signal.aborted) throw cause;
      throw new EndpointError(`${this.#url}: connection failed: ${(cause as Error).message}`, {
        retryable: true,
        hint: "Check that the server is running at this address.",
        cause,
      });
    }
  }
}
