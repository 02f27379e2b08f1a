import { z } from "zod";
import { packageVersion } from "../../../package.ts";
import { chatSchema } from "../requests/chat-request.ts";
import { completionSchema } from "../requests/completion-request.ts";
import { responsesSchema } from "../requests/responses-request.ts";
import { conversationSchema, detokenizeSchema, tokenizeSchema } from "./tokens.ts";

const bodies: Readonly<Record<string, readonly [summary: string, body: z.ZodType]>> = {
  "/v1/chat/completions": ["Answer a conversation", chatSchema],
  "/v1/completions": ["Go on with a text", completionSchema],
  "/v1/responses": ["Answer a conversation, in OpenAI's newer form", responsesSchema],
  "/v1/chat/completions/input_tokens": ["Count the tokens of a conversation", conversationSchema],
  "/tokenize": ["The tokens of a text or a conversation", tokenizeSchema],
  "/detokenize": ["The text of tokens", detokenizeSchema],
  "/apply-template": ["What a model reads of a conversation", conversationSchema],
};

interface Read {
  readonly summary: string;
  readonly content: "application/json" | "text/plain";
  /** Whether it is answered without a key. */
  readonly isOpen?: boolean;
}

const json = "application/json";
const reads: Readonly<Record<string, Read>> = {
  "/v1/models": { summary: "The models and the server's limits", content: json },
  "/health": { summary: "Whether requests are answered", content: json, isOpen: true },
  "/live": { summary: "Whether the process is worth keeping", content: json, isOpen: true },
  "/metrics": { summary: "Metrics in Prometheus' text form", content: "text/plain" },
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

/** The API in OpenAPI 3.1, made of the schemas that requests are held against. @param needsKey whether the server has keys */
export function apiDescription(needsKey: boolean) {
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
        responses: {
          "200": {
            description: "The answer",
            content: { [json]: {}, ...(isStreamed(body) && { "text/event-stream": {} }) },
          },
          default: error,
        },
      },
    },
  ]);
  const gets = Object.entries(reads).map(([path, { summary, content, isOpen }]) => [
    path,
    {
      get: {
        summary,
        ...(isOpen && { security: [] }),
        responses: {
          "200": { description: summary, content: { [content]: {} } },
          // What is unwell says so in the same form.
          ...(isOpen && { "503": { description: "It is not well", content: { [content]: {} } } }),
          default: error,
        },
      },
    },
  ]);
  return {
    openapi: "3.1.0",
    info: { title: "llava serve", version: packageVersion() },
    ...(needsKey && {
      security: [{ key: [] }],
      components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
    }),
    paths: Object.fromEntries([...posts, ...gets]),
  };
}

const isStreamed = (body: z.ZodType): boolean => body instanceof z.ZodObject && "stream" in body.shape;
