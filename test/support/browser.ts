import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

/** Names of Chromium in the PATH. */
export const browserNames = [
  "chromium-headless-shell",
  "chromium",
  "chromium-browser",
  "google-chrome",
  "chrome",
];

/** A Chromium that is installed: that of LLAVA_CHROMIUM, playwright's, or one in the PATH. */
export function findBrowser(): string | undefined {
  const { LLAVA_CHROMIUM, PATH = "" } = process.env;
  const installed = PATH.split(delimiter).flatMap((folder) => browserNames.map((name) => join(folder, name)));
  return [LLAVA_CHROMIUM, chromium.executablePath(), ...installed].find((path) => path && existsSync(path));
}
