/**
 * Holds this project's hub client against Python's, on one cache and at a hub of the test's own: what either has fetched
 * the other finds without the hub, Python's scan finds the cache in order, and of both at once one fetches.
 *
 *   node proofs/compare-hub-cache.ts [--python PATH]
 *
 * The Python needs huggingface_hub.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { resolveModel } from "../src/setup/index.ts";
import { type HubFiles, startHub } from "../test/support/hub.ts";

const { values } = parseArgs({ options: { python: { type: "string", default: "python3" } } });

const files: HubFiles = {
  "config.json": Buffer.from('{"model_type":"llava"}'),
  "model.safetensors": Buffer.alloc(100_000, 7),
  "README.md": Buffer.from("words"),
  "deeper/config.json": Buffer.from('{"model_type":"llava","deeper":true}'),
  "deeper/model.safetensors": Buffer.alloc(50_000, 8),
};

const base = mkdtempSync(join(tmpdir(), "llava-hub-compare-"));
await using hub = await startHub(files);

function newHome(): NodeJS.ProcessEnv {
  const home = mkdtempSync(join(base, "home-"));
  const { HF_TOKEN: _, HF_HUB_OFFLINE: __, ...surroundings } = process.env;
  return {
    ...surroundings,
    HF_ENDPOINT: hub.url,
    HF_HOME: join(home, "hf"),
    LLAVA_HOME: join(home, "llava"),
  };
}

async function python(program: string, env: NodeJS.ProcessEnv): Promise<string> {
  const running = spawn(values.python, ["-c", program], { env, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  running.stdout.on("data", (text) => {
    output += text;
  });
  const [status] = await once(running, "close");
  assert.equal(status, 0, "Python's part failed");
  return output.trim();
}

async function ours(name: string, env: NodeJS.ProcessEnv, offline = false): Promise<string> {
  const found = await resolveModel(name, { env, offline });
  return found.kind === "folder" ? found.path : "";
}

const scan = `
from huggingface_hub import scan_cache_dir
found = scan_cache_dir()
assert not found.warnings, found.warnings
(repository,) = found.repos
(revision,) = repository.revisions
print(repository.repo_id, revision.commit_hash, sorted(revision.refs), sorted(f.file_name for f in revision.files))
`;

try {
  console.log(
    await python("import huggingface_hub; print('huggingface_hub', huggingface_hub.__version__)", newHome()),
  );

  const first = newHome();
  const folder = await ours("org/x", first);
  await ours("org/x:deeper", first);
  const found = await python(
    `
from huggingface_hub import hf_hub_download, snapshot_download
print(snapshot_download("org/x", local_files_only=True))
for name in ["config.json", "model.safetensors", "deeper/config.json", "deeper/model.safetensors"]:
    print(hf_hub_download("org/x", name, local_files_only=True))`,
    { ...first, HF_HUB_OFFLINE: "1" },
  );
  const [snapshot, ...paths] = found.split("\n");
  assert.equal(snapshot, folder);
  for (const path of paths) assert.deepEqual(readFileSync(path), files[path.slice(folder.length + 1)]);
  console.log("Python finds offline what this project has fetched:", paths.length, "files");
  console.log("Python's scan:", await python(scan, first));
  hub.requests = [];
  await python(`from huggingface_hub import snapshot_download as s; s("org/x")`, first);
  assert.deepEqual(
    hub.requests.filter((name) => name.endsWith(".safetensors") && !name.startsWith("HEAD")),
    [],
  );
  console.log("Python fetches no weights again:", hub.requests.filter((name) => name in files).join(", "));

  const second = newHome();
  const theirs = await python(
    `from huggingface_hub import snapshot_download as s; print(s("org/x"))`,
    second,
  );
  hub.requests = [];
  for (const name of ["org/x", "org/x:deeper", `org/x@${hub.commit}`])
    assert.ok((await ours(name, second, true)).startsWith(theirs));
  assert.equal(await ours("org/x", second), theirs);
  assert.deepEqual(hub.requests, []);
  console.log("This project finds what Python has fetched, without asking the hub");

  const third = newHome();
  await python(`from huggingface_hub import hf_hub_download as d; d("org/x", "config.json")`, third);
  hub.requests = [];
  await ours("org/x", third);
  assert.deepEqual(hub.requests, ["listing", "model.safetensors"]);
  console.log("This project completes what Python has begun:", hub.requests.join(", "));

  for (const order of ["this project first", "Python first"]) {
    const both = newHome();
    let release = () => {};
    const started = new Promise<void>((resolve) => {
      hub.intercept = (request, response, asked) => {
        if (asked !== "model.safetensors") return false;
        release = () => hub.send(request, response, files[asked]!);
        resolve();
        return true;
      };
    });
    hub.requests = [];
    const fetchTheirs = () =>
      python(
        `from huggingface_hub import hf_hub_download as d; print(d("org/x", "model.safetensors"))`,
        both,
      );
    const fetchOurs = () => ours("org/x", both);
    const [one, other] = order === "Python first" ? [fetchTheirs, fetchOurs] : [fetchOurs, fetchTheirs];
    const running = one();
    await started;
    const waiting = other();
    setTimeout(() => release(), 6000);
    await Promise.all([running, waiting]);
    hub.intercept = () => false;
    assert.equal(hub.requests.filter((name) => name === "model.safetensors").length, 1);
    console.log(`Of both at once (${order}) one fetches the weights`);
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
