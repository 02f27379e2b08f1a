import type { ServedModel } from "../../protocol/index.ts";
import { ApiError } from "./api-error.ts";

/** Seconds after which clients may ask again for a model that is being loaded. */
const RETRY_AFTER = 5;

export interface ModelEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Undefined while it is being loaded, and where it could not be. */
  readonly model: ServedModel | undefined;
  readonly failed: boolean;
  /** Seconds since 1970. */
  readonly created: number;
}

/** The models of a server, by the names that requests call them. */
export class ModelSet {
  readonly #entries: (ModelEntry & { model: ServedModel | undefined; failed: boolean })[] = [];

  /** Takes a model in before it is there; it resolves when the model is, and rejects as `loading` does. */
  async add(name: string, aliases: readonly string[], loading: Promise<ServedModel>): Promise<void> {
    const created = Math.floor(Date.now() / 1000);
    const entry = { name, aliases, created, model: undefined as ServedModel | undefined, failed: false };
    this.#entries.push(entry);
    try {
      entry.model = await loading;
    } catch (error) {
      entry.failed = true;
      throw error;
    }
  }

  get entries(): readonly ModelEntry[] {
    return this.#entries;
  }

  get ready(): readonly ServedModel[] {
    return this.#entries.flatMap(({ model }) => (model ? [model] : []));
  }

  /** Whether a step of one takes longer than so many seconds. */
  isStuck(seconds: number): boolean {
    return this.ready.some((model) => model.state().stepMilliseconds > seconds * 1000);
  }

  /** The model of a name, the first without one. @throws ApiError 404, or 503 while it is being loaded */
  find(name: string | undefined): { readonly name: string; readonly model: ServedModel } {
    const entry =
      name === undefined || name === ""
        ? this.#entries[0]
        : this.#entries.find((each) => each.name === name || each.aliases.includes(name));
    if (entry === undefined)
      throw new ApiError(
        404,
        "model_not_found",
        `There is no model of this name; GET /v1/models lists those that there are.`,
        {
          param: "model",
        },
      );
    const { model, failed } = entry;
    if (model !== undefined) return { name: name || entry.name, model };
    throw failed
      ? new ApiError(503, "model_failed", "The model could not be loaded.")
      : new ApiError(503, "model_loading", "The model is being loaded.", { retryAfter: RETRY_AFTER });
  }
}
