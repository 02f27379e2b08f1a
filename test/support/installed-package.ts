import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const checkout = fileURLToPath(new URL("../../", import.meta.url));
const fixtures = join(checkout, "test/fixtures");
export const tinyModel = join(fixtures, "llava/llama");

const left = /^(?:node_modules|\.git|dist|runs|test|native\/build)$/;

/** What `npm pack` leaves in a folder, of a copy of the checkout: packing changes package.json for a while. */
export async function packCheckout(output: string): Promise<string> {
  const copy = mkdtempSync(join(tmpdir(), "llava-pack-"));
  const isTaken = (path: string): boolean => !left.test(relative(checkout, path));
  try {
    cpSync(checkout, copy, { recursive: true, filter: isTaken });
    symlinkSync(join(checkout, "node_modules"), join(copy, "node_modules"));
    const before = readFileSync(join(copy, "package.json"), "utf8");
    await run("npm", ["pack", "--loglevel", "error", "--pack-destination", output], { cwd: copy });
    assert.equal(readFileSync(join(copy, "package.json"), "utf8"), before);
    return join(output, globSync("llava-[0-9]*.tgz", { cwd: output })[0]!);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** An empty project with a package and, instead of fetched ones, links to the dependencies that the lock file names for it. */
export async function installLinked(project: string, tarball: string): Promise<void> {
  const modules = join(project, "node_modules");
  const place = join(modules, "llava");
  mkdirSync(place, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", place, "--strip-components=1"]);
  const { packages } = JSON.parse(readFileSync(join(checkout, "package-lock.json"), "utf8"));
  for (const [path, { dev = false, devOptional = false, optional = false }] of Object.entries(
    packages as Record<string, Record<string, boolean>>,
  )) {
    const [, name, rest] = /^node_modules\/((?:@[^/]+\/)?[^/]+)(.*)$/.exec(path) ?? [];
    if (name === undefined || rest !== "" || dev) continue;
    const from = join(checkout, path);
    if (!existsSync(from)) {
      assert.ok(optional || devOptional, `${path} is not installed; run npm ci`);
      continue;
    }
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(from, join(modules, name));
  }
  mkdirSync(join(modules, ".bin"));
  symlinkSync("../llava/bin/llava.js", join(modules, ".bin/llava"));
  writeFileSync(join(project, "package.json"), '{ "type": "module" }\n');
}

/** Every package that the built code imports is one that installing it brings, or a peer. */
export function assertDeclared(project: string): void {
  const place = join(project, "node_modules/llava");
  const { name, dependencies, peerDependencies } = JSON.parse(
    readFileSync(join(place, "package.json"), "utf8"),
  );
  const known = new Set([name, ...Object.keys({ ...dependencies, ...peerDependencies }), ...builtinModules]);
  const statement = /^(?:import|export)(?: [\w\s*{},$]+ from)? "([^".][^"]*)"|\bimport\("([^".][^"]*)"\)/gm;
  const found = globSync("dist/**/*.{js,d.ts}", { cwd: place }).flatMap((file) =>
    [...readFileSync(join(place, file), "utf8").matchAll(statement)].map(([, first, second]) => {
      const specifier = first ?? second ?? "";
      return [file, specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/")] as const;
    }),
  );
  assert.ok(found.length > 100);
  const unknown = found.filter(([, module]) => !module.startsWith("node:") && !known.has(module));
  assert.deepEqual(unknown, []);
}

export interface Use {
  /** The program that runs everything. */
  readonly node: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a command in a project by a Node; what it prints. */
export async function runIn(project: string, { node, env }: Use, ...args: string[]): Promise<string> {
  const PATH = [dirname(node), process.env["PATH"]].join(delimiter);
  const options = { cwd: project, env: { OMP_NUM_THREADS: "1", ...process.env, PATH, ...env } };
  const { stdout } = await run(node, args, options);
  return stdout;
}

export const llavaIn = (project: string, use: Use, ...args: string[]): Promise<string> =>
  runIn(project, use, "node_modules/llava/bin/llava.js", "-q", ...args);

/** What a project that depends on llava might hold. */
export function writeProgram(project: string): void {
  cpSync(join(fixtures, "llava/images"), join(project, "examples"), { recursive: true });
  cpSync(join(fixtures, "llava/images/wide.png"), join(project, "examples/soccer.jpg"));
  cpSync(join(fixtures, "training/rows.json"), join(project, "rows.json"));
  const readme = readFileSync(join(project, "node_modules/llava/README.md"), "utf8");
  const [, six = ""] = /^```ts[^\n]*\n(.*?)^```$/ms.exec(readme) ?? [];
  assert.match(six, /loadModel\(\)/);
  const tiny = six.replace("loadModel()", `loadModel(${JSON.stringify(tinyModel)})`);
  writeFileSync(join(project, "chat.ts"), tiny);
  writeFileSync(
    join(project, "recipe.ts"),
    `import pretrain from "llava/recipes/llava-1.5-7b/pretrain";
import { recipe } from "llava/training";

export default recipe({
  model: ${JSON.stringify(tinyModel)},
  projector: "loaded",
  train: ["projector"],
  data: { rows: "rows.json", images: "examples", template: "vicuna_v1", workers: 2 },
  optimizer: { ...pretrain.optimizer, learningRate: 2e-3 },
  dtype: "float32",
  batchSize: 6,
  maxSteps: 2,
  output: "run",
});
`,
  );
  writeFileSync(
    join(project, "subpaths.ts"),
    `import { readRows } from "llava/data";
import { type Benchmark, listBenchmarks } from "llava/evaluation";
import { resolveRecipe } from "llava/training";
import own from "./recipe.ts";

const benchmarks: readonly Benchmark[] = await listBenchmarks();
const rows = await readRows("rows.json");
console.log(benchmarks.length > 20, rows.length, resolveRecipe(own).maxSteps);
`,
  );
}

/** Types of the program, by a way of resolving modules. */
export async function checkTypes(
  project: string,
  resolution: "node16" | "nodenext" | "bundler",
): Promise<void> {
  const types = join(project, "node_modules/@types");
  if (!existsSync(types)) symlinkSync(join(checkout, "node_modules/@types"), types);
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "esnext",
    lib: ["esnext"],
    types: ["node"],
    module: resolution === "bundler" ? "preserve" : resolution,
    moduleResolution: resolution,
    allowImportingTsExtensions: true,
  };
  const path = join(project, `tsconfig.${resolution}.json`);
  writeFileSync(path, JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const tsc = join(checkout, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [tsc, "-p", path]).catch(({ stdout }) =>
    assert.fail(`${resolution}:\n${stdout}`),
  );
}
