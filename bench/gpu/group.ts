import { createServer } from "node:net";
import { type Communicator, ProcessGroup } from "../../src/distributed/index.ts";
import { closeGroups, openGroup, openStore } from "../../src/torch/index.ts";

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** A group of this process alone, which goes through libtorch all the same. */
export async function groupAlone(): Promise<{ readonly communicator: Communicator } & Disposable> {
  const [host, port] = ["127.0.0.1", await freePort()];
  const timeout = 60_000;
  const store = openStore({ host, port, isServer: true, timeout });
  const place = { rank: 0, ranks: 1, localRank: 0 };
  openGroup({ name: "alone", rank: 0, size: 1, networkInterface: "lo", timeout });
  return { communicator: new ProcessGroup("alone", place, store), [Symbol.dispose]: closeGroups };
}
