// A rank under the watch whose main thread waits for ever, or that is lost: node watched-rank-child.ts RANK RANKS FOLDER LOSS
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Watch } from "../../src/distributed/index.ts";
import type { Store } from "../../src/torch/index.ts";

const [rank, ranks] = process.argv.slice(2, 4).map(Number) as [number, number];
const [folder, loss] = process.argv.slice(4) as [string, string];
const clock = new Int32Array(new SharedArrayBuffer(4));
const wait = (milliseconds = Infinity): void => void Atomics.wait(clock, 0, 0, milliseconds);

/** Files in a folder. */
const store: Store = {
  set: (name, value) => {
    const path = join(folder, name.replaceAll("/", "-"));
    writeFileSync(`${path}.partial`, value);
    renameSync(`${path}.partial`, path);
  },
  has: (name) => existsSync(join(folder, name.replaceAll("/", "-"))),
  get(name) {
    while (!this.has(name)) wait(10);
    return readFileSync(join(folder, name.replaceAll("/", "-")), "utf8");
  },
};
const place = {
  ...{ rank, ranks, localRank: rank, host: "127.0.0.1", port: 0, attempt: 0 },
  ...{ isStoreServed: false, launcher: "a test" },
};
const watch = await Watch.open(place, store, { silence: loss === "frozen" ? 3 : 60 });
watch.reached(3);
if (loss === "scanned") {
  const { port } = JSON.parse(store.get(readdirSync(folder).find((name) => name.includes("watch"))!));
  for (const said of ["GET / HTTP/1.1\r\n\r\n", "null\n", '{"rank": 1}\n', "x".repeat(200_000)])
    await new Promise((resolve) =>
      connect(port, "127.0.0.1").on("error", resolve).on("close", resolve).end(said),
    );
}
if (loss === "done" || loss === "scanned") {
  await watch.close();
  process.exit(0);
}
const lost = loss === "first" ? 0 : 2;
if (rank !== lost) {
  if (loss === "hearsay") await watch.fail("Connection reset by peer", true);
  wait();
}
wait(1300); // beats are a second apart
if (loss === "killed" || loss === "first") process.kill(process.pid, "SIGKILL");
if (loss === "frozen") process.kill(process.pid, "SIGSTOP");
if (loss === "leaves") process.exit(0);
await watch.fail("row 000000033471: the image cannot be decoded", false);
console.error("llava: row 000000033471: the image cannot be decoded");
process.exitCode = 1;
