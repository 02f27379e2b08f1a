import { native } from "./binding.ts";
import { codeOf, type DType } from "./dtype.ts";
import { explain } from "./errors.ts";
import { Handle } from "./handle.ts";
import { adopt } from "./scope.ts";

/** A random generator, as operators take it. */
export interface Numbered {
  /** Its row in the addon's table. */
  readonly index: number;
}

/**
 * An operator is declared by its schema, as libtorch writes it less the noise ("add.Tensor(Tensor self, Tensor other,
 * Scalar alpha=1) -> Tensor"), and its TypeScript type is read off that string, with the class `T` for "Tensor": a parameter
 * with a default may be left out; `Tensor!` as the result means that the operator writes its first argument and returns that
 * very object.
 */
export type OperatorOf<
  T,
  Schema extends string,
> = Schema extends `${string}(${infer Parameters}) -> ${infer Result}`
  ? (...args: ArgumentsOf<T, Parameters>) => ResultOf<T, Result>
  : never;

type ArgumentsOf<T, P extends string> = P extends ""
  ? []
  : P extends `${infer Head}, ${infer Rest}`
    ? [...ArgumentOf<T, Head>, ...ArgumentsOf<T, Rest>]
    : ArgumentOf<T, P>;

type ArgumentOf<T, P extends string> = P extends `${infer Type} ${string}=${string}`
  ? [argument?: ValueOf<T, Type> | undefined]
  : P extends `${infer Type} ${string}`
    ? [argument: ValueOf<T, Type>]
    : never;

type ValueOf<T, V extends string> = V extends `${infer Inner}?`
  ? ValueOf<T, Inner> | undefined
  : V extends `${infer Inner}[]`
    ? readonly ValueOf<T, Inner>[]
    : V extends keyof Values<T>
      ? Values<T>[V]
      : never;

interface Values<T> {
  Tensor: T;
  int: number;
  float: number;
  bool: boolean;
  str: string;
  Scalar: number | boolean;
  DType: DType;
  Device: string;
  Generator: Numbered;
}

type ResultOf<T, R extends string> = R extends "Tensor" | "Tensor!"
  ? T
  : R extends "Tensor[]"
    ? T[]
    : R extends "()"
      ? undefined
      : R extends `(${infer Parts})`
        ? ResultsOf<T, Parts>
        : R extends keyof Values<T>
          ? Values<T>[R]
          : never;

type ResultsOf<T, P extends string> = P extends `${infer Head}, ${infer Rest}`
  ? [ResultOf<T, Head>, ...ResultsOf<T, Rest>]
  : [ResultOf<T, P>];

type Marshal = (value: never) => unknown;

function slotOf(tensor: Handle): number {
  if (!(tensor instanceof Handle)) throw new TypeError(`expected a tensor, got ${typeof tensor}`);
  return tensor.slot;
}

/** How a value of a schema's type enters native code; undefined where it goes as it is. */
function marshalOf(type: string): Marshal | undefined {
  switch (type.replace(/\?$/, "")) {
    case "Tensor":
      return slotOf;
    case "Tensor[]":
      return (tensors: readonly Handle[]) => tensors.map(slotOf);
    case "DType":
      return codeOf;
    case "Generator":
      return (generator: Numbered) => generator.index;
    default:
      return undefined;
  }
}

export interface Schema {
  readonly name: string;
  readonly overload: string;
  readonly parameters: readonly { type: string; name: string }[];
  readonly result: string;
}

export function parseSchema(text: string): Schema {
  const match = /^([\w:]+)(?:\.(\w+))?\((.*)\) -> (.+)$/.exec(text);
  if (match === null) throw new SyntaxError(`not an operator schema: ${text}`);
  const [, name = "", overload = "", parameters = "", result = ""] = match;
  return {
    name: name.includes("::") ? name : `aten::${name}`,
    overload,
    parameters:
      parameters === ""
        ? []
        : parameters.split(", ").map((parameter) => {
            const [type = "", rest = ""] = parameter.split(" ");
            return { type, name: rest.split("=")[0]! };
          }),
    result,
  };
}

/** Binds one operator. It is looked up in the dispatcher at the first call. */
export function bind<T, S extends string>(text: S): OperatorOf<T, S> {
  return implementationOf(parseSchema(text)) as unknown as OperatorOf<T, S>;
}

type Untyped = (...args: never[]) => unknown;

function implementationOf(schema: Schema): Untyped {
  const { name, overload, result } = schema;
  let id = -1;
  const resolved = (): number => {
    if (id < 0) id = native.resolve(name, overload);
    return id;
  };
  const types = schema.parameters.map((parameter) => parameter.type);
  const plain = (type: string): boolean => marshalOf(type) === undefined;

  // The shapes of small, frequent operators are spelt out: no loop, no argument array.
  if (result === "Tensor" && types[0] === "Tensor") {
    if (types.length === 1)
      return (operand: Handle) => {
        try {
          return adopt(native.call(resolved(), operand.slot) as number);
        } catch (error) {
          throw explain(error, name, [operand]);
        }
      };
    if (types.slice(1).every(plain) && types.length <= 4)
      return (operand: Handle, first?: unknown, second?: unknown, third?: unknown) => {
        try {
          if (third !== undefined)
            return adopt(native.call(resolved(), operand.slot, first, second, third) as number);
          if (second !== undefined)
            return adopt(native.call(resolved(), operand.slot, first, second) as number);
          return adopt(native.call(resolved(), operand.slot, first) as number);
        } catch (error) {
          throw explain(error, name, [operand, first, second, third]);
        }
      };
    if (types[1] === "Tensor" && types.length <= 3 && types.slice(2).every(plain))
      return (left: Handle, right: Handle, extra?: unknown) => {
        try {
          return adopt(
            (extra === undefined
              ? native.call(resolved(), left.slot, right.slot)
              : native.call(resolved(), left.slot, right.slot, extra)) as number,
          );
        } catch (error) {
          throw explain(error, name, [left, right, extra]);
        }
      };
  }

  const marshal = types.map(marshalOf);
  const give = results(result);
  return (...args: unknown[]) => {
    try {
      const values = args.map((value, i) => {
        const convert = marshal[i] as ((value: unknown) => unknown) | undefined;
        return value === undefined || value === null || convert === undefined ? value : convert(value);
      });
      return give(native.call(resolved(), ...values), args[0]);
    } catch (error) {
      throw explain(error, name, args);
    }
  };
}

function results(type: string): (raw: unknown, first: unknown) => unknown {
  if (type === "Tensor") return (raw) => adopt(raw as number);
  if (type === "Tensor!") return (_raw, first) => first;
  if (type === "Tensor[]") return (raw) => (raw as number[]).map((slot) => adopt(slot));
  if (type === "()") return () => undefined;
  if (!type.startsWith("(")) return (raw) => raw;
  const parts = type.slice(1, -1).split(", ").map(results);
  return (raw, first) => parts.map((part, i) => part((raw as unknown[])[i], first));
}
