import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import { unreadable } from "../../../files/index.ts";
import {
  forwardTo,
  HttpServer,
  ReplicaSet,
  readPageFiles,
  type ServerLimits,
  type ServerOptions,
} from "../../../serving/http/index.ts";
import { defaultModel } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import {
  addModelOptions,
  collect,
  count,
  fastestDtype,
  type ModelFlags,
  notNegative,
  wholeNumber,
} from "../../frame/model-options.ts";
import { addEngineOptions, type EngineFlags } from "./engine.ts";
import { openInThread, openThread } from "./engine-thread.ts";
import { addLimitOptions } from "./limit-options.ts";
import { ReplicaProcesses, replicaKey, tellParent } from "./replicas.ts";

interface ServeFlags extends ModelFlags, EngineFlags {
  readonly host: string;
  readonly port: number;
  readonly key?: readonly string[];
  readonly keyFile?: string;
  readonly withoutKey?: boolean;
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
  readonly alias?: readonly string[];
  readonly grace: number;
  readonly replicas?: number;
  readonly page: boolean;
  readonly log: boolean;
  readonly logContent?: boolean;
  readonly legacy?: boolean;
  readonly controller?: string;
  readonly workerAddress?: string;
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
    .option(
      "--replicas <n>",
      "processes that answer behind the port, each with its share of threads and memory; also 1 (default: this one)",
      count,
    )
    .option("--no-page", "serve no chat page")
    .option("--no-log", "print no line for each request")
    .option("--log-content", "have the log hold what people ask and are answered")
    .option("--legacy", "also speak the original LLaVA's protocol, as worker and as controller")
    .option(
      "--controller <url>",
      "register as a worker with a controller of the original LLaVA; includes --legacy",
    )
    .option("--worker-address <url>", "address under which the controller reaches this server");
  addEngineOptions(command);
  const limits = addLimitOptions(command);
  addModelOptions(command, fastestDtype)
    .addHelpText(
      "after",
      `
It listens to this machine alone unless --host says otherwise, and then wants a key. GET / is a page to chat with the models,
GET /openapi.json describes the API, GET /v1/models the models and limits, GET /health tells whether it answers, GET /metrics
is for Prometheus.

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
  const inner = replicaKey();
  const given = [...(flags.key ?? []), ...(flags.keyFile === undefined ? [] : await keysOf(flags.keyFile))];
  const keys = inner === undefined ? given : [inner];
  requireKey(flags, keys);
  const aliases = aliasesOf(flags.alias ?? [], names);
  const told = toldNames(names, aliases);
  const options = serverOptions(flags, limits, keys);
  if (inner === undefined && flags.replicas !== undefined)
    return await runReplicas(flags, flags.replicas, options, context);
  await using server = await HttpServer.listen({
    ...options,
    ...(inner !== undefined && { isReplica: true }),
  });
  // Of several processes the first speaks.
  const report = inner === undefined ? context.report : () => {};
  report(`${server.url} answers when ${names.join(" and ")} ${names.length > 1 ? "are" : "is"} loaded`);
  const signal = context.signal();
  const stopped = abortOf(signal);
  await using thread = openThread(flags, names.length, { ...context, report });
  // One after the other: each takes all cores to load.
  let before: Promise<unknown> = Promise.resolve();
  const loading = names.map((name) => {
    const opened = before.then(() => openInThread(thread, name, context, signal));
    before = opened;
    const [called, ...others] = told.get(name)!;
    return server.add(called!, opened, others);
  });
  const { controller, workerAddress: address } = flags;
  const ready = Promise.all(loading).then(() => {
    report(`${server.url} is ready`);
    if (inner !== undefined) tellParent(server);
    if (controller === undefined) return;
    void server.keepRegistered({ controller, ...(address && { address }), report: context.warn }, signal);
  });
  await Promise.race([ready, stopped, thread.failed]);
  await Promise.race([stopped, thread.failed]);
  report("stopping: answers under way may end");
  await server.drain(flags.grace * 1000);
  await Promise.allSettled(loading);
}

const abortOf = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

function serverOptions(
  flags: ServeFlags,
  limits: Partial<ServerLimits>,
  keys: readonly string[],
): ServerOptions {
  const { host, port, allowHost, allowOrigin, allowPrivate, maxPixels, maxBytes } = flags;
  return {
    ...{ host, port, keys },
    ...(allowHost && { allowedHosts: allowHost }),
    ...(allowOrigin && { allowedOrigins: allowOrigin }),
    ...(allowPrivate && { allowPrivate }),
    limits: {
      ...limits,
      ...(maxPixels !== undefined && { imagePixels: maxPixels }),
      ...(maxBytes !== undefined && { imageBytes: maxBytes }),
    },
    ...(flags.page && { page: readPageFiles() }),
    ...(flags.log && { log: (line: string) => console.log(line) }),
    ...(flags.logContent && { logsContent: true }),
    ...((flags.legacy || flags.controller) && { isLegacy: true }),
  };
}

/** Has several processes answer behind this one's port. */
async function runReplicas(
  flags: ServeFlags,
  count: number,
  options: ServerOptions,
  context: CommandContext,
): Promise<void> {
  if (options.isLegacy)
    throw new LlavaError("usage", "--legacy and --controller have no place beside --replicas", {
      hint: "Start several servers, each registered with one controller.",
    });
  const set = new ReplicaSet(count, randomBytes(32).toString("hex"), options.limits?.stepSeconds);
  await using server = await HttpServer.listen({ ...options, forward: forwardTo(set) });
  const stopped = abortOf(context.signal());
  await using processes = new ReplicaProcesses(set, { flags, report: context.report });
  await Promise.race([processes.start().then(() => context.report(`${server.url} is ready`)), stopped]);
  await stopped;
  const ended = processes[Symbol.asyncDispose]();
  await server.drain(flags.grace * 1000);
  await ended;
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

/** The names that clients are told: of a folder its last part, for where it lies is not theirs to know. */
function toldNames(
  models: readonly string[],
  aliases: ReadonlyMap<string, readonly string[]>,
): Map<string, readonly string[]> {
  const taken = new Set<string>();
  const told = models.map((model): [string, readonly string[]] => {
    const own = existsSync(model) ? basename(resolve(model)) : model;
    const names = [own, ...(aliases.get(model) ?? [])].filter((name) => !taken.has(name));
    if (names.length === 0)
      throw new LlavaError("usage", `two models would be called ${own}`, {
        hint: `Name one otherwise: --alias ${model}=NAME`,
      });
    for (const name of names) taken.add(name);
    return [model, [...new Set(names)]];
  });
  return new Map(told);
}
