import type { BatchEndpoint } from "../../../client/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { Answerer } from "../../../runner/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { type EndpointFlags, endpointOptions, openEndpoint } from "../../frame/endpoint-options.ts";
import type { ModelFlags } from "../../frame/model-options.ts";

/** Who answers. */
export interface AnswererFlags extends EndpointFlags, ModelFlags {
  readonly batchSize: number;
  readonly batchApi?: boolean;
}

export interface OpenAnswerer extends AsyncDisposable {
  readonly answerer: Answerer;
  readonly batches?: BatchEndpoint | undefined;
}

/** A model of an endpoint's, or one on this machine. */
export async function openAnswerer(
  model: string,
  endpoint: string | undefined,
  flags: AnswererFlags,
  context: CommandContext,
  signal: AbortSignal,
): Promise<OpenAnswerer> {
  if (endpoint === undefined) {
    if (flags.batchApi)
      throw new LlavaError("usage", "--batch-api takes --endpoint", {
        hint: "A model on this machine has none.",
      });
    const { EngineAnswerer } = await import("../../frame/engine-answerer.ts");
    const answerer = await EngineAnswerer.create(model, flags, context, signal);
    return { answerer, [Symbol.asyncDispose]: () => answerer[Symbol.asyncDispose]() };
  }
  const { BatchEndpoint } = await import("../../../runner/index.ts");
  return {
    answerer: await openEndpoint(endpoint, model, flags),
    ...(flags.batchApi && { batches: new BatchEndpoint(endpointOptions(endpoint, model, flags)) }),
    [Symbol.asyncDispose]: async () => {},
  };
}
