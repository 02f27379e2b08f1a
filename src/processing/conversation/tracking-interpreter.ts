import { globalScope, Interpreter, JinjaScope, type Node, type Scope, type Value } from "./jinja.ts";
import {
  aligned,
  joined,
  part,
  partsIn,
  replaced,
  source,
  stripped,
  type TrackedText,
  tracked,
} from "./tracked-text.ts";

/** Plain values for a template, in which text that somebody said is tracked. */
export type TemplateValue =
  | string
  | boolean
  | TrackedText
  | readonly TemplateValue[]
  | { readonly [name: string]: TemplateValue };

/** Renders a parsed template; its output tells of every unit whether the template wrote it or who said it. */
export function renderTracked(
  program: Node,
  variables: Readonly<Record<string, TemplateValue>>,
): TrackedText {
  const scope = globalScope();
  const interpreter = new TrackingInterpreter(scope);
  for (const [name, value] of Object.entries(variables)) scope.setVariable(name, interpreter.valueFor(value));
  return interpreter.textOf(interpreter.run(program));
}

interface Loop {
  readonly body: readonly Node[];
  readonly fallback: readonly Node[];
  readonly output: TrackedText[];
  hasBegun: boolean;
}

/**
 * Jinja with tracked strings: templates see the text as it is, and what they make of it keeps its source. What comes of
 * somebody's words in a way that is not followed counts as theirs as a whole, so that no text becomes the template's.
 */
class TrackingInterpreter extends Interpreter {
  readonly #sources = new WeakMap<object, string>();
  readonly #methods = new WeakMap<object, { readonly subject: Value; readonly name: string }>();
  readonly #loops: Loop[] = [];
  /** What blocks had written when a break or continue left them. */
  readonly #interrupted = new WeakMap<object, TrackedText[]>();
  readonly #said: string[] = [];

  constructor(scope: Scope) {
    super(scope);
    // The library's other methods render their blocks by this one.
    Object.assign(this, {
      evaluateBlock: (nodes: readonly Node[], scope: Scope) => this.#block(nodes, scope),
    });
  }

  override evaluate(node: Node | undefined, scope: Scope): Value {
    const plain = () => super.evaluate(node, scope);
    switch (node?.type) {
      case "Held":
        return node.held!;
      case "StringLiteral": {
        const value = plain();
        return this.#remember(value, tracked(value.value as string, source.template));
      }
      case "Break":
      case "Continue":
        try {
          return plain();
        } catch (error) {
          this.#interrupted.set(error as object, []);
          throw error;
        }
      case "For":
        return this.#loop(node, scope);
      case "BinaryExpression":
        return this.#binary(node, scope);
      case "FilterExpression":
        return this.#filter(node, this.evaluate(node.operand!, scope), scope);
      case "FilterStatement":
        return this.#filter(node, this.#block(node.body!, scope), scope);
      case "CallExpression": {
        const given = this.#heldAll(node.args!, scope);
        const callee = this.evaluate(node.callee!, scope);
        const method = this.#methods.get(callee);
        const result = super.evaluate({ ...node, args: given.nodes, callee: held(callee) }, scope);
        return method === undefined
          ? result
          : this.#derive(method.name, method.subject, given.values, result);
      }
      case "MemberExpression":
        return this.#member(node, scope);
      default:
        return plain();
    }
  }

  /** A plain value as the library's. */
  valueFor(value: TemplateValue): Value {
    if (typeof value === "string") return this.evaluate({ type: "StringLiteral", value }, this.global);
    if (typeof value === "boolean") return new JinjaScope().set("value", value);
    if ("sources" in value) {
      const { text, sources } = value as TrackedText;
      this.#said.push(text);
      return this.#remember(this.valueFor(text), { text, sources });
    }
    if (Array.isArray(value)) {
      const items = value.map((item: TemplateValue) => held(this.valueFor(item)));
      return super.evaluate({ type: "ArrayLiteral", value: items }, this.global);
    }
    const entries = Object.entries(value).map(
      ([name, item]) => [held(this.valueFor(name)), held(this.valueFor(item))] as const,
    );
    return super.evaluate({ type: "ObjectLiteral", value: new Map(entries) }, this.global);
  }

  /** What a value is written as. */
  textOf(value: Value): TrackedText {
    const text = value.type === "StringValue" ? (value.value as string) : value.toString();
    const sources = this.#sources.get(value);
    if (sources !== undefined) return { text, sources };
    const isSaid = text !== "" && this.#said.some((said) => said.includes(text));
    return tracked(text, isSaid ? source.said : (this.#speaker([value]) ?? source.template));
  }

  #remember(value: Value, { sources }: TrackedText): Value {
    this.#sources.set(value, sources);
    return value;
  }

  #written({ text, sources }: TrackedText): Value {
    return this.#remember(super.evaluate({ type: "StringLiteral", value: text }, this.global), {
      text,
      sources,
    });
  }

  #block(nodes: readonly Node[], scope: Scope): Value {
    const loop = this.#loops.at(-1);
    const isBody = loop !== undefined && nodes === loop.body;
    const isFallback = loop !== undefined && nodes === loop.fallback;
    if (isFallback && loop.hasBegun) return this.#written(joined([]));
    if (isBody) loop.hasBegun = true;
    const output: TrackedText[] = isBody || isFallback ? loop.output : [];
    for (const node of nodes)
      try {
        const value = this.evaluate(node, scope);
        if (value.type !== "NullValue" && value.type !== "UndefinedValue") output.push(this.textOf(value));
      } catch (error) {
        const rest = this.#interrupted.get(error as object);
        if (rest !== undefined && output === loop?.output) output.push(...rest);
        else if (rest !== undefined) this.#interrupted.set(error as object, [...output, ...rest]);
        throw error;
      }
    return this.#written(joined(isBody || isFallback ? [] : output));
  }

  /** The library's own loop forgets what an iteration wrote before it was left; here its body writes for itself. */
  #loop(node: Node, scope: Scope): Value {
    const output: TrackedText[] = [];
    this.#loops.push({ body: node.body!, fallback: node.defaultBlock!, output, hasBegun: false });
    try {
      super.evaluate(node, scope);
    } finally {
      this.#loops.pop();
    }
    return this.#written(joined(output));
  }

  #binary(node: Node, scope: Scope): Value {
    const { value: operator } = node.operator!;
    if (operator === "and" || operator === "or") return super.evaluate(node, scope);
    const [left, right] = [this.evaluate(node.left!, scope), this.evaluate(node.right!, scope)];
    const result = super.evaluate({ ...node, left: held(left), right: held(right) }, scope);
    if (result.type !== "StringValue") return result;
    const whole = joined([this.textOf(left), this.textOf(right)]);
    return this.#remember(result, whole.text === result.value ? whole : this.#from([left, right], result));
  }

  #filter(node: Node, operand: Value, scope: Scope): Value {
    const filter = node.filter!;
    const isCall = filter.type === "CallExpression";
    const name = String((isCall ? filter.callee! : filter).value);
    const given = isCall ? this.#heldAll(filter.args!, scope) : { nodes: [], values: [] };
    const applied = isCall ? { ...filter, args: given.nodes } : filter;
    const expression = { ...node, type: "FilterExpression", operand: held(operand), filter: applied };
    return this.#derive(name, operand, given.values, super.evaluate(expression, scope));
  }

  #member(node: Node, scope: Scope): Value {
    const object = this.evaluate(node.object!, scope);
    const property = node.property!;
    const isSlice = property.type === "SliceExpression";
    const [start, stop, step] = (isSlice ? [property.start, property.stop, property.step] : []).map((bound) =>
      this.evaluate(bound, scope),
    );
    const slice = { ...property, start: held(start), stop: held(stop), step: held(step) };
    const index = isSlice || !node.computed! ? undefined : this.evaluate(property, scope);
    const read = isSlice ? slice : index === undefined ? property : held(index);
    const expression = { ...node, object: held(object), property: read };
    const result = super.evaluate(expression, scope);
    if (object.type !== "StringValue") return result;
    if (result.type === "FunctionValue")
      this.#methods.set(result, { subject: object, name: String(index?.value ?? property.value) });
    if (result.type !== "StringValue") return result;
    const whole = this.textOf(object);
    const isPlainSlice = isSlice && step?.type === "UndefinedValue" && !/[\uD800-\uDFFF]/.test(whole.text);
    const bounds = [start?.value, stop?.value] as [number | undefined, number | undefined];
    const kept = isPlainSlice ? part(whole, ...bounds) : this.#from([object], result);
    return this.#remember(result, kept.text === result.value ? kept : this.#from([object], result));
  }

  /** Arguments evaluated once: as values, and as nodes that hold them. Literals stay, which some filters insist on. */
  #heldAll(nodes: readonly Node[], scope: Scope): { nodes: Node[]; values: Value[] } {
    const values: Value[] = [];
    const hold = (node: Node): Node => {
      if (node.type === "KeywordArgumentExpression") return { ...node, value: hold(node.value as Node) };
      if (/Spread/.test(node.type)) return { ...node, argument: hold(node.argument!) };
      const value = this.evaluate(node, scope);
      values.push(value);
      return node.type === "StringLiteral" ? node : held(value);
    };
    return { nodes: nodes.map(hold), values };
  }

  /** Says where a filter's or method's result comes from. */
  #derive(name: string, subject: Value, given: readonly Value[], result: Value): Value {
    if (subject.type === "StringValue" && name === "length")
      result.value = [...(subject.value as string)].length;
    if (this.#sources.has(result)) return result;
    if (result.type === "ArrayValue" && subject.type === "StringValue") {
      const items = result.value as Value[];
      const texts = items.map(({ value }) => value as string);
      for (const [index, text] of partsIn(this.textOf(subject), texts).entries())
        this.#remember(items[index]!, text);
    }
    if (result.type !== "StringValue") return result;
    const followed = this.#followed(name, subject, given);
    // The library strips white space whatever it is told to strip.
    if (followed !== undefined && /strip$/.test(name)) result.value = followed.text;
    const found = followed?.text === result.value ? followed : undefined;
    const near =
      subject.type === "StringValue" ? aligned(this.textOf(subject), result.value as string) : undefined;
    const isCase = ["upper", "lower", "title", "capitalize", "indent"].includes(name);
    return this.#remember(
      result,
      found ?? (isCase ? near : undefined) ?? this.#from([subject, ...given], result),
    );
  }

  #followed(name: string, subject: Value, given: readonly Value[]): TrackedText | undefined {
    const [first, second, third] = given;
    if (name === "join" && subject.type === "ArrayValue") {
      const items = (subject.value as Value[]).map((item) => this.textOf(item));
      return joined(items, first === undefined ? undefined : this.textOf(first));
    }
    if (subject.type !== "StringValue") return undefined;
    const whole = this.textOf(subject);
    const set = first?.type === "StringValue" ? (first.value as string) : undefined;
    if (name === "trim" || name === "strip") return stripped(whole, "both", set);
    if (name === "lstrip") return stripped(whole, "start", set);
    if (name === "rstrip") return stripped(whole, "end", set);
    if (name === "replace" && first !== undefined && second !== undefined)
      return replaced(whole, String(first.value), this.textOf(second), third?.value as number | undefined);
    return undefined;
  }

  /** A result that is not followed: whose words went in, or else the template's. */
  #from(inputs: readonly Value[], { value }: Value): TrackedText {
    return tracked(String(value), this.#speaker(inputs) ?? source.template);
  }

  /** Who spoke in values, whatever they hold: an answer if nobody else did; undefined if only the template did. */
  #speaker(values: readonly Value[]): number | undefined {
    const speakers = new Set<number>();
    const look = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(look);
      else if (value instanceof Map) [...value.values()].forEach(look);
      else if (typeof value === "object" && value !== null && "value" in value) {
        for (const unit of new Set(this.#sources.get(value as object))) speakers.add(unit.charCodeAt(0));
        look(value.value);
      }
    };
    values.forEach(look);
    speakers.delete(source.template);
    if (speakers.size === 0) return undefined;
    return speakers.size === 1 && speakers.has(source.answer) ? source.answer : source.said;
  }
}

const held = (value: Value | undefined): Node => ({ type: "Held", held: value });
