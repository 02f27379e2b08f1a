import { z } from "zod";
import { packageVersion } from "../../../package.ts";
import { chatSchema } from "../requests/chat-request.ts";
import { completionSchema } from "../requests/completion-request.ts";
import { responsesSchema } from "../requests/responses-request.ts";
import { detokenizeSchema, tokenizeSchema } from "./tokens.ts";

const bodies: Readonly<Record<string, readonly [summary: string, body: z.ZodType]>> = {
  "/v1/chat/completions": ["Answer a conversation", chatSchema],
  "/v1/completions": ["Go on with a text", completionSchema],
  "/v1/responses": ["Answer a conversation, in OpenAI's newer form", responsesSchema],
  "/v1/chat/completions/input_tokens": ["Count the tokens of a conversation", tokenizeSchema],
  "/tokenize": ["The tokens of a text or a conversation", tokenizeSchema],
  "/detokenize": ["The text of tokens", detokenizeSchema],
  "/apply-template": ["What a model reads of a conversation", tokenizeSchema],
};

const reads: Readonly<Record<string, string>> = {
  "/v1/models": "The models and the server's limits",
  "/health": "Whether requests are answered",
  "/live": "Whether the process is worth keeping",
  "/metrics": "Metrics in Prometheus' text form",
};

const error = {
  description: "An error",
  content: {
    "application/json": {
      schema: {
        type: "object",
        required: ["error"],
        properties: {
          error: {
            type: "object",
            required: ["message", "type", "param", "code"],
            properties: {
              message: { type: "string" },
              type: { type: "string" },
              param: { type: ["string", "null"] },
              code: { type: "string" },
            },
          },
        },
      },
    },
  },
};

/** The API in OpenAPI 3.1, made of the schemas that requests are held against. */
export function apiDescription() {
  const posts = Object.entries(bodies).map(([path, [summary, body]]) => [
    path,
    {
      post: {
        summary,
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: z.toJSONSchema(body, { io: "input", unrepresentable: "any", reused: "inline" }),
            },
          },
        },
        responses: { "200": { description: "The answer" }, default: error },
      },
    },
  ]);
  const gets = Object.entries(reads).map(([path, summary]) => [
    path,
    { get: { summary, responses: { "200": { description: summary }, default: error } } },
  ]);
  return {
    openapi: "3.1.0",
    info: { title: "llava serve", version: packageVersion() },
    security: [{ key: [] }],
    components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
    paths: Object.fromEntries([...posts, ...gets]),
  };
}
