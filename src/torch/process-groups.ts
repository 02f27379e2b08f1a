import { native } from "./binding.ts";
import { explain } from "./errors.ts";

/** Texts that processes tell each other under names. */
export interface Store {
  set(name: string, value: string): void;
  /** Waits for the value. */
  get(name: string): string;
  has(name: string): boolean;
}

const explained = <T>(what: string, body: () => T): T => {
  try {
    return body();
  } catch (error) {
    throw explain(error, what, []);
  }
};

/** The store of this process, which one of all serves. Times are in milliseconds. */
export function openStore(given: {
  readonly host: string;
  readonly port: number;
  readonly isServer: boolean;
  readonly timeout: number;
}): Store {
  const { host, port, isServer, timeout } = given;
  explained("store", () => native.openStore(host, port, isServer, timeout));
  return {
    set: (name, value) => explained("store", () => native.storeSet(name, value)),
    get: (name) => explained("store", () => native.storeGet(name)),
    has: (name) => explained("store", () => native.storeHas(name)),
  };
}

/**
 * Makes a group of processes, which find each other by the open store, known to operators by its name. Tensors on the CPU go
 * through Gloo; without the name of a network interface through that of the host's name.
 */
export function openGroup(given: {
  readonly name: string;
  readonly rank: number;
  readonly size: number;
  readonly networkInterface: string | undefined;
  /** Milliseconds after which an operator that still waits for another process fails. */
  readonly timeout: number;
}): void {
  const { name, rank, size, networkInterface = "", timeout } = given;
  explained("process group", () => native.openGroup(name, rank, size, networkInterface, timeout));
}

/** Closes all groups and the store. */
export const closeGroups = (): void => native.closeGroups();
