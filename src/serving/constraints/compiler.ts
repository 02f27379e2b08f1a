import { LlavaError } from "../../errors.ts";
import type { Tokenizer } from "../../processing/tokenizer/index.ts";
import type { AnswerConstraint } from "../../protocol/index.ts";
import type { ConstraintCompiler, Matcher } from "../engine/index.ts";
import { type Library, loadLibrary, type MatcherInit, type Pointer } from "./library.ts";
import { GrammarMatcher } from "./matcher.ts";
import { nestingOf } from "./nesting.ts";
import { optionalPairsOf } from "./optional.ts";

/** Larger than any schema that people write by hand; a compiled one takes a hundred times its text. */
const MOST_CHARACTERS = 256 * 1024;
/** Compiled grammars that are kept, those used last. */
const MOST_KEPT = 64;
/** Blanks between the tokens of JSON: small models go on writing newlines where they may. */
const BLANKS = String.raw`[\x20\x0A\x0D\x09]{0,8}`;
/** Objects of a schema within each other, references followed, and rules and groups of a grammar: near 1,000 llguidance overruns its stack. */
const MOST_NESTED = 600;
/** Optional properties of one object: more have no place among `itemsInRow`. */
const MOST_OPTIONAL = 500;
/** llguidance's own limits: a hundredth of a second to compile, and less for a mask, however a schema is made. */
const limits: MatcherInit["limits"] = {
  itemsInRow: 2000,
  initialFuel: 1_000_000,
  stepFuel: 200_000,
  stepItems: 50_000,
  states: 250_000,
  grammarSize: 500_000,
  precomputes: true,
  isVerbose: false,
};
/** How llguidance is told that a token's bytes are a name that no text matches. */
const SPECIAL = 0xff;

/** Of a model: its tokenizer, the width of its logits and the id that ends its answers. */
export interface Vocabulary {
  readonly tokenizer: Tokenizer;
  readonly size: number;
  readonly endId: number;
}

/**
 * Compiles constraints with llguidance. Schemas that it cannot hold an answer to are refused, never read loosely.
 * @throws LlavaError "setup" where llguidance is not here or does not load
 */
export async function llguidanceCompiler(vocabulary: Vocabulary): Promise<ConstraintCompiler> {
  const library = await loadLibrary();
  return new LlguidanceCompiler(library, newTokenizer(library, vocabulary), vocabulary);
}

class LlguidanceCompiler implements ConstraintCompiler {
  readonly #library: Library;
  readonly #init: MatcherInit;
  readonly #words: number;
  readonly #mayBeginWithSpace: boolean;
  /** By type and text, in the order of their last use. */
  readonly #kept = new Map<string, Promise<GrammarMatcher>>();

  constructor(library: Library, pointer: Pointer, { tokenizer, size }: Vocabulary) {
    this.#library = library;
    this.#words = Math.ceil(size / 32);
    this.#mayBeginWithSpace = tokenizer.stripsLeadingSpace;
    const quiet = { bufferLog: 0, standardErrorLog: 0, fastForwards: false, backtracks: false };
    this.#init = { tokenizer: pointer, ...quiet, limits };
  }

  async compile(constraint: AnswerConstraint, signal?: AbortSignal): Promise<Matcher> {
    const written = textOf(constraint);
    const [type, text] = this.#mayBeginWithSpace ? behindSpace(written) : written;
    if (text.length > MOST_CHARACTERS)
      throw refusal(constraint, `it has ${text.length} characters; at most ${MOST_CHARACTERS} are taken`);
    requireShallow(constraint);
    if (constraint.type === "json-schema" && optionalPairsOf(constraint.schema) > MOST_OPTIONAL ** 2)
      throw refusal(
        constraint,
        `its objects have too many optional properties; at most ${MOST_OPTIONAL} are taken in one`,
      );
    const key = `${type}\n${text}`;
    const compiled = this.#kept.get(key) ?? this.#compile(constraint, type, text);
    this.#kept.delete(key);
    this.#kept.set(key, compiled);
    compiled.catch(() => this.#kept.delete(key));
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    const matcher = await compiled;
    signal?.throwIfAborted();
    return matcher.clone();
  }

  async #compile(constraint: AnswerConstraint, type: string, text: string): Promise<GrammarMatcher> {
    const pointer = await this.#library.newMatcher(this.#init, type, text);
    const matcher = new GrammarMatcher(this.#library, pointer, this.#words);
    const problem = matcher.error ?? whyNothingFollows(matcher);
    if (problem === undefined) return matcher;
    matcher[Symbol.dispose]();
    throw refusal(constraint, problem);
  }
}

/** Of a grammar that is well formed and derives nothing. */
function whyNothingFollows(matcher: GrammarMatcher): string | undefined {
  try {
    return matcher.mask().some((word) => word !== 0) ? undefined : "no answer satisfies it";
  } catch {
    return "no answer satisfies it";
  }
}

/** @throws LlavaError "config" for what llguidance has no stack for, and would end the process by */
function requireShallow(constraint: AnswerConstraint): void {
  let nested = 0;
  // Schemas that are too large to go through are too large for llguidance as well.
  try {
    if (constraint.type === "json-schema") nested = nestingOf(constraint.schema);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof URIError)) throw error;
    nested = Number.POSITIVE_INFINITY;
  }
  // Grammars are not read here: no more rules, groups and objects can be within each other than there are.
  if (constraint.type === "grammar") nested = constraint.grammar.match(/[:([{]/g)?.length ?? 0;
  if (nested > MOST_NESTED)
    throw refusal(constraint, `more than ${MOST_NESTED} of its parts may be within each other by references`);
}

function refusal({ type }: AnswerConstraint, problem: string): LlavaError {
  const what = {
    json: "JSON",
    "json-schema": "the JSON schema",
    regex: "the regular expression",
    grammar: "the grammar",
  };
  return new LlavaError("config", `${what[type]} cannot be held to: ${problem.trim()}`, {
    hint: "Schemas are of draft 2020-12, expressions without look-around, grammars in Lark's notation.",
  });
}

type GrammarText = readonly [type: "json_schema" | "regex" | "lark", text: string];

/** A constraint's type and text, as llguidance takes them. */
function textOf(constraint: AnswerConstraint): GrammarText {
  if (constraint.type === "regex") return ["regex", constraint.pattern];
  if (constraint.type === "grammar") return ["lark", constraint.grammar];
  const schema = constraint.type === "json" ? { type: "object" } : constraint.schema;
  const isObject = typeof schema === "object" && schema !== null && !Array.isArray(schema);
  const asked = isObject ? (schema as { readonly "x-guidance"?: object })["x-guidance"] : undefined;
  const own = { "x-guidance": { whitespace_pattern: BLANKS, ...asked } };
  try {
    return ["json_schema", JSON.stringify(isObject ? { ...schema, ...own } : schema)];
  } catch {
    throw refusal(constraint, "it is nested too deeply, or no JSON");
  }
}

/** Where decoding takes a space off the beginning, models are used to begin with one; a grammar of the user's own stays as it is. */
function behindSpace([type, text]: GrammarText): GrammarText {
  if (type === "regex") return [type, ` ?(?:${text})`];
  return type === "json_schema" ? ["lark", `start: " "? answer\nanswer: %json ${text}`] : [type, text];
}

function newTokenizer(library: Library, { tokenizer, size, endId }: Vocabulary): Pointer {
  const special = new Set(tokenizer.specialTokens.values()).add(endId);
  const pieces = Array.from({ length: size }, (_, id) => {
    const bytes = tokenizer.bytesOf(id);
    return special.has(id) ? Buffer.from([SPECIAL, ...bytes]) : bytes;
  });
  const error = new Uint8Array(512);
  const made = library.newTokenizer(
    {
      vocabularySize: size,
      endId,
      lengths: Uint32Array.from(pieces, ({ length }) => length),
      bytes: Buffer.concat(pieces),
      json: null,
      assumesString: false,
      tokenize: null,
      isGreedy: true,
      userData: null,
      slices: null,
    },
    error,
    error.length,
  );
  if (made !== null) return made;
  throw new LlavaError("config", `llguidance does not take the tokenizer: ${written(error)}`, {
    hint: "Structured answers are not available for this model; others are.",
  });
}

const written = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
