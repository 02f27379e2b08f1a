import type { z } from "zod";
import { ApiError } from "../api-error.ts";

/** What a body says by a schema. @throws ApiError 400 that names the first field at fault */
export function validated<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const { path, message, params } = deepest(parsed.error.issues[0]!, []);
  const param = shownPath(path);
  const code = typeof params?.["code"] === "string" ? params["code"] : "invalid_value";
  throw new ApiError(400, code, param === undefined ? message : `${param}: ${message}`, { param });
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

/** Of a value that may be one of several kinds, what is wrong with it as the kind that it fits furthest. */
function deepest(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): Issue {
  const path = [...above, ...issue.path];
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const inner = issue.errors.flatMap(([first]) => (first ? [deepest(first, path)] : []));
    const furthest = inner.reduce((one, other) => (other.path.length > one.path.length ? other : one));
    if (furthest.path.length > path.length) return furthest;
    return { path, message: inner.map(({ message }) => message).join(", or ") };
  }
  return { path, message: issue.message, ...(issue.code === "custom" && { params: issue.params }) };
}

/** `messages[0].content[1].image_url` */
function shownPath(path: readonly PropertyKey[]): string | undefined {
  if (path.length === 0) return undefined;
  return path
    .map((key, at) => (typeof key === "number" ? `[${key}]` : `${at > 0 ? "." : ""}${String(key)}`))
    .join("");
}
