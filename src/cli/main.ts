import { Command } from "commander";
import { packageVersion } from "../package.ts";
import { silentProgress } from "../setup/index.ts";
import { type CommandModule, createContext } from "./frame/context.ts";
import { reportFailure } from "./frame/failure.ts";

interface CommandEntry {
  summary: string;
  /** Loads the file that describes the command; only the command that runs is loaded. */
  load: () => Promise<CommandModule>;
}

/** All commands, in the order in which the help lists them. */
const commands: Record<string, CommandEntry> = {
  chat: {
    summary: "ask about images, in the terminal",
    load: () => import("./commands/chat/index.ts"),
  },
  generate: {
    summary: "answer prompts about images, one by one or in batches",
    load: () => import("./commands/generate/index.ts"),
  },
  serve: {
    summary: "answer OpenAI's API over HTTP",
    load: () => import("./commands/serve/index.ts"),
  },
  tokens: {
    summary: "show how a model cuts images, and how many tokens they take",
    load: () => import("./commands/tokens/index.ts"),
  },
  video: {
    summary: "measure how a model sees videos",
    load: () => import("./commands/video/index.ts"),
  },
  trace: {
    summary: "write what flows between the stages of a model",
    load: () => import("./commands/trace/index.ts"),
  },
  setup: {
    summary: "install libtorch and build the native addon",
    load: () => import("./commands/setup/index.ts"),
  },
  doctor: {
    summary: "show what is installed, and what to do about problems",
    load: () => import("./commands/doctor/index.ts"),
  },
  model: {
    summary: "list, fetch and inspect models",
    load: () => import("./commands/model/index.ts"),
  },
  convert: {
    summary: "write a checkpoint in another layout",
    load: () => import("./commands/convert/index.ts"),
  },
  data: {
    summary: "make and look at training data",
    load: () => import("./commands/data/index.ts"),
  },
  train: {
    summary: "train a model as a recipe says",
    load: () => import("./commands/train/index.ts"),
  },
  launch: {
    summary: "train in several processes, on one machine or many",
    load: () => import("./commands/launch/index.ts"),
  },
  plan: {
    summary: "tell how much memory a recipe takes",
    load: () => import("./commands/plan/index.ts"),
  },
  reward: {
    summary: "score pairs of answers by a model and its reference",
    load: () => import("./commands/reward/index.ts"),
  },
  runs: {
    summary: "list training runs and draw their curves",
    load: () => import("./commands/runs/index.ts"),
  },
  eval: {
    summary: "run benchmarks, score answers, compare and report",
    load: () => import("./commands/eval/index.ts"),
  },
};

/** Runs the command line `args` (without node and script) and returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command("llava")
    .description("The LLaVA family of vision-language models on libtorch.")
    .option("-q, --quiet", "no progress bars and notes")
    .version(packageVersion())
    .showHelpAfterError("(--help shows the options)")
    .exitOverride();
  const isQuiet = (): boolean => program.opts<{ quiet?: boolean }>().quiet ?? false;
  const report = (line: string): void => {
    if (!isQuiet()) process.stderr.write(`${line}\n`);
  };
  const { createProgress } = await import("./frame/progress.ts");
  using context = createContext((options) => (isQuiet() ? silentProgress : createProgress)(options), report);
  const wanted = new Set(args.filter((argument) => !argument.startsWith("-")).slice(0, 2));
  const { LLAVA_DEBUG } = process.env;
  try {
    for (const [name, { summary, load }] of Object.entries(commands)) {
      const command = program.command(name).summary(summary).description(summary);
      if (wanted.has(name)) (await load()).configure(command, context);
    }
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return reportFailure(error, (line) => process.stderr.write(`${line}\n`), {
      debug: LLAVA_DEBUG === "1",
      stoppedBy: context.stoppedBy,
    });
  }
}
