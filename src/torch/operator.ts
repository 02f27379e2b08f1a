import { native } from "./binding.ts";
import { codeOf, type DType } from "./dtype.ts";
import { explain } from "./errors.ts";
import type { Generator } from "./generator.ts";
import { adopt } from "./scope.ts";
import { Tensor } from "./tensor.ts";

/**
 * An operator is declared by its schema, as libtorch writes it less the noise ("add.Tensor(Tensor self, Tensor other,
 * Scalar alpha=1) -> Tensor"), and its TypeScript type is read off that string: a parameter with a default may be
 * left out; `Tensor!` as the result means that the operator writes its first argument and returns that very object.
 */
export type OperatorOf<Schema extends string> =
  Schema extends `${string}(${infer Parameters}) -> ${infer Result}`
    ? (...args: ArgumentsOf<Parameters>) => ResultOf<Result>
    : never;

type ArgumentsOf<P extends string> = P extends ""
  ? []
  : P extends `${infer Head}, ${infer Rest}`
    ? [...ArgumentOf<Head>, ...ArgumentsOf<Rest>]
    : ArgumentOf<P>;

type ArgumentOf<P extends string> = P extends `${infer Type} ${string}=${string}`
  ? [argument?: ValueOf<Type> | undefined]
  : P extends `${infer Type} ${string}`
    ? [argument: ValueOf<Type>]
    : never;

type ValueOf<T extends string> = T extends `${infer Inner}?`
  ? ValueOf<Inner> | undefined
  : T extends `${infer Inner}[]`
    ? readonly ValueOf<Inner>[]
    : T extends keyof Values
      ? Values[T]
      : never;

interface Values {
  Tensor: Tensor;
  int: number;
  float: number;
  bool: boolean;
  str: string;
  Scalar: number | boolean;
  DType: DType;
  Device: string;
  Generator: Generator;
}

type ResultOf<R extends string> = R extends "Tensor" | "Tensor!"
  ? Tensor
  : R extends "Tensor[]"
    ? Tensor[]
    : R extends "()"
      ? undefined
      : R extends `(${infer Parts})`
        ? ResultsOf<Parts>
        : R extends keyof Values
          ? Values[R]
          : never;

type ResultsOf<P extends string> = P extends `${infer Head}, ${infer Rest}`
  ? [ResultOf<Head>, ...ResultsOf<Rest>]
  : [ResultOf<P>];

type Marshal = (value: never) => unknown;

function slotOf(tensor: Tensor): number {
  if (!(tensor instanceof Tensor)) throw new TypeError(`expected a tensor, got ${typeof tensor}`);
  return tensor.slot;
}

/** As for one tensor; a disposed one must not pass for an absent one. */
function optionalSlotOf(tensor: Tensor | undefined): number {
  if (tensor === undefined) return -1;
  if (tensor.disposed) throw new TypeError("a tensor was used after it was disposed");
  return slotOf(tensor);
}

/** How a value of a schema's type enters native code; undefined where it goes as it is. */
function marshalOf(type: string): Marshal | undefined {
  switch (type.replace(/\?$/, "")) {
    case "Tensor":
      return slotOf;
    case "Tensor[]":
      return (tensors: readonly Tensor[]) => tensors.map(slotOf);
    case "Tensor?[]":
      return (tensors: readonly (Tensor | undefined)[]) => tensors.map(optionalSlotOf);
    case "DType":
      return codeOf;
    case "Generator":
      return (generator: Generator) => generator.index;
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
export function bind<S extends string>(text: S): OperatorOf<S> {
  return implementationOf(parseSchema(text)) as unknown as OperatorOf<S>;
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
      return (operand: Tensor) => {
        try {
          return adopt(native.call(resolved(), operand.slot) as number);
        } catch (error) {
          throw explain(error, name, [operand]);
        }
      };
    if (types.slice(1).every(plain) && types.length <= 4)
      return (operand: Tensor, first?: unknown, second?: unknown, third?: unknown) => {
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
      return (left: Tensor, right: Tensor, extra?: unknown) => {
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
  if (type === "Tensor[]") return (raw) => (raw as number[]).map(adopt);
  if (type === "()") return () => undefined;
  if (!type.startsWith("(")) return (raw) => raw;
  const parts = type.slice(1, -1).split(", ").map(results);
  return (raw, first) => parts.map((part, i) => part((raw as unknown[])[i], first));
}
