import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** An interpreter in a new environment inside a folder, with packages of PyPI. @param python makes the environment */
export function pythonWith(packages: readonly string[], folder: string, python = "python3"): string {
  const environment = join(folder, "python");
  execFileSync(python, ["-m", "venv", environment], { stdio: "inherit" });
  const interpreter = join(environment, "bin/python");
  execFileSync(interpreter, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages], {
    stdio: "inherit",
  });
  return interpreter;
}
