import { fileURLToPath } from "node:url";

const fontFiles = ["400Regular/Inter_400Regular.ttf", "600SemiBold/Inter_600SemiBold.ttf"].map((file) =>
  fileURLToPath(import.meta.resolve(`@expo-google-fonts/inter/${file}`)),
);

/** A chart as PNG, `scale` pixels to one of the SVG's; in the font that comes with the project, for all machines alike. */
export async function toPng(
  svg: string,
  { scale = 2 }: { readonly scale?: number } = {},
): Promise<Uint8Array> {
  const { Resvg } = await import("@resvg/resvg-js"); // only here: most charts stay SVG
  const font = { fontFiles, loadSystemFonts: false, defaultFontFamily: "Inter" };
  return new Resvg(svg, { fitTo: { mode: "zoom", value: scale }, font }).render().asPng();
}
