import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { LlavaError } from "../../errors.ts";
import { readAnswers, readVerdicts } from "./index.ts";

const folder = temporaryFolder("llava-answers");
const path = join(folder, "file.jsonl");
const row = (id: number, text = "yes"): string => `${JSON.stringify({ question_id: id, text })}\n`;
const verdict = (id: string, judge = "j"): string =>
  `${JSON.stringify({ id, verdict: { score: 1 }, reply: "1", judge })}\n`;

async function refused(
  read: () => Promise<unknown>,
  content: string | Buffer,
  message: string,
): Promise<void> {
  writeFileSync(path, content);
  await assert.rejects(read, (error) => {
    assert.ok(error instanceof LlavaError && error.code === "data" && error.hint);
    assert.equal(error.message, `${path}${message}`);
    return true;
  });
}

const answers = () => readAnswers({}, path);
const verdicts = () => readVerdicts({}, path);

test("files that are not text in UTF-8 are told apart", async () => {
  const text = row(1) + row(2);
  const wide = Buffer.from(text, "utf16le");
  await refused(answers, wide, ":1: UTF-16, not UTF-8");
  await refused(answers, Buffer.concat([Buffer.from([0xff, 0xfe]), wide]), ":1: UTF-16, not UTF-8");
  await refused(answers, Buffer.concat([Buffer.from([0xfe, 0xff]), wide.swap16()]), ":1: UTF-16, not UTF-8");
  await refused(answers, gzipSync(text), ":1: compressed with gzip");
  await refused(answers, Buffer.from(row(1) + row(2, "café"), "latin1"), ":2: not UTF-8");
  await refused(answers, "", ": is empty");
  await refused(answers, "yes\nno\n", ": holds no answers");
});

test("rows that are cut, doubled or of another shape are named by their line", async () => {
  writeFileSync(path, row(1) + row(2));
  assert.equal((await answers()).texts.size, 2);
  await refused(answers, row(1) + row(2) + row(1), ':3: a second answer to question "1", after line 1');
  await refused(answers, `${row(1)}[1, "yes"]\n`, ":2: has no question_id");
  await refused(answers, `${row(1)}{"question_id": 2}\n`, ":2: has no text");
  writeFileSync(path, row(1) + row(2).slice(0, 20));
  await assert.rejects(answers, /file\.jsonl:2: not valid JSON/);
});

test("verdicts that are doubled, of two judges or of another shape are named by their line", async () => {
  writeFileSync(path, verdict("1") + verdict("2"));
  assert.deepEqual([(await verdicts()).byId.size, (await verdicts()).judge], [2, "j"]);
  await refused(verdicts, verdict("1") + verdict("2") + verdict("1"), ':3: a second verdict on question "1"');
  await refused(verdicts, verdict("1") + verdict("2", "k"), ":2: verdicts of several judges: j, k");
  await refused(verdicts, '{"id": "1", "reply": "?"}\n', ": holds no verdicts");
  writeFileSync(path, `${verdict("1")}{"id": 2}\n`);
  await assert.rejects(verdicts, /file\.jsonl:2: /);
});
