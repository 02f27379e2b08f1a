import { setTimeout as sleep } from "node:timers/promises";
import { LlavaError } from "../../../errors.ts";

type Row = Readonly<Record<string, unknown>>;

/** What of the package `pg` is used. */
interface Client {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: Row[]; readonly rowCount: number | null }>;
  release(error?: boolean): void;
  on(event: "error", listener: () => void): void;
}
interface Pool {
  connect(): Promise<Client>;
  on(event: "error" | "connect", listener: (client?: Client) => void): void;
  end(): Promise<void>;
}
interface PgPackage {
  readonly default: { readonly Pool: new (options: object) => Pool };
}

/** Longest that a server may be away before the run ends: at first, and once it has answered, as when it is started anew. */
const [firstPatienceMs, patienceMs] = [5000, 120_000];

/** Runs statements on a server, again where it was away or two transactions stood in each other's way. */
export interface Connection {
  query(text: string, ...values: readonly unknown[]): Promise<Row[]>;
  /** Statements together or not at all; `work` may run again. */
  transaction<T>(work: (query: Connection["query"]) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Connects by the package `pg`. @throws LlavaError "setup" where it is not installed, "network" where no server answers */
export async function connect(url: string, schema: string): Promise<Connection> {
  // Not a name that bundlers and type checkers look for: most never need it.
  const name = "pg";
  const pg = (await import(name).catch((cause: unknown) => {
    throw new LlavaError("setup", "a ledger on PostgreSQL takes a package that is not there", {
      hint: "npm install pg",
      cause,
    });
  })) as PgPackage;
  const pool = new pg.default.Pool({
    connectionString: url,
    max: 8,
    options: `-c search_path=${schema} -c application_name=llava`,
  });
  // What breaks a connection, a query tells as well.
  pool.on("error", () => {});
  pool.on("connect", (client) => client?.on("error", () => {}));
  const where = url.replace(/\/\/[^@/]*@/, "//");
  let hasAnswered = false;
  async function once<T>(work: (query: Connection["query"]) => Promise<T>, isTogether: boolean): Promise<T> {
    const client = await pool.connect();
    let isBroken = true;
    const query: Connection["query"] = async (text, ...values) => (await client.query(text, values)).rows;
    try {
      if (isTogether) await client.query("begin");
      const result = await work(query);
      if (isTogether) await client.query("commit");
      isBroken = false;
      hasAnswered = true;
      return result;
    } catch (error) {
      if (isTogether && !isAway(error))
        await client.query("rollback").then(
          () => {
            isBroken = false;
          },
          () => {},
        );
      throw error;
    } finally {
      client.release(isBroken);
    }
  }
  async function again<T>(work: (query: Connection["query"]) => Promise<T>, isTogether: boolean): Promise<T> {
    const until = performance.now() + (hasAnswered ? patienceMs : firstPatienceMs);
    for (let pause = 50; ; pause = Math.min(2000, 2 * pause)) {
      try {
        return await once(work, isTogether);
      } catch (error) {
        if (error instanceof LlavaError) throw error;
        if ((isAway(error) || isConflict(error)) && performance.now() < until) {
          await sleep(pause * (0.5 + Math.random()));
          continue;
        }
        throw new LlavaError(
          isAway(error) ? "network" : "data",
          `${where}: cannot be used as a ledger: ${(error as Error).message}`,
          { hint: "Check the server, its database, and that it may make schemas and tables.", cause: error },
        );
      }
    }
  }
  return {
    query: (text, ...values) => again((query) => query(text, ...values), false),
    transaction: (work) => again(work, true),
    close: () => pool.end(),
  };
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code ?? "");

/** The server stops, starts, or lost the connection. */
const isAway = (error: unknown): boolean =>
  /^(57P0[123]|08\w{3}|ECONN\w+|EPIPE|ENOENT|ETIMEDOUT)$/.test(codeOf(error)) ||
  /connection (terminated|ended|closed)|client has encountered a connection error/i.test(
    String((error as Error | undefined)?.message),
  );

/** Two transactions that wait for each other, or changed the same. */
const isConflict = (error: unknown): boolean => /^40(P01|001)$/.test(codeOf(error));
