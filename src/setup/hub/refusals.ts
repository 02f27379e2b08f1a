import type { IncomingMessage } from "node:http";
import { LlavaError } from "../../errors.ts";
import type { Environment } from "../cache.ts";
import { hubToken } from "./account.ts";
import { hubEndpoint } from "./address.ts";
import type { HubId } from "./id.ts";

/**
 * The error for a hub that refuses with a status of 400 to 499: what it means is in its header `X-Error-Code`, since the
 * same statuses stand for a model that is not there, is private, or has terms to be accepted first.
 */
export function hubRefusal(
  { statusCode: status = 0, headers }: Pick<IncomingMessage, "statusCode" | "headers">,
  { repository, revision }: HubId,
  env: Environment,
  file?: string,
): LlavaError {
  const code = headers["x-error-code"];
  const said = String(headers["x-error-message"] ?? "");
  const page = `${hubEndpoint(env)}/${repository}`;
  const refused = (what: string, hint: string): LlavaError => new LlavaError("config", what, { hint });
  if (code === "GatedRepo")
    return refused(
      `${repository} is gated: the hub gives it to accounts that have accepted its terms (status ${status})`,
      gateHint(page, env),
    );
  if (/resource is disabled/i.test(said))
    return refused(`the hub has disabled ${repository}`, `Choose another model; ${page} may say why.`);
  if (code === "RevisionNotFound")
    return refused(
      `${repository} on the hub has no revision ${revision}`,
      `Give one of its branches, tags or commits: ${page}/tree/main`,
    );
  if (code === "EntryNotFound" && file !== undefined)
    return refused(
      `${repository} on the hub has no ${file} at revision ${revision}`,
      "Run the command again; the hub's own list of files names it.",
    );
  const token = hubToken(env);
  if (token && status === 401 && /invalid.*(credentials|token)/i.test(said))
    return refused(
      `the hub does not accept the token of ${token.source} (${said})`,
      `Set HF_TOKEN to a valid one (${hubEndpoint(env)}/settings/tokens), or run: hf auth login`,
    );
  if (![401, 403, 404].includes(status))
    return new LlavaError("network", `the model hub answered status ${status}${said && `: ${said}`}`, {
      hint: "Check that HF_ENDPOINT is a model hub.",
    });
  return refused(
    `the hub shows no model ${repository} at revision ${revision} (status ${status})`,
    missingHint(status, token?.source),
  );
}

/** What to do about terms that are not accepted yet, or not by whom the token names. */
function gateHint(page: string, env: Environment): string {
  const token = hubToken(env);
  return token
    ? `Accept the terms on ${page} with the account of the token (${token.source}); some owners confirm each request first.`
    : `Accept the terms on ${page}, and set HF_TOKEN to a token of that account (${hubEndpoint(env)}/settings/tokens), or run: hf auth login`;
}

function missingHint(status: number, source: string | undefined): string {
  if (source === undefined)
    return "Check the name; for a gated or private model set HF_TOKEN, or run: hf auth login";
  return status === 401
    ? `Check the name; or the token of ${source} is not accepted: HF_TOKEN overrides it.`
    : `Check the name, and on the model's page whether the account of the token (${source}) has been given access.`;
}
