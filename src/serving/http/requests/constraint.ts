import { z } from "zod";
import type { AnswerConstraint } from "../../../protocol/index.ts";
import { ApiError, invalidField } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";
import { text } from "./sampling.ts";

const schemaValue = z.union([z.record(z.string(), z.unknown()), z.boolean()]);

/** OpenAI's form of an answer's shape. */
export const responseFormat = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object"), schema: schemaValue.nullish() }),
  z.object({
    type: z.literal("json_schema"),
    json_schema: z.object({
      name: z.string().max(64).nullish(),
      schema: schemaValue.nullish(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

/** What answers must be, by OpenAI's name, by vLLM's (structured_outputs) and by those of SGLang and llama.cpp. */
export const constraintFields = {
  response_format: responseFormat.nullish(),
  structured_outputs: z
    .object({
      json: z.union([schemaValue, z.string()]).nullish(),
      regex: text,
      choice: z.array(z.string()).min(1).nullish(),
      grammar: text,
    })
    .nullish(),
  json_schema: schemaValue.nullish(),
  regex: text,
  grammar: text,
};

type ConstraintFields = z.infer<z.ZodObject<typeof constraintFields>>;

/** @throws ApiError 400 for two constraints, and for one that is too large to compile in time */
export function constraintOf(fields: ConstraintFields, limits: ServerLimits): AnswerConstraint | undefined {
  const found = constraintsIn(fields);
  if (found.length > 1)
    throw new ApiError(
      400,
      "invalid_value",
      `An answer has one form; it is given as ${found.map(([param]) => param).join(" and ")}.`,
      {
        param: found[1]![0],
      },
    );
  const [first] = found;
  if (first === undefined) return undefined;
  const [param, constraint] = first;
  const bytes = Buffer.byteLength(JSON.stringify(constraint));
  if (bytes > limits.constraintBytes)
    throw invalidField(param, `has ${bytes} bytes; at most ${limits.constraintBytes} are compiled`);
  return constraint;
}

function constraintsIn(fields: ConstraintFields): [param: string, constraint: AnswerConstraint][] {
  const { response_format: format, structured_outputs: structured, json_schema, regex, grammar } = fields;
  const found: [string, AnswerConstraint | undefined][] = [
    ["response_format", format ? formatConstraint(format) : undefined],
    [
      "structured_outputs.json",
      structured?.json != null ? jsonSchema(parsedSchema(structured.json)) : undefined,
    ],
    ["structured_outputs.regex", patternOf(structured?.regex)],
    [
      "structured_outputs.choice",
      structured?.choice ? patternOf(structured.choice.map(escaped).join("|")) : undefined,
    ],
    ["structured_outputs.grammar", grammarOf(structured?.grammar)],
    ["json_schema", json_schema != null ? jsonSchema(json_schema) : undefined],
    ["regex", patternOf(regex)],
    ["grammar", grammarOf(grammar)],
  ];
  return found.flatMap(([param, constraint]) => (constraint ? [[param, constraint]] : []));
}

export function formatConstraint(format: z.infer<typeof responseFormat>): AnswerConstraint | undefined {
  if (format.type === "text") return undefined;
  const schema = format.type === "json_object" ? format.schema : format.json_schema.schema;
  return schema == null ? { type: "json" } : jsonSchema(schema);
}

export const jsonSchema = (schema: unknown): AnswerConstraint => ({ type: "json-schema", schema });

const patternOf = (pattern: string | undefined): AnswerConstraint | undefined =>
  pattern === undefined ? undefined : { type: "regex", pattern };

const grammarOf = (grammar: string | undefined): AnswerConstraint | undefined =>
  grammar === undefined ? undefined : { type: "grammar", grammar };

const escaped = (choice: string): string => choice.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

function parsedSchema(schema: unknown): unknown {
  if (typeof schema !== "string") return schema;
  try {
    return JSON.parse(schema);
  } catch (cause) {
    const param = "structured_outputs.json";
    throw new ApiError(400, "invalid_value", `${param}: is a text that is no JSON`, { param, cause });
  }
}
