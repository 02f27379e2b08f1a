import type { Conversation } from "./conversation.ts";

const STORE = "conversations";

function asPromise<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Conversations in the browser, which outlive the page. Pictures are too large for anything but IndexedDB. */
export class History {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  static async open(): Promise<History> {
    const request = indexedDB.open("llava", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    return new History(await asPromise(request));
  }

  /** The newest first. */
  async all(): Promise<Conversation[]> {
    const found = await asPromise<Conversation[]>(this.#store("readonly").getAll());
    return found.sort((a, b) => b.changed - a.changed);
  }

  async put(conversation: Conversation): Promise<void> {
    await asPromise(this.#store("readwrite").put(structuredClone(conversation)));
  }

  async remove(id: string): Promise<void> {
    await asPromise(this.#store("readwrite").delete(id));
  }

  #store(mode: IDBTransactionMode): IDBObjectStore {
    return this.#database.transaction(STORE, mode).objectStore(STORE);
  }
}
