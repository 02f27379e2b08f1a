import { type Command, Option } from "commander";
import { lineChart, saveChart } from "../../../charts/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { CommandContext } from "../../frame/context.ts";
import { shareBelowOne } from "../../frame/model-options.ts";
import { table } from "../../frame/table.ts";
import { findRuns, type RunSummary, shortNames } from "./list.ts";

interface RunsFlags {
  readonly json?: boolean;
  readonly plot?: string;
  readonly metric: string;
  readonly smoothing?: number;
  readonly log?: boolean;
  readonly theme: "light" | "dark";
}

export function configure(command: Command, { report }: CommandContext): void {
  command
    .description("List training runs, and draw their curves into one chart.")
    .argument("[folders...]", "runs, or folders that hold some", ["runs"])
    .option("--json", "print as JSON, with the log")
    .option("--plot <file>", "draw a chart, .svg or .png")
    .option("--metric <name>", "what to draw: any name of the log's lines", "loss")
    .option(
      "--smoothing <weight>",
      "of the past in the curves' moving average; 0.9 for the loss, else 0",
      shareBelowOne,
    )
    .option("--log", "draw on a logarithmic axis")
    .addOption(new Option("--theme <name>", "of a PNG").choices(["light", "dark"]).default("light"))
    .addHelpText("after", "\nExample:\n  llava runs runs/first runs/second --plot loss.svg")
    .action(async (folders: readonly string[], flags: RunsFlags) => {
      const runs = await findRuns(folders, new Date());
      if (flags.json) console.log(JSON.stringify(runs, null, 2));
      else console.log(listing(runs));
      if (flags.plot === undefined) return;
      await saveChart(flags.plot, curves(runs, flags));
      report(`${flags.plot}: ${flags.metric} of ${runs.length} runs`);
    });
}

function listing(runs: readonly RunSummary[]): string {
  const names = shortNames(runs.map(({ folder }) => folder));
  const rows = runs.map(({ state, step, loss, heldOutLoss, seconds, updated, checkpoint }, index) => [
    names[index]!,
    state,
    String(step),
    loss?.toFixed(4) ?? "",
    heldOutLoss?.toFixed(4) ?? "",
    duration(seconds),
    checkpoint === undefined ? "" : String(checkpoint),
    updated.toISOString().slice(0, 16).replace("T", " "),
  ]);
  return table(["run", "state", "step", "loss", "held-out", "time", "checkpoint", "updated (UTC)"], rows);
}

function curves(runs: readonly RunSummary[], { metric, smoothing, log, theme, plot }: RunsFlags): string {
  const names = shortNames(runs.map(({ folder }) => folder));
  const series = runs.map((run, index) => ({
    name: names[index]!,
    points: run.log.flatMap(({ step, [metric]: value }) =>
      step === undefined || value === undefined ? [] : [[step, value] as const],
    ),
  }));
  if (series.every(({ points }) => points.length === 0)) {
    const known = new Set(runs.flatMap((run) => run.log.flatMap(Object.keys)));
    throw new LlavaError("usage", `no run has logged "${metric}"`, {
      hint: `Logged: ${[...known].join(", ")}.`,
    });
  }
  return lineChart(series, {
    title: runs.length === 1 ? `${metric} of ${names[0]}` : `${metric} of ${runs.length} runs`,
    x: { label: "step" },
    y: { label: metric, scale: log ? "log" : "linear" },
    smoothing: smoothing ?? (metric === "loss" ? 0.9 : 0),
    theme: plot?.toLowerCase().endsWith(".svg") ? "auto" : theme,
  });
}

/** "2:05:09" */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}
