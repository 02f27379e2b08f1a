import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { setTimeout } from "node:timers/promises";
import { LlavaError } from "../errors.ts";
import { closeGroups, openGroup, openStore, type Store, TorchError } from "../torch/index.ts";
import type { Communicator } from "./communicator.ts";
import { type Place, placeOf } from "./place.ts";
import { ProcessGroup } from "./process-group.ts";
import { Watch, type WatchOptions } from "./watch.ts";

/** The processes that train together, as one that has joined them sees them. */
export interface Group {
  readonly place: Place;
  readonly communicator: Communicator;
  /** Tells that so many steps are done; others name it where this rank is lost. */
  reached(step: number): void;
  /** Ends all ranks because of an error of this one. It returns where this one is the cause, which is then to end as well. */
  fail(error: unknown): Promise<void>;
  /** Once this rank has done its part: waits for the others. */
  leave(): Promise<void>;
}

export interface JoinOptions extends Partial<WatchOptions> {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly report?: (line: string) => void;
  /** Seconds for which one rank waits for another inside a step. The watch ends the ranks far sooner where one is lost. */
  readonly patience?: number;
}

/** Seconds after which it is told who is waited for. */
const PATIENCE_TOLD = 30;
/** Seconds for which all have time to come. */
const ARRIVAL = 1800;

/**
 * Joins the processes that a launcher started together with this one (see `placeOf`); undefined where it stands alone.
 * @throws LlavaError "setup" where the launcher has not told all, or the others do not come
 */
export async function joinGroup(options: JoinOptions = {}): Promise<Group | undefined> {
  const { env = process.env, report = () => {}, silence = 60, patience = 1800 } = options;
  const place = placeOf(env);
  if (place === undefined) return undefined;
  const { rank, ranks, host, port } = place;
  const isServer = rank === 0 && !place.isStoreServed;
  if (!isServer) await reachable(place, report);
  const timeout = patience * 1000;
  const store = under(`llava/${place.attempt}`, openStore({ host, port, isServer, timeout }));
  await arrival(place, store, report);
  const watch = await Watch.open(place, store, { silence });
  const name = `llava-${place.attempt}`;
  const networkInterface = env["GLOO_SOCKET_IFNAME"] ?? (await interfaceTo(host));
  const open = (group: { name: string; rank: number; size: number }): void =>
    openGroup({ ...group, networkInterface, timeout });
  open({ name, rank, size: ranks });
  const communicator = new ProcessGroup(name, place, store, watch.calls, open);
  return {
    place,
    communicator,
    reached: (step) => watch.reached(step),
    fail: async (error) => {
      const message = error instanceof Error ? error.message : String(error);
      if (!isHearsay(error)) tellTorchrun(env["TORCHELASTIC_ERROR_FILE"], message);
      await watch.fail(message, isHearsay(error));
    },
    leave: async () => {
      await watch.close();
      closeGroups();
    },
  };
}

/** Whether another rank may be the cause: what failed is something between them. */
const isHearsay = (error: unknown): boolean =>
  error instanceof TorchError && /^_c10d_functional::|^store$|^process group$/.test(error.operator);

/** torchrun prints what it finds in this file as the cause. */
function tellTorchrun(path: string | undefined, message: string): void {
  if (path === undefined) return;
  const timestamp = String(Math.floor(Date.now() / 1000));
  writeFileSync(path, JSON.stringify({ message: { message, extraInfo: { timestamp } } }));
}

/** Keys of an attempt that failed stay in a store that the launcher serves. */
const under = (prefix: string, store: Store): Store => ({
  set: (name, value) => store.set(`${prefix}/${name}`, value),
  get: (name) => store.get(`${prefix}/${name}`),
  has: (name) => store.has(`${prefix}/${name}`),
});

/** Waits until something listens where the store is to be. */
async function reachable({ host, port }: Place, report: (line: string) => void): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    const socket = connect(port, host);
    try {
      await once(socket, "connect");
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  };
  await until(isThere, { what: () => `rank 0 at ${host}:${port}`, report });
}

/** Waits until every rank has shown itself to the first. */
async function arrival({ rank, ranks }: Place, store: Store, report: (line: string) => void): Promise<void> {
  store.set(`here/${rank}`, "here");
  if (rank > 0) return;
  const missing = new Set(Array.from({ length: ranks - 1 }, (_, i) => i + 1));
  const areHere = (): boolean => {
    for (const each of missing) if (store.has(`here/${each}`)) missing.delete(each);
    return missing.size === 0;
  };
  await until(areHere, { what: () => `ranks ${[...missing].join(", ")}`, report });
}

async function until(
  isSo: () => boolean | Promise<boolean>,
  { what, report }: { what: () => string; report: (line: string) => void },
): Promise<void> {
  const began = performance.now();
  let isTold = false;
  while (!(await isSo())) {
    const seconds = (performance.now() - began) / 1000;
    if (seconds > ARRIVAL)
      throw new LlavaError("setup", `${what()} did not come within ${ARRIVAL / 60} minutes`, {
        hint: "Look whether all processes were started, and whether MASTER_ADDR is the machine of rank 0.",
      });
    if (seconds > PATIENCE_TOLD && !isTold) {
      report(`waiting for ${what()}`);
      isTold = true;
    }
    await setTimeout(Math.min(100, 10 + 100 * seconds));
  }
}

/** The network interface by which a machine is reached; undefined where that cannot be told. */
async function interfaceTo(host: string): Promise<string | undefined> {
  const socket = createSocket("udp4");
  try {
    // Nothing is sent: to connect only chooses the way.
    socket.connect(9, host);
    await once(socket, "connect");
    const { address } = socket.address();
    return Object.entries(networkInterfaces()).find(([, addresses]) =>
      addresses?.some((each) => each.address === address),
    )?.[0];
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}
