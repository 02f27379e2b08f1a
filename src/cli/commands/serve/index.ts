import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import { unreadable } from "../../../files/index.ts";
import { HttpServer, type ServerLimits } from "../../../serving/http/index.ts";
import { defaultModel } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import {
  addModelOptions,
  collect,
  fastestDtype,
  type ModelFlags,
  notNegative,
  openModel,
  wholeNumber,
} from "../../frame/model-options.ts";
import { addLimitOptions } from "./limit-options.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { warmUp } from "./warm-up.ts";

interface ServeFlags extends ModelFlags {
  readonly host: string;
  readonly port: number;
  readonly key?: readonly string[];
  readonly keyFile?: string;
  readonly withoutKey?: boolean;
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
  readonly alias?: readonly string[];
  readonly grace: number;
  readonly log: boolean;
  readonly logContent?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description(
      "Answer OpenAI's API over HTTP: chat completions, completions and responses, with images and videos.",
    )
    .argument(
      "[models...]",
      "built-in names, folders or hub names; requests without a name are the first's",
      [defaultModel],
    )
    .option("--alias <name>", "another name of the first model, or model=name (may be repeated)", collect)
    .option("--host <address>", "address to listen at", "127.0.0.1")
    .option("--port <n>", "port to listen at; 0 takes a free one", wholeNumber, 8000)
    .option("--key <key>", "key that clients must send (may be repeated)", collect)
    .option("--key-file <file>", "file with a key on each line, in place of --key")
    .option("--without-key", "listen beyond this machine without a key")
    .option("--allow-host <name>", "name under which the server is asked (may be repeated)", collect)
    .option("--allow-origin <origin>", "web page's origin that may ask (may be repeated)", collect)
    .option("--grace <seconds>", "for which answers under way may end after SIGTERM", notNegative, 30)
    .option("--no-log", "print no line for each request")
    .option("--log-content", "have the log hold what people ask and are answered");
  const limits = addLimitOptions(command);
  addModelOptions(command, fastestDtype)
    .addHelpText(
      "after",
      `
It listens to this machine alone unless --host says otherwise, and then wants a key. GET /openapi.json describes the API,
GET /v1/models the models and limits, GET /health tells whether it answers, GET /metrics is for Prometheus.

Example:
  llava serve llava-smol-135m --port 8000`,
    )
    .action((models: readonly string[], flags: ServeFlags) => run(models, flags, limits(), context));
}

async function run(
  names: readonly string[],
  flags: ServeFlags,
  limits: Partial<ServerLimits>,
  context: CommandContext,
): Promise<void> {
  const keys = [...(flags.key ?? []), ...(flags.keyFile === undefined ? [] : await keysOf(flags.keyFile))];
  requireKey(flags, keys);
  const aliases = aliasesOf(flags.alias ?? [], names);
  const { host, port, allowHost, allowOrigin, allowPrivate, maxPixels, maxBytes } = flags;
  await using server = await HttpServer.listen({
    ...{ host, port, keys },
    ...(allowHost && { allowedHosts: allowHost }),
    ...(allowOrigin && { allowedOrigins: allowOrigin }),
    ...(allowPrivate && { allowPrivate }),
    limits: {
      ...limits,
      ...(maxPixels !== undefined && { imagePixels: maxPixels }),
      ...(maxBytes !== undefined && { imageBytes: maxBytes }),
    },
    ...(flags.log && { log: (line: string) => console.log(line) }),
    ...(flags.logContent && { logsContent: true }),
  });
  context.report(
    `${server.url} answers when ${names.join(" and ")} ${names.length > 1 ? "are" : "is"} loaded`,
  );
  const signal = context.signal();
  const stopped = new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  using models = new DisposableStack();
  // One after the other: each takes all cores to load.
  let before: Promise<unknown> = Promise.resolve();
  const loading = names.map((name) => {
    const opened = before.then(async () => {
      const model = models.use(new OneAtATime(await openModel(name, flags, context, signal)));
      await warmUp(model, signal);
      return model;
    });
    before = opened;
    return server.add(name, opened, aliases.get(name));
  });
  await Promise.race([Promise.all(loading).then(() => context.report(`${server.url} is ready`)), stopped]);
  await stopped;
  context.report("stopping: answers under way may end");
  await server.drain(flags.grace * 1000);
  await Promise.allSettled(loading);
}

async function keysOf(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch((cause) => {
    throw unreadable(path, cause, "usage");
  });
  const keys = text.split("\n").flatMap((line) => line.trim() || []);
  if (keys.length > 0) return keys;
  throw new LlavaError("usage", `${path} holds no key`, { hint: "Write a key on each line." });
}

function requireKey({ host, withoutKey }: ServeFlags, keys: readonly string[]): void {
  if (keys.some((key) => key.trim() === ""))
    throw new LlavaError("usage", "a key is empty", { hint: "Check --key." });
  if (keys.length > 0 || withoutKey || /^(localhost|::1|127\..*)$/.test(host)) return;
  throw new LlavaError("usage", `--host ${host} is open to other machines, and there is no key`, {
    hint: "Give --key or --key-file, or --without-key where all that reach it may ask.",
  });
}

/** The other names of each model. */
function aliasesOf(given: readonly string[], models: readonly string[]): Map<string, string[]> {
  const aliases = new Map(models.map((name): [string, string[]] => [name, []]));
  for (const text of given) {
    const at = text.lastIndexOf("=");
    const [model, alias] = at < 0 ? [models[0]!, text] : [text.slice(0, at), text.slice(at + 1)];
    const own = aliases.get(model);
    if (own === undefined || alias === "")
      throw new LlavaError(
        "usage",
        `--alias ${text}: ${alias === "" ? "has no name" : `${model} is not served`}`,
        {
          hint: "Give a name for the first model, or model=name.",
        },
      );
    own.push(alias);
  }
  return aliases;
}
