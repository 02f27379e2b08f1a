import { LlavaError } from "../../errors.ts";
import { nativeFunctions } from "../../files/index.ts";
import { findLlguidance } from "../../setup/index.ts";

/** A pointer into the library. */
export type Pointer = object;

/** The functions of llguidance's C API that constraints take (llguidance.h of release 1.9.1). */
export interface Library {
  newTokenizer(init: TokenizerInit, error: Uint8Array, errorBytes: number): Pointer | null;
  /** In another thread. */
  newMatcher(init: MatcherInit, type: string, grammar: string): Promise<Pointer>;
  cloneMatcher(matcher: Pointer): Pointer;
  freeMatcher(matcher: Pointer): void;
  error(matcher: Pointer): string | null;
  mask(matcher: Pointer, words: Uint32Array, bytes: number): number;
  consume(matcher: Pointer, token: number): number;
  isAccepting(matcher: Pointer): boolean;
  isStopped(matcher: Pointer): boolean;
}

/** Fields in the order of LlgTokenizerInit. */
interface TokenizerInit {
  readonly vocabularySize: number;
  readonly endId: number;
  readonly lengths: Uint32Array;
  readonly bytes: Uint8Array;
  readonly json: null;
  readonly assumesString: boolean;
  readonly tokenize: null;
  readonly isGreedy: boolean;
  readonly userData: null;
  readonly slices: null;
}

/** Fields in the order of LlgConstraintInit; limits that are 0 are the library's own. */
export interface MatcherInit {
  readonly tokenizer: Pointer;
  readonly bufferLog: number;
  readonly standardErrorLog: number;
  readonly fastForwards: boolean;
  readonly backtracks: boolean;
  readonly limits: {
    readonly itemsInRow: number;
    readonly initialFuel: number;
    readonly stepFuel: number;
    readonly stepItems: number;
    readonly states: number;
    readonly grammarSize: number;
    readonly precomputes: boolean;
    readonly isVerbose: boolean;
  };
}

let loaded: Promise<Library> | undefined;

/** @throws LlavaError "setup" where the library is not here or does not load */
export const loadLibrary = (): Promise<Library> => {
  loaded ??= load().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
};

async function load(): Promise<Library> {
  const found = findLlguidance();
  if (found === undefined)
    throw new LlavaError("setup", "llguidance, which structured answers take, is not set up", {
      hint: "Run: npx llava setup",
    });
  try {
    return await bind(found.library, found.symbols);
  } catch (error) {
    throw new LlavaError("setup", `llguidance does not load: ${(error as Error).message}`, {
      hint: "Structured answers need Linux with glibc 2.31 or newer, or macOS.",
      cause: error,
    });
  }
}

async function bind(library: string, symbols: string): Promise<Library> {
  const koffi = await nativeFunctions();
  koffi.load(symbols, { global: true });
  const llguidance = koffi.load(library);
  koffi.struct("LlgParserLimits", {
    itemsInRow: "size_t",
    initialFuel: "uint64_t",
    stepFuel: "uint64_t",
    stepItems: "size_t",
    states: "size_t",
    grammarSize: "size_t",
    precomputes: "bool",
    isVerbose: "bool",
  });
  koffi.struct("LlgConstraintInit", {
    tokenizer: "void *",
    bufferLog: "uint32_t",
    standardErrorLog: "uint32_t",
    fastForwards: "bool",
    backtracks: "bool",
    limits: "LlgParserLimits",
  });
  koffi.struct("LlgTokenizerInit", {
    vocabularySize: "uint32_t",
    endId: "uint32_t",
    lengths: "uint32_t *",
    bytes: "uint8_t *",
    json: "void *",
    assumesString: "bool",
    tokenize: "void *",
    isGreedy: "bool",
    userData: "void *",
    slices: "void *",
  });
  const newMatcher = llguidance.func("void *llg_new_matcher(LlgConstraintInit *init, str type, str grammar)");
  return {
    newTokenizer: llguidance.func(
      "void *llg_new_tokenizer(LlgTokenizerInit *init, uint8_t *error, size_t bytes)",
    ),
    newMatcher: (init, type, grammar) =>
      new Promise((resolve, reject) =>
        newMatcher.async(init, type, grammar, (error: Error | null, matcher: Pointer) =>
          error ? reject(error) : resolve(matcher),
        ),
      ),
    cloneMatcher: llguidance.func("void *llg_clone_matcher(void *matcher)"),
    freeMatcher: llguidance.func("void llg_free_matcher(void *matcher)"),
    error: llguidance.func("str llg_matcher_get_error(void *matcher)"),
    mask: llguidance.func(
      "int32_t llg_matcher_compute_mask_into(void *matcher, _Out_ uint32_t *words, size_t bytes)",
    ),
    consume: llguidance.func("int32_t llg_matcher_consume_token(void *matcher, uint32_t token)"),
    isAccepting: llguidance.func("bool llg_matcher_is_accepting(void *matcher)"),
    isStopped: llguidance.func("bool llg_matcher_is_stopped(void *matcher)"),
  };
}
