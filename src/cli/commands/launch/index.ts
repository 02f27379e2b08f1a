import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { launch, nodeOf } from "../../../distributed/index.ts";
import { LlavaError } from "../../../errors.ts";
import { packagePath } from "../../../package.ts";
import { ensureNative } from "../../../setup/index.ts";
import { cudaDevices } from "../../../torch/index.ts";
import type { CommandContext } from "../../frame/context.ts";

interface Options {
  processes?: number;
  nodes?: number;
  nodeRank?: number;
  host?: string;
  port?: number;
  restarts: number;
}

const whole =
  (least: number) =>
  (text: string): number => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= least) return number;
    throw new InvalidArgumentError(`expected a whole number from ${least}`);
  };

export function configure(command: Command, { progress, report, signal }: CommandContext): void {
  command
    .description(
      "Run `llava train` in several processes that train together. On many machines, run it once on each of them.",
    )
    .argument("<command...>", "what each process runs: train and its arguments, after --")
    .option("--processes <n>", "processes on this machine: one for each GPU when left out", whole(1))
    .option("--nodes <n>", "machines", whole(1))
    .option("--node-rank <n>", "which of the machines this is, from 0", whole(0))
    .option("--host <name>", "the first machine, as the others reach it")
    .option("--port <n>", "a port on the first machine that is free", whole(1))
    .option("--restarts <n>", "start all again so often after one has failed, with --resume", whole(0), 0)
    .addHelpText(
      "after",
      `
Kubernetes: a PyTorchJob's or a Trainer's pod says itself which of the machines it is. Under torchrun and srun
\`llava train\` is started directly.

Example:
  llava launch --processes 2 -- train recipes/llava-smol-135m/pretrain.ts --data.rows train.json \\
    --data.images images --output runs/first`,
    )
    .action(async (words: string[], options: Options) => {
      const told = nodeOf(process.env);
      const {
        nodes = told?.nodes ?? 1,
        nodeRank = told?.node ?? 0,
        host = told?.host,
        port = told?.port,
      } = options;
      if (words[0] !== "train")
        throw new LlavaError("usage", `${words[0]} does not run in several processes`, {
          hint: "Give train and its arguments: llava launch --processes 2 -- train RECIPE.",
        });
      if (nodeRank >= nodes)
        throw new LlavaError("usage", `this is machine ${nodeRank} of ${nodes}`, {
          hint: "Machines are counted from 0: --node-rank.",
        });
      // Before there are several that would all want to.
      await ensureNative({ progress, report, signal: signal() });
      const processes = options.processes ?? told?.processes ?? cudaDevices();
      if (processes < 1)
        throw new LlavaError("usage", "no GPU is visible here, one for each process", {
          hint: "Say how many processes there are to be: --processes.",
        });
      const program = [process.execPath, packagePath("bin/llava.js")] as const;
      const quiet = command.parent?.opts<{ quiet?: boolean }>().quiet ? ["-q"] : [];
      process.exitCode = await launch({
        command: (again) => [
          ...program,
          ...quiet,
          ...words,
          ...(again && !words.includes("--resume") ? ["--resume"] : []),
        ],
        ...{ processes, nodes, node: nodeRank, restarts: options.restarts },
        master: host === undefined ? undefined : { host, port: port ?? 29500 },
        report: (line) => void process.stderr.write(`${line}\n`),
      });
    });
}
