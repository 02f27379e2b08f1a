import * as library from "@huggingface/jinja";

/** A value while a template runs: `type` is "StringValue", "ArrayValue", … */
export interface Value {
  readonly type: string;
  value: unknown;
  toString(): string;
}

/** A node of a parsed template, with the fields of whatever kind `type` says. */
export interface Node {
  readonly type: string;
  readonly value?: unknown;
  readonly operator?: { readonly value: string };
  readonly left?: Node;
  readonly right?: Node;
  readonly operand?: Node;
  readonly filter?: Node;
  readonly callee?: Node;
  readonly args?: readonly Node[];
  readonly argument?: Node;
  readonly object?: Node;
  readonly property?: Node;
  readonly computed?: boolean;
  readonly start?: Node;
  readonly stop?: Node;
  readonly step?: Node;
  readonly body?: readonly Node[];
  readonly defaultBlock?: readonly Node[];
  /** The value of a node of type "Held", which was evaluated already. */
  readonly held?: Value | undefined;
}

/** Variables of a template. */
export interface Scope {
  set(name: string, value: unknown): Value;
  setVariable(name: string, value: Value): Value;
}

interface LibraryInterpreter {
  readonly global: Scope;
  run(program: Node): Value;
  evaluate(node: Node | undefined, scope: Scope): Value;
}

// The package's declarations import files without their extensions, which leaves their types empty here.
export const Interpreter = library.Interpreter as unknown as new (scope: Scope) => LibraryInterpreter;
export const JinjaScope = library.Environment as unknown as new () => Scope;

/** Throws SyntaxError. */
export const parseTemplate = (text: string): Node =>
  library.parse(library.tokenize(text, { lstrip_blocks: true, trim_blocks: true })) as unknown as Node;

const functionNames = ["raise_exception", "range", "strftime_now"];
let functions: readonly unknown[] | undefined;

/** A scope with what templates may call and name, of which the library tells only the templates that it renders itself. */
export function globalScope(): Scope {
  const scope = new JinjaScope();
  for (const [name, value] of [
    ["none", null],
    ["true", true],
    ["false", false],
  ] as const) {
    scope.set(name, value);
    scope.set(name[0]!.toUpperCase() + name.slice(1), value);
  }
  if (functions === undefined) {
    const keep = (...found: readonly unknown[]) => {
      functions = found;
    };
    new library.Template(`{{ keep(${functionNames.join()}) }}`).render({ keep });
  }
  for (const [index, name] of functionNames.entries()) scope.set(name, () => {}).value = functions![index];
  return scope;
}

/** A text as a template writes strings: quotes, backslashes and line breaks would end or change one. */
export const jinjaString = (text: string): string =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`;
