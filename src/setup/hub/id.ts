/** What a user asks of the hub: "organisation/name[@revision][:part]". */
export interface HubId {
  repository: string;
  /** A branch, tag or commit; "main" unless told. */
  revision: string;
  /** A folder of the repository; or a GGUF file, by its name or by a part of it such as Q4_K_M. */
  part?: string;
  /** False: only what describes the model, such as configuration, tokenizer and chat template. */
  weights?: boolean;
}

/** What of a repository is wanted. */
export type HubChoice = Pick<HubId, "part" | "weights">;

const form = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w][\w./-]*))?(?::([\w][\w. /-]*))?$/;

export const isHubName = (text: string): boolean => parseHubId(text) !== undefined;

export function parseHubId(text: string): HubId | undefined {
  const [, repository, revision = "main", part] = text.match(form) ?? [];
  if (repository === undefined || ![revision, part ?? "part"].every(isInside)) return undefined;
  return { repository, revision, ...(part !== undefined && { part: part.replace(/\/+$/, "") }) };
}

/** Whether a path given by someone else stays in the folder that it is put into. */
export const isInside = (path: string): boolean => !/(?:^|\/)\.{1,2}(?:\/|$)|^\/|\\|\0/.test(path);

/** As `parseHubId` reads it. */
export function hubName({ repository, revision, part }: HubId): string {
  return `${repository}${revision === "main" ? "" : `@${revision}`}${part === undefined ? "" : `:${part}`}`;
}
