import type { Environment } from "../cache.ts";
import type { RequestOptions } from "../request.ts";
import { hubToken } from "./account.ts";
import type { HubId } from "./id.ts";

const defaultEndpoint = "https://huggingface.co";

export const hubEndpoint = (env: Environment): string =>
  (env.HF_ENDPOINT || defaultEndpoint).replace(/\/+$/, "");

/** How the hub is asked: with the user's token, which a mirror may pass on to the hub itself. */
export function hubAccess(env: Environment): Pick<RequestOptions, "headers" | "trusted" | "env"> {
  const found = hubToken(env);
  const headers = found ? { authorization: `Bearer ${found.token}` } : {};
  return { headers, trusted: [defaultEndpoint, "https://hf.co"], env };
}

/** The address of a file's content at a commit. */
export function fileAddress({ repository }: HubId, commit: string, name: string, env: Environment): string {
  const address = name.split("/").map(encodeURIComponent).join("/");
  return `${hubEndpoint(env)}/${repository}/resolve/${encodeURIComponent(commit)}/${address}`;
}
