import type { InstructOptions } from "../../../datagen/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { Answerer } from "../../../runner/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { type EndpointFlags, endpointOptions, openEndpoint } from "../../frame/endpoint-options.ts";

/** Who is asked. */
export interface TeacherFlags extends EndpointFlags {
  readonly endpoint?: string;
  readonly model?: string;
  readonly local?: string;
  readonly batchApi?: boolean;
  /** Modules of kinds of one's own, whose replies have forms of their own. */
  readonly kind?: readonly string[];
}

/** The teacher that flags describe; one who is never asked where they describe none. */
export async function openTeachers(
  options: TeacherFlags,
  context: CommandContext,
  signal: AbortSignal,
): Promise<InstructOptions["teachers"] & AsyncDisposable> {
  const { endpoint, model, local, extraBody } = options;
  if (local !== undefined) {
    const { EngineAnswerer } = await import("../../frame/engine-answerer.ts");
    const plain = await EngineAnswerer.create(local, { batchSize: 8 }, context, signal);
    return { plain, [Symbol.asyncDispose]: () => plain[Symbol.asyncDispose]() };
  }
  const nothing = async (): Promise<void> => {};
  if (endpoint === undefined) return { plain: nobody(model ?? ""), [Symbol.asyncDispose]: nothing };
  if (model === undefined)
    throw new LlavaError("usage", "--endpoint takes --model", {
      hint: "Give the teacher's name at the endpoint.",
    });
  const { turnsSchema } = await import("../../../datagen/index.ts");
  const schema = { response_format: { type: "json_schema", json_schema: turnsSchema } };
  const structured: EndpointFlags = { ...options, extraBody: { ...extraBody, ...schema } };
  const { BatchEndpoint } = await import("../../../runner/index.ts");
  const inBatches = (flags: EndpointFlags) => new BatchEndpoint(endpointOptions(endpoint, model, flags));
  return {
    plain: await openEndpoint(endpoint, model, options),
    structured: options.kind ? undefined : await openEndpoint(endpoint, model, structured),
    batches: options.batchApi ? { blocks: inBatches(options), json: inBatches(structured) } : undefined,
    [Symbol.asyncDispose]: nothing,
  };
}

/** Without a teacher, what there is is read and reported. */
const nobody = (id: string): Answerer => ({
  id,
  identity: "",
  concurrency: 0,
  batchSize: 1,
  answer: async () => [],
});
