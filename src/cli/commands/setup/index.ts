import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import { ensureCudaAddon, ensureLlguidance, ensureNative, resolveModel } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";

export function configure(command: Command, { progress, report, signal }: CommandContext): void {
  command
    .description(
      "Install libtorch (or use the one of LIBTORCH or python3) and build the native addon. llava doctor tells what this needs, and its help by which variables it goes.",
    )
    .option("--model <name>", "fetch this model as well")
    .addHelpText("after", "\nExample:\n  llava setup --model llava-smol-135m")
    .action(async ({ model }: { model?: string }) => {
      const options = { progress, report, signal: signal() };
      const native = await ensureNative(options);
      const { addonPath, libtorch } = native;
      report(`libtorch ${libtorch.version} (${libtorch.source}) in ${libtorch.root}`);
      report(`addon ${addonPath}`);
      const cudaAddon = await ensureCudaAddon(native, options);
      if (cudaAddon !== undefined) report(`addon for CUDA ${cudaAddon}`);
      try {
        report(`llguidance ${(await ensureLlguidance(options)).library}`);
      } catch (error) {
        // Structured answers of the server alone take it.
        if (!(error instanceof LlavaError) || error.code === "aborted") throw error;
        report(`no structured answers: ${error.message}`);
      }
      if (model === undefined) return;
      const resolved = await resolveModel(model, options);
      report(`model ${model} in ${resolved.kind === "folder" ? resolved.path : resolved.folder}`);
    });
}
