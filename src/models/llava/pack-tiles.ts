import {
  type FeatureGrid,
  mapOf,
  type PaddedLayout,
  type TiledLayout,
} from "../../processing/image/index.ts";
import { aten, cat, type Tensor } from "../../torch/index.ts";

/** What of AnyRes lies in the model (LLaVA-NeXT, January 2024). */
export interface TilePacking {
  /** The feature map of a tile. */
  readonly tile: FeatureGrid;
  /** [D], after each row of a map without padding; absent in a model that never joins tiles so. */
  readonly newline: Tensor | undefined;
}

/**
 * The tokens of an image by its tiles: projected features [1 + tiles, g², D], the overview first → [tokens, D], as many as
 * `tokensOf` counts.
 */
export function packTiles(
  features: Tensor,
  layout: TiledLayout | PaddedLayout,
  { tile, newline }: TilePacking,
): Tensor {
  const overview = features.select(0, 0); // [g², D]
  if (layout.tiles === "padded") return cat([overview, newline!.to(overview.dtype).unsqueeze(0)]);
  const { merge } = layout;
  const tiles = features.slice(0, 1); // [tiles, g², D]
  const joined = merge.order === "flat" ? tiles.flatten(0, 1) : joinedRows(tiles, layout, { tile, newline });
  return merge.overview ? cat([overview, joined]) : joined;
}

/** [tiles, g², D] → one map → what is kept of it, row by row [tokens, D] */
function joinedRows(tiles: Tensor, layout: TiledLayout, { tile, newline }: TilePacking): Tensor {
  const { grid } = layout;
  const { joined, kept, final, newlines } = mapOf(layout, tile);
  const width = tiles.size(2); // D
  let map = tiles
    .reshape([grid.rows, grid.columns, tile.rows, tile.columns, width])
    .permute([0, 2, 1, 3, 4]) // [tile rows, g, tile columns, g, D]
    .reshape([joined.rows, joined.columns, width])
    .slice(0, kept.top, kept.top + kept.rows)
    .slice(1, kept.left, kept.left + kept.columns); // [rows, columns, D]
  if (layout.merge.order === "maxpool2x2") map = channelsFirst(map, (image) => aten.maxPool2d(image, [2, 2]));
  else if (final.rows !== kept.rows || final.columns !== kept.columns)
    map = channelsFirst(map, (image) => aten.upsampleBilinear2d(image, [final.rows, final.columns], false));
  if (newlines) map = cat([map, newline!.to(map.dtype).expand([final.rows, 1, width])], 1);
  return map.reshape([-1, width]);
}

/** [H, W, D] → an operation on [1, D, H, W] → [H', W', D] */
const channelsFirst = (map: Tensor, operation: (image: Tensor) => Tensor): Tensor =>
  operation(map.permute([2, 0, 1]).unsqueeze(0))
    .squeeze(0)
    .permute([1, 2, 0]);
