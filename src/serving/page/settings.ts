import { element } from "./element.ts";
import type { Model } from "./server.ts";
import { chooseLanguage, chosenLanguage, type Language, languages, texts } from "./texts.ts";

/** Which models are asked and how; kept from one visit to the next. */
export class Settings {
  readonly model = element("select");
  readonly other = element("select");
  readonly system = element("textarea", { rows: 2 });
  readonly #temperature = element("input", { type: "number", min: "0", max: "2", step: "0.1", value: "0.2" });
  readonly #maxTokens = element("input", { type: "number", min: "1", step: "1", value: "512" });

  constructor(bar: HTMLElement, models: readonly Model[], onChange: () => void) {
    this.model.append(...models.map(({ id }) => new Option(id)));
    this.other.append(new Option(texts.none, ""), ...models.map(({ id }) => new Option(id)));
    const language = element("select");
    language.append(...Object.entries(languages).map(([key, name]) => new Option(name, key)));
    language.value = chosenLanguage();
    language.onchange = () => {
      chooseLanguage(language.value as Language);
      location.reload();
    };
    const kept = {
      model: this.model,
      other: this.other,
      temperature: this.#temperature,
      maxTokens: this.#maxTokens,
    };
    for (const [name, field] of Object.entries(kept)) {
      const value = localStorage.getItem(name);
      const isThere =
        !(field instanceof HTMLSelectElement) || [...field.options].some((one) => one.value === value);
      if (value !== null && isThere) field.value = value;
      field.onchange = () => {
        localStorage.setItem(name, field.value);
        onChange();
      };
    }
    this.system.onchange = onChange;
    const more = element("details", {}, [
      element("summary", {}, [texts.settings]),
      labelled(texts.temperature, this.#temperature),
      labelled(texts.maxTokens, this.#maxTokens),
      labelled(texts.system, this.system),
      labelled(texts.language, language),
    ]);
    bar.append(labelled(texts.model, this.model), labelled(texts.compare, this.other), more);
  }

  /** One, or two to be compared. */
  get models(): string[] {
    return [...new Set([this.model.value, this.other.value].filter((name) => name !== ""))];
  }

  get temperature(): number {
    return Number(this.#temperature.value);
  }

  get maxTokens(): number | undefined {
    return Number(this.#maxTokens.value) || undefined;
  }
}

const labelled = (label: string, field: HTMLElement): HTMLElement => element("label", {}, [label, field]);
