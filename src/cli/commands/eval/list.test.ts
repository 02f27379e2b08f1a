import assert from "node:assert/strict";
import { test } from "node:test";
import { llava } from "../../../../test/support/cli.ts";

test("benchmarks in a table; those that are named with files, settings, bugs to reproduce and published scores", async () => {
  const all = await llava(["eval", "list"]);
  assert.equal(all.status, 0, all.stderr);
  assert.match(all.stdout, /^name +title +metric/);
  assert.match(all.stdout, /^videomme +Video-MME +accuracy/m);
  const some = await llava(["eval", "list", "videomme", "mmmu"]);
  assert.match(some.stdout, /^videomme: Video-MME$/m);
  assert.match(some.stdout, /^ {2}--compat +the first capital from A to D/m);
  assert.match(some.stdout, /^ {2}sampling +maxTokens 128, temperature 0$/m);
  assert.match(some.stdout, /^ {2}published +LLaVA-1\.5 13B: accuracy 36\.4 \(.*\)$/m);
  const differing = await llava(["eval", "list", "amber", "mathvista", "pope"]);
  assert.match(differing.stdout, /^ {2}differs +nouns are found .* by wink-nlp/m);
  assert.match(
    differing.stdout,
    /^ {2}differs +the judge is asked in this project's own words; .* CC BY-SA 4\.0/m,
  );
  assert.doesNotMatch(differing.stdout.slice(differing.stdout.indexOf("pope:")), /differs/);
  const unknown = await llava(["eval", "list", "videome"]);
  assert.notEqual(unknown.status, 0);
  assert.match(unknown.stderr, /Did you mean videomme\?/);
});
