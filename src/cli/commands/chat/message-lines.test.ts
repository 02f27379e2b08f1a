import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MessageLines } from "./message-lines.ts";

function messagesOf(...lines: readonly string[]): string[] {
  const reader = new MessageLines();
  const messages = lines.flatMap((line) => reader.take(line)?.text ?? []);
  const rest = reader.finish();
  return rest === undefined ? messages : [...messages, `open: ${rest.text}`];
}

test("a line is a message; a backslash at its end goes on in the next", () => {
  assert.deepEqual(messagesOf("a", "", "b"), ["a", "", "b"]);
  assert.deepEqual(messagesOf("a\\", "b\\", "c", "d"), ["a\nb\nc", "d"]);
  assert.deepEqual(messagesOf("a\\\\", "b"), ["a\\\\", "b"]);
  assert.deepEqual(messagesOf("a\\"), ["open: a"]);
});

test("what stands between three quotes is one message", () => {
  assert.deepEqual(messagesOf('"""', "a", "", "  b\\", '"""', "c"), ["a\n\n  b\\", "c"]);
  assert.deepEqual(messagesOf('"""a', 'b"""'), ["a\nb"]);
  assert.deepEqual(messagesOf('"""a"""'), ["a"]);
  assert.deepEqual(messagesOf('"""', "a"), ["open: a"]);
  assert.equal(new MessageLines().take('"""/reset"""')!.isFenced, true);
  assert.equal(new MessageLines().take("/reset")!.isFenced, false);
});

test("any text comes back from its quotes and from its backslashes", () => {
  const line = fc.string().filter((text) => !/"""|\\$|[\r\n]/.test(text) && text.trim() === text);
  fc.assert(
    fc.property(fc.array(line, { minLength: 1 }), (lines) => {
      const text = lines.join("\n");
      assert.deepEqual(messagesOf('"""', ...lines, '"""'), [text]);
      const escaped = lines.map((one, index) => (index < lines.length - 1 ? `${one}\\` : one));
      assert.deepEqual(messagesOf(...escaped), [text]);
    }),
  );
});
