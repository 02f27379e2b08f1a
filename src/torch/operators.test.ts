import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { native } from "./binding.ts";
import { parseSchema } from "./operator.ts";
import { schemas } from "./operators.ts";

/** The dispatcher's declaration in the spelling of `schemas`: no alias marks, no stars, fewer types. */
function simplified(declaration: string): string {
  const flat = declaration.replace(/=\[(\d+), [^\]]*\]/g, "=$1"); // [1, 1] is 1 for each dimension
  const match = /^([\w:.]+)\((.*)\) -> (.+)$/.exec(flat);
  assert.ok(match, declaration);
  const [, name = "", parameters = "", results = ""] = match;
  // Only the first argument is handed back where it is written.
  const written = results.includes("!") && parameters.split(", ")[0]!.includes("!") ? "Tensor!" : "()";
  const result = results.replace(/(Tensor)\([\w|! ->*]+\)/g, "$1").replace(/Tensor \w+/g, "Tensor");
  return `${name.replace("aten::", "")}(${parameters
    .split(", ")
    .filter((parameter) => parameter !== "*")
    .map(simplifiedParameter)
    .join(", ")}) -> ${results.startsWith("Tensor[](") ? "()" : results.includes("!") ? written : result}`;
}

const simplifiedParameter = (text: string): string =>
  text
    .replace(/^(Tensor|Tensor\[\])\([\w|! ->*]+\)/, "$1")
    .replace(/^SymInt|^Layout|^MemoryFormat/, "int")
    .replace(/^ScalarType/, "DType")
    .replace(/^Any (?=reduce_op|group_name)/, "str ")
    .replace(/^(\w+\[)\d+\]/, "$1]");

const NAMED_DEFAULTS: Readonly<Record<string, string>> = { contiguous_format: "0", Mean: "1", int64: "4" };

/** Defaults in one spelling: 1e-05 and 1.0000000000000001e-05, 0. and 0.0, "none" and 'none' are the same. */
const withPlainDefaults = (declaration: string): string =>
  declaration.replace(/=([^,)]+)/g, (_, value: string) => {
    const number = Number(NAMED_DEFAULTS[value] ?? value);
    return `=${Number.isNaN(number) ? value.replaceAll("'", '"') : Number(number.toPrecision(12))}`;
  });

/** A declaration without its last `count` parameters, which must have defaults. */
function cut(declaration: string, count: number): string {
  const match = /^([^(]+)\((.*)\) -> (.+)$/.exec(declaration)!;
  const parameters = match[2] === "" ? [] : match[2]!.split(", ");
  for (const last of parameters.splice(count))
    assert.match(last, /=/, `${declaration}: ${last} has no default`);
  return `${match[1]}(${parameters.join(", ")}) -> ${match[3]}`;
}

describe("the operators' declarations are the dispatcher's", () => {
  for (const [key, text] of Object.entries(schemas))
    test(key, () => {
      const { name, overload, parameters } = parseSchema(text);
      const actual = simplified(native.schema(native.resolve(name, overload)));
      assert.equal(withPlainDefaults(text), withPlainDefaults(cut(actual, parameters.length)));
    });
});

test("an operator that libtorch lacks is named", () => {
  assert.throws(() => native.resolve("aten::no_such_operator", "Tensor"), /aten::no_such_operator\.Tensor/);
});

test("what is no declaration is refused", () => {
  assert.throws(() => parseSchema("add(Tensor self"), SyntaxError);
});
