import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { writeSafetensors } from "../../../checkpoint/index.ts";
import { scope, zeros } from "../../../torch/index.ts";
import { inspectModel } from "./info.ts";

const path = temporaryFolder("llava-info");

test("parameters are those of the file that is loaded, not of a copy or of other tensors beside it", () => {
  scope(() =>
    writeSafetensors(
      join(path, "model.safetensors"),
      new Map([
        ["a", zeros([3, 5])],
        ["b", zeros([2])],
      ]),
    ),
  );
  assert.equal(inspectModel({ kind: "folder", path }).parameters, 17);
  cpSync(join(path, "model.safetensors"), join(path, "copy.safetensors"));
  const { parameters, files } = inspectModel({ kind: "folder", path });
  assert.deepEqual([parameters, files.map(({ tensors }) => tensors?.length)], [17, [2, 2]]);
});

test("a folder of parts of a model counts them", () => {
  rmSync(join(path, "model.safetensors"), { force: true });
  scope(() => writeSafetensors(join(path, "copy.safetensors"), new Map([["part", zeros([4])]])));
  assert.equal(inspectModel({ kind: "folder", path }).parameters, 4);
});
