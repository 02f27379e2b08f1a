/** Files of one model; `choices` are those among which one must be named where it is not clear which. */
interface GgufChoice {
  files: string[];
  choices: string[];
}

/** What an eye is taken from where several are there, best first. */
const eyeTypes = ["f16", "bf16", "q8_0", "f32"];

/**
 * Of the GGUF files of a folder one language model, in all its parts, and its eye (`mmproj`), if there is one.
 * @param wanted its name, or a part of it between points and hyphens, such as Q4_K_M; absent where there is only one
 */
export function chooseGguf(names: readonly string[], wanted?: string): GgufChoice {
  const ggufs = names.filter((name) => /^[^/]+\.gguf$/i.test(name));
  const eyes = ggufs.filter((name) => hasTag(name, "mmproj"));
  const models = Map.groupBy(
    ggufs.filter((name) => !eyes.includes(name)),
    modelOf,
  );
  const named = wanted === undefined ? [...models.keys()] : namesLike([...models.keys()], wanted);
  if (wanted !== undefined && named.length === 0) {
    const alone = ggufs.filter((name) => name === wanted);
    return { files: alone, choices: alone.length > 0 ? [] : [...models.keys()] };
  }
  if (named.length !== 1) return { files: [], choices: named };
  const files = models.get(named[0]!)!.sort();
  const tag = eyeTypes.find((type) => hasTag(files[0]!, type));
  const best = [tag, ...eyeTypes].map((type) => eyes.find((name) => type && hasTag(name, type)));
  const eye = best.find((name) => name !== undefined) ?? eyes[0];
  return { files: eye === undefined ? files : [...files, eye], choices: [] };
}

/** A model's name without the number of its part. */
const modelOf = (name: string): string => name.replace(/-\d{5}-of-\d{5}(?=\.gguf$)/i, "");

/** Exactly that one, else those that have it as a part of their names. */
function namesLike(names: readonly string[], wanted: string): string[] {
  const plain = modelOf(/\.gguf$/i.test(wanted) ? wanted : `${wanted}.gguf`).toLowerCase();
  const same = names.filter((name) => name.toLowerCase() === plain);
  return same.length > 0 ? same : names.filter((name) => hasTag(name, wanted));
}

const hasTag = (name: string, tag: string): boolean =>
  `-${name.toLowerCase()}-`.replaceAll(".", "-").includes(
    `-${tag
      .toLowerCase()
      .replaceAll(".", "-")
      .replace(/-gguf$/, "")}-`,
  );
