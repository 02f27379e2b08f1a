/**
 * Opens a report of made-up results, or the page that is named, in a headless Chromium without network: all charts and
 * images must show, in light and dark, with no error in the console, no script and no request.
 *   node proofs/check-report.ts [report.html] [--screenshots FOLDER]
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { buildReport } from "../src/evaluation/index.ts";
import { browserNames, findBrowser } from "../test/support/browser.ts";
import { madeUpSources } from "../test/support/report-sources.ts";

interface Seen {
  readonly charts: number;
  readonly images: number;
  readonly faults: readonly string[];
}

interface Found extends Omit<Seen, "faults"> {
  readonly hidden: number;
  readonly broken: number;
  readonly scripts: number;
  /** Pixels that the page reaches beyond the window. */
  readonly wide: number;
}

/** Runs in the page. */
const look = `(async () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  const charts = [...document.querySelectorAll("svg.chart")];
  const images = [...document.querySelectorAll("img")];
  const isShown = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return width > 0 && height > 0;
  };
  const whole = new Set();
  for (const image of images) await image.decode().then(() => whole.add(image), () => {});
  const isWhole = (image) => whole.has(image);
  return {
    charts: charts.filter(isShown).length,
    images: images.filter((image) => isShown(image) && isWhole(image)).length,
    hidden: [...charts, ...images].filter((element) => !isShown(element)).length,
    broken: images.filter((image) => !isWhole(image)).length,
    scripts: document.scripts.length,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
})()`;

async function inspect(
  executablePath: string,
  path: string,
  theme: "light" | "dark",
  shot?: string,
): Promise<Seen> {
  await using browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const context = await browser.newContext({
    colorScheme: theme,
    viewport: { width: 1120, height: 900 },
    offline: true,
  });
  const page = await context.newPage();
  const faults: string[] = [];
  const own = pathToFileURL(path).href;
  page.on("console", (message) => faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("dialog", (dialog) => faults.push(`dialog: ${dialog.message()}`));
  page.on("request", (request) => {
    if (request.url() !== own && !request.url().startsWith("data:")) faults.push(`request: ${request.url()}`);
  });
  await page.goto(own, { waitUntil: "load" });
  const found = await page.evaluate<Found>(look);
  for (const name of ["hidden", "broken", "scripts", "wide"] as const)
    if (found[name] > 0) faults.push(`${name}: ${found[name]}`);
  if (shot)
    await page.screenshot({ path: shot, fullPage: true, clip: { x: 0, y: 0, width: 1120, height: 8000 } });
  return { charts: found.charts, images: found.images, faults };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { screenshots: { type: "string" } },
});
const browser = findBrowser();
if (browser === undefined) {
  console.log(`skipped: no Chromium found (${browserNames.join(", ")} in PATH, or LLAVA_CHROMIUM)`);
} else {
  const folder = await mkdtemp(join(tmpdir(), "llava-report-"));
  try {
    const path = positionals[0] ? resolve(positionals[0]) : join(folder, "report.html");
    if (!positionals[0]) await writeFile(path, await buildReport(await madeUpSources(), { now: new Date() }));
    const bytes = (await readFile(path)).length;
    for (const theme of ["light", "dark"] as const) {
      const shot = values.screenshots && join(values.screenshots, `report-${theme}.png`);
      const { charts, images, faults } = await inspect(browser, path, theme, shot);
      console.log(
        `${theme}: ${charts} charts, ${images} images, ${(bytes / 2 ** 20).toFixed(1)} MiB, ${faults.length} faults`,
      );
      for (const fault of faults) console.log(`  ${fault}`);
      if (charts === 0 || faults.length > 0) process.exitCode = 1;
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}
